//! Where results go, and how a run says that it came to nothing or was stopped.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Seek as _, Write as _};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::classify::interrupt;
use crate::input::mkfifo;
use crate::support::{Ran, run, skinclf, start};

const LESION: &str = "samples/lesion-1.jpg";
const YESTERDAY: &str = "what an earlier run found\n";

/// A folder with an earlier run's results in it.
struct Earlier {
    folder: TempDir,
    file: String,
}

impl Earlier {
    fn new(name: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join(name);
        fs::write(&file, YESTERDAY).expect("a file");
        Self { file: file.display().to_string(), folder }
    }

    fn content(&self) -> String {
        fs::read_to_string(&self.file).expect("the file")
    }

    fn files(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.folder.path()).expect("the folder");
        entries.map(|entry| entry.expect("an entry").path()).collect()
    }
}

/// 1000 pictures that are not there: rows to write, quickly.
fn missing() -> String {
    "no/such/picture.jpg\n".repeat(1000)
}

/// A run that finds the disk full after a few kilobytes of any file.
fn on_a_full_disk(args: &[&str]) -> Ran {
    let mut child = Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 4; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_skinclf")])
        .args(args)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("sh");
    // A run that has ended reads no more.
    let _ = child.stdin.take().expect("a pipe").write_all(missing().as_bytes());
    child.wait_with_output().expect("it ends").into()
}

/// A run whose list of pictures stays open.
fn begin(args: &[&str], list: &str) -> (Child, std::process::ChildStdin) {
    let mut child = start(["classify", "--files-from", "-"].iter().chain(args));
    let mut input = child.stdin.take().expect("a pipe");
    input.write_all(list.as_bytes()).expect("it reads");
    (child, input)
}

#[test]
fn what_is_not_done_at_all_is_status_4_and_what_fails_in_part_1() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path().to_str().expect("UTF-8");
    for (args, status) in [
        (&["classify", folder][..], 4),
        (&["classify", "--model", "none.onnx", LESION], 4),
        (&["classify", "-o", "no/such/folder/out.csv", LESION], 4),
        (&["classify", "--truth", "no/labels.csv", LESION], 4),
        (&["classify", "--files-from", "no/list", LESION], 4),
        (&["bench", "--image", "none.jpg"], 4),
        (&["serve", "--model", "none.onnx"], 4),
        (&["classify", "none.jpg"], 1),
        (&["classify", "none.jpg", LESION], 1),
    ] {
        let ran = run(args);
        assert_eq!(ran.code, Some(status), "{args:?}: {}", ran.stderr);
    }
    for help in [&["--help"][..], &["classify", "--help"], &["bench", "--help"], &["-h"]] {
        let help = run(help).stdout;
        assert!(help.contains("Exit status:") && help.contains("  4    nothing could be done"), "{help}");
    }
}

#[test]
fn a_killed_run_leaves_the_earlier_result() {
    for format in ["csv", "json"] {
        let earlier = Earlier::new("out");
        let (mut child, _list) = begin(&["-f", format, "-o", &earlier.file], &missing());
        // More is written than a buffer holds.
        let written =
            || earlier.files().iter().map(|file| fs::metadata(file).map_or(0, |m| m.len())).sum::<u64>();
        while written() < 10_000 {
            std::thread::yield_now();
        }
        child.kill().expect("it runs");
        child.wait().expect("it ends");
        assert_eq!(earlier.content(), YESTERDAY, "{format}");
    }
}

#[test]
fn a_full_disk_leaves_the_earlier_result_and_is_said_once() {
    for format in ["csv", "json", "table"] {
        let earlier = Earlier::new("out");
        let ran = on_a_full_disk(&["classify", "--files-from", "-", "-f", format, "-o", &earlier.file]);
        assert_eq!((ran.code, ran.stderr.lines().count()), (Some(4), 1), "{}", ran.stderr);
        assert!(ran.stderr.contains(&format!("--output {}", earlier.file)), "{}", ran.stderr);
        assert_eq!((earlier.content().as_str(), earlier.files().len()), (YESTERDAY, 1), "{format}");
    }
    let earlier = Earlier::new("scores.html");
    let scores = ["classify", "-q", "--truth", "samples/labels.csv", "--report", &earlier.file, LESION];
    let ran = on_a_full_disk(&scores);
    assert!(ran.stdout.contains("1 image of 1 lesion scored"), "{}", ran.stdout);
    assert!(ran.stderr.contains(&format!("--report {}: cannot be written", earlier.file)), "{}", ran.stderr);
    assert_eq!((ran.code, earlier.content().as_str(), earlier.files().len()), (Some(4), YESTERDAY, 1));

    let earlier = Earlier::new("figures.json");
    let figures =
        ["bench", "--iterations", "1", "--warmup", "0", "-j", "1,2,3", "-f", "json", "-o", &earlier.file];
    let ran = on_a_full_disk(&figures);
    assert!(ran.stderr.contains(&format!("--output {}: cannot be written", earlier.file)), "{}", ran.stderr);
    assert_eq!((ran.code, earlier.content().as_str(), earlier.files().len()), (Some(4), YESTERDAY, 1));
}

#[test]
fn lines_of_json_are_whole_whatever_ends_the_run() {
    let earlier = Earlier::new("out.jsonl");
    let args = ["-f", "jsonl", "-o", &earlier.file];
    let ran = on_a_full_disk(&[&["classify", "--files-from", "-"], &args[..]].concat());
    assert_eq!(ran.code, Some(4), "{}", ran.stderr);
    let text = earlier.content();
    assert!(text.ends_with('\n'), "{text:?}");
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    assert!((1..1000).contains(&lines.len()), "{} lines", lines.len());

    // They are there while the run goes on.
    let earlier = Earlier::new("out.jsonl");
    let (mut child, _list) = begin(&["-f", "jsonl", "-o", &earlier.file], &format!("{LESION}\n"));
    while !earlier.content().contains("class_name") {
        std::thread::yield_now();
    }
    child.kill().expect("it runs");
    child.wait().expect("it ends");
    let line: Value = serde_json::from_str(&earlier.content()).expect("one line");
    assert_eq!(line["path"], LESION);
}

#[test]
fn a_run_that_finds_nothing_leaves_no_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).display().to_string();
    fs::create_dir(path("empty")).expect("a folder");
    for format in ["isic", "jsonl", "csv", "json", "table"] {
        let ran = run(["classify", "-f", format, "-o", &path("out"), &path("empty")]);
        assert_eq!(ran.code, Some(4), "{}", ran.stderr);
        assert_eq!(fs::read_dir(folder.path()).expect("the folder").count(), 1, "{format}");
    }
    let failed = run(["classify", "-f", "isic", "-o", &path("out"), "none.jpg"]);
    assert_eq!((failed.code, Path::new(&path("out")).exists()), (Some(1), false), "{}", failed.stderr);
}

#[test]
fn a_file_that_is_replaced_stays_what_it_was() {
    let earlier = Earlier::new("out.csv");
    fs::set_permissions(&earlier.file, fs::Permissions::from_mode(0o640)).expect("its owner");
    let link = earlier.folder.path().join("link");
    symlink("out.csv", &link).expect("a link");
    let link_name = link.to_str().expect("UTF-8");
    assert_eq!(run(["classify", "-f", "csv", "-o", link_name, LESION]).code, Some(0));
    assert!(link.is_symlink());
    let results = run(["classify", "-f", "csv", LESION]).stdout;
    assert_eq!(earlier.content(), results);
    let mode = |path: &Path| fs::metadata(path).expect("the file").permissions().mode() & 0o777;
    assert_eq!(mode(Path::new(&earlier.file)), 0o640);

    // A new one is made as any program makes it, at the end of a link that leads nowhere yet.
    let (new, dangling) = (earlier.folder.path().join("new.csv"), earlier.folder.path().join("dangling"));
    symlink("new.csv", &dangling).expect("a link");
    let classify =
        format!("umask 027; exec {} classify -f csv -o \"$0\" {LESION}", env!("CARGO_BIN_EXE_skinclf"));
    let ran = Command::new("sh").arg("-c").arg(classify).arg(&dangling).status().expect("sh");
    assert!(ran.success() && dangling.is_symlink());
    assert_eq!((fs::read_to_string(&new).expect("the file"), mode(&new)), (results, 0o640));
    assert_eq!(earlier.files().len(), 4, "and nothing else is left there");
}

#[test]
fn what_is_no_file_is_written_as_it_comes() {
    let wanted = run(["classify", "-f", "csv", LESION]).stdout;
    for device in ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"] {
        let ran = run(["classify", "-f", "csv", "-o", device, LESION]);
        assert_eq!((ran.code, &ran.stdout), (Some(0), &wanted), "{device}: {}", ran.stderr);
    }
    let folder = tempfile::tempdir().expect("a folder");
    let fifo = folder.path().join("fifo");
    mkfifo(&fifo);
    let reader = {
        let fifo = fifo.clone();
        std::thread::spawn(move || fs::read_to_string(fifo).expect("text"))
    };
    let fifo = fifo.to_str().expect("UTF-8");
    assert_eq!(run(["classify", "-f", "csv", "-o", fifo, LESION]).code, Some(0));
    assert_eq!(reader.join().expect("a reader"), wanted);
    for folder in [folder.path().to_str().expect("UTF-8"), "no/such/out.csv", "no-folder/"] {
        let ran = run(["classify", "-o", folder, LESION]);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(4), ""));
        assert!(
            ran.stderr.starts_with(&format!("error: --output {folder}: cannot be created: ")),
            "{}",
            ran.stderr
        );
    }
}

#[test]
fn a_full_disk_is_one_error_for_all_heatmaps() {
    let folder = tempfile::tempdir().expect("a folder");
    let images = ["lesion-1", "lesion-2", "lesion-3"];
    for image in images {
        symlink("/dev/full", folder.path().join(format!("{image}.png"))).expect("a link");
    }
    let maps = folder.path().to_str().expect("UTF-8");
    let images = images.map(|image| format!("samples/{image}.jpg"));
    let ran = run(["classify", "-f", "csv", "--heatmap", maps]
        .into_iter()
        .chain(images.iter().map(String::as_str)));
    assert_eq!((ran.code, ran.stdout.lines().count()), (Some(1), 4), "{}", ran.stdout);
    assert_eq!(ran.stderr.lines().count(), 1, "{}", ran.stderr);
    assert!(ran.stderr.contains("lesion-1.png cannot be written: No space left"), "{}", ran.stderr);
}

#[test]
fn an_interruption_is_said_though_nobody_watches() {
    for format in ["table", "json", "jsonl", "csv", "isic"] {
        let (mut child, list) = begin(&["-q", "-f", format], "");
        interrupt(&child);
        let mut said = String::new();
        child.stderr.take().expect("a pipe").read_to_string(&mut said).expect("UTF-8");
        assert_eq!(child.wait().expect("it ends").code(), Some(130));
        assert_eq!(said, "interrupted: the results are incomplete\n", "{format}");
        drop(list);
    }
}

#[test]
fn an_interruption_before_the_first_image_leaves_the_earlier_result() {
    let earlier = Earlier::new("out.json");
    let (mut child, list) = begin(&["-f", "json", "-o", &earlier.file], "");
    interrupt(&child);
    assert_eq!(child.wait().expect("it ends").code(), Some(130));
    assert_eq!((earlier.content().as_str(), earlier.files().len()), (YESTERDAY, 1));
    drop(list);

    // A file without a name cannot be replaced, and is written in place.
    for format in ["json", "csv", "isic"] {
        let mut nameless = tempfile::tempfile().expect("a file");
        nameless.write_all(YESTERDAY.as_bytes()).expect("it takes text");
        let mut child = skinclf()
            .args(["classify", "-q", "--files-from", "-", "-f", format, "-o", "/dev/stdout"])
            .stdin(Stdio::piped())
            .stdout(nameless.try_clone().expect("a handle"))
            .stderr(Stdio::null())
            .spawn()
            .expect("the binary starts");
        let list = child.stdin.take();
        interrupt(&child);
        assert_eq!(child.wait().expect("it ends").code(), Some(130));
        drop(list);
        let mut content = String::new();
        nameless.rewind().expect("a file");
        nameless.read_to_string(&mut content).expect("UTF-8");
        assert_eq!(content, YESTERDAY, "{format}");
    }
}

#[test]
fn an_interrupted_benchmark_says_so_in_its_figures() {
    for (format, said) in
        [("json", "\"interrupted\": true"), ("table", "interrupted: "), ("markdown", "interrupted: ")]
    {
        let mut child = skinclf()
            .args(["bench", "--iterations", "100000000", "-f", format])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        interrupt(&child);
        let mut figures = String::new();
        child.stdout.take().expect("a pipe").read_to_string(&mut figures).expect("UTF-8");
        assert!(figures.contains(said), "{figures}");
        let mut errors = BufReader::new(child.stderr.take().expect("a pipe")).lines();
        assert_eq!(errors.next().expect("a line").expect("UTF-8"), "interrupted: the results are incomplete");
        assert_eq!(child.wait().expect("it ends").code(), Some(130));
    }
}
