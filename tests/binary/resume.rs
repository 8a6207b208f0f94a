//! `--resume`: a run that was stopped, however it was, goes on in the same file.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::{Ran, embedded_but, run, run_with_input, skinclf, timeless};

const LESION: &str = "samples/lesion-1.jpg";

/// A folder for the files of a test.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().expect("UTF-8").to_owned()
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        fs::write(self.path(name), content).expect("a file");
        self.path(name)
    }
}

fn read(file: &str) -> String {
    fs::read_to_string(file).expect("UTF-8")
}

fn format_of(file: &str) -> &str {
    file.rsplit('.').next().expect("an extension")
}

/// `classify --resume -o FILE` in the format that the name of the file says.
fn resume(file: &str, args: &[&str]) -> Ran {
    run(["classify", "-f", format_of(file), "--resume", "-o", file].iter().chain(args))
}

/// The rows without their timings, in order.
fn rows(file: &str) -> Vec<Value> {
    let text = read(file);
    if format_of(file) == "csv" {
        return text.lines().map(Value::from).collect();
    }
    text.lines().map(|line| timeless(serde_json::from_str(line).expect(line))).collect()
}

fn paths(file: &str) -> Vec<String> {
    rows(file).iter().map(|row| row["path"].as_str().expect("a path").to_owned()).collect()
}

/// Pictures that are classified, broken, not there, and named twice.
fn list(count: usize) -> String {
    let names = [
        "lesion-1.jpg",
        "broken/truncated.jpg",
        "gray.jpg",
        "none.jpg",
        "alpha.png",
        "lesion-2.jpg",
        "README.md",
    ];
    names.iter().cycle().take(count).map(|name| format!("samples/{name}\n")).collect()
}

/// The rows of a run that nothing stops.
fn whole(folder: &Folder, list: &str, extension: &str) -> Vec<Value> {
    let file = folder.path(&format!("whole.{extension}"));
    let ran =
        run_with_input(["classify", "-f", extension, "-o", &file, "--files-from", "-"], list.as_bytes());
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    rows(&file)
}

#[test]
fn twenty_runs_that_are_killed_give_the_rows_of_one() {
    let mut random = fastrand::Rng::with_seed(18);
    for extension in ["jsonl", "csv"] {
        let folder = Folder::new();
        let list = list(80);
        let wanted = whole(&folder, &list, extension);
        let images = folder.write("list", &list);
        let file = folder.path(&format!("out.{extension}"));
        let lines = || fs::read(&file).map_or(0, |text| text.iter().filter(|byte| **byte == b'\n').count());
        let mut killed = 0;
        while killed < 20 {
            let mut run = skinclf();
            run.args(["classify", "-q", "-f", extension, "--resume", "-o", &file, "--files-from", &images]);
            let mut child = run.stdout(Stdio::null()).spawn().expect("the binary starts");
            let enough = lines() + random.usize(0..4);
            while lines() < enough && child.try_wait().expect("a child").is_none() {
                std::thread::yield_now();
            }
            child.kill().expect("it can be killed, or has ended");
            let ended = child.wait().expect("it ends");
            if ended.signal() == Some(9) {
                killed += 1;
            } else {
                // It came to the end first.
                assert_eq!((ended.code(), rows(&file)), (Some(1), wanted.clone()), "{extension}");
                fs::remove_file(&file).expect("a file");
            }
        }
        let ran = resume(&file, &["--files-from", &images]);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""), "{}", ran.stderr);
        assert_eq!(rows(&file), wanted, "{extension}");
    }
}

/// Torn at each byte: see `a_file_torn_at_any_byte_is_cut_after_its_last_whole_row` beside the code.
#[test]
fn a_torn_last_row_is_written_again() {
    let folder = Folder::new();
    let odd = folder.write("a \"b\"\n,ä.jpg", fs::read(LESION).expect("a sample"));
    for extension in ["jsonl", "csv"] {
        let images = [odd.as_str(), "samples/none.jpg", odd.as_str()];
        let file = folder.path(&format!("out.{extension}"));
        assert_eq!(resume(&file, &images).code, Some(1));
        let (wanted, text) = (rows(&file), fs::read(&file).expect("a file"));
        let ends = (0..text.len()).filter(|at| text[*at] == b'\n');
        let torn: Vec<usize> = ends.flat_map(|end| [end.saturating_sub(3), end, end + 1]).collect();
        for torn in [0, 1, 12].into_iter().chain(torn) {
            fs::write(&file, &text[..torn]).expect("a file");
            let ran = resume(&file, &images);
            assert_eq!(ran.code, Some(1), "torn at {torn}: {}", ran.stderr);
            assert_eq!(rows(&file), wanted, "torn at {torn}");
        }
    }
}

#[test]
fn what_is_done_is_not_read_again() {
    let folder = Folder::new();
    let image = folder.write("a.jpg", fs::read(LESION).expect("a sample"));
    let other = folder.write("b.jpg", fs::read("samples/lesion-2.jpg").expect("a sample"));
    for extension in ["jsonl", "csv"] {
        let file = folder.path(&format!("out.{extension}"));
        assert_eq!(resume(&file, &[&image, &other]).code, Some(0), "a file that is not there is begun");
        let first = read(&file);
        // The first image shows that the options are the same; this one would now be an error.
        fs::write(&other, "no image any more").expect("a file");
        let again = resume(&file, &[&image, &other]);
        assert_eq!((again.code, read(&file) == first), (Some(0), true), "{}", again.stderr);
        // An image is known by its path as it is written.
        let relative = "samples/../samples/lesion-1.jpg";
        let third = resume(&file, &[&image, &other, LESION, relative, LESION]);
        assert_eq!(third.code, Some(0), "{}", third.stderr);
        assert!(read(&file).starts_with(&first));
        assert_eq!(rows(&file).len(), rows(&folder.write(&format!("first.{extension}"), &first)).len() + 3);
        fs::copy("samples/lesion-2.jpg", &other).expect("a copy");
    }
}

#[test]
fn paths_that_are_not_text_are_known_by_what_their_rows_show() {
    let folder = Folder::new();
    let images: Vec<_> =
        [b"\xFE.jpg", b"\xFF.jpg"].map(|name| folder.0.path().join(std::ffi::OsStr::from_bytes(name))).into();
    for image in &images {
        fs::copy(LESION, image).expect("a picture");
    }
    let file = folder.path("out.jsonl");
    for named in [&images[..1], &images, &images] {
        let fixed = ["classify", "-f", "jsonl", "--resume", "-o", &file].map(std::ffi::OsString::from);
        let ran = run(fixed.iter().map(AsRef::as_ref).chain(named.iter().map(|path| path.as_os_str())));
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        assert_eq!(rows(&file).len(), named.len());
    }
}

#[test]
fn failed_images_are_classified_again_when_asked() {
    let folder = Folder::new();
    let later = folder.path("later.jpg");
    for extension in ["jsonl", "csv"] {
        let file = folder.path(&format!("out.{extension}"));
        let images = [LESION, later.as_str(), "samples/gray.jpg", "samples/none.jpg"];
        assert_eq!(resume(&file, &images).code, Some(1));
        let first = rows(&file);
        fs::copy("samples/lesion-2.jpg", &later).expect("a picture");
        assert_eq!(resume(&file, &images).code, Some(1), "errors of the earlier run count");
        assert_eq!(rows(&file), first);
        let again = resume(&file, &["--retry-failed", images[0], images[1], images[2], images[3]]);
        assert_eq!(again.code, Some(1), "{}", again.stderr);
        let ordered = [LESION, "samples/gray.jpg", later.as_str(), "samples/none.jpg"];
        let wanted = folder.path(&format!("wanted.{extension}"));
        assert_eq!(resume(&wanted, &ordered).code, Some(1));
        assert_eq!(rows(&file), rows(&wanted), "the classified ones first, then what was tried again");
        let only = resume(&file, &["--retry-failed", LESION]);
        assert_eq!(only.code, Some(0), "no error is left: {}", only.stderr);
        fs::remove_file(&later).expect("a file");
        assert_eq!(
            fs::read_dir(folder.0.path()).expect("a folder").count() % 2,
            0,
            "no temporary file is left"
        );
    }
}

#[test]
fn the_file_of_another_model_or_other_options_is_refused_as_it_is() {
    let folder = Folder::new();
    let (_model, other) = embedded_but(|_| ());
    let other = other.to_str().expect("UTF-8");
    let maps = folder.path("maps");
    let blank = folder.path("blank.png");
    image::RgbImage::new(300, 300).save(&blank).expect("a picture");
    for (extension, first, then, word) in [
        ("jsonl", &[LESION][..], &["-k", "2", LESION][..], "without --top-k"),
        ("jsonl", &[LESION], &["--coverage", "0.9", LESION], "without --coverage"),
        ("jsonl", &["--coverage", "0.9", LESION], &[LESION], "with --coverage 0.9"),
        ("csv", &[LESION], &["--coverage", "0.9", LESION], "without --coverage"),
        ("csv", &["--coverage", "0.9", LESION], &[LESION], "with --coverage"),
        ("csv", &["--coverage", "0.9", LESION], &["--coverage", "0.8", LESION], "with --coverage 0.9"),
        ("jsonl", &["-k", "2", LESION], &["-k", "3", LESION], "with --top-k 2"),
        ("jsonl", &["-k", "2", LESION], &[LESION], "with --top-k 2"),
        ("jsonl", &[LESION], &["--tta", LESION], "such as --tta"),
        ("csv", &["--tta", LESION], &[LESION], "such as --tta"),
        ("jsonl", &[&blank], &["--strict", &blank], "without --strict"),
        ("csv", &[&blank], &["--strict", &blank], "without --strict"),
        ("csv", &["--strict", &blank], &[&blank], "with --strict"),
        ("jsonl", &[LESION], &["--heatmap", &maps, LESION], "without --heatmap"),
        ("jsonl", &["--heatmap", &maps, LESION], &[LESION], "with --heatmap"),
        // The same weights and another decision.
        ("jsonl", &[LESION], &["--model", other, LESION], "is classified differently now"),
        ("csv", &[LESION], &["--model", other, LESION], "is classified differently now"),
        (
            "jsonl",
            &[LESION],
            &["--model", "tests/binary/models/channel-means.onnx", LESION],
            "another model (sha256 ",
        ),
        (
            "csv",
            &[LESION],
            &["--model", "tests/binary/models/channel-means.onnx", LESION],
            "line 1 is not from",
        ),
    ] {
        let file = folder.path(&format!("out.{extension}"));
        let began = resume(&file, first);
        let before = read(&file);
        // What is torn stays, too: nothing is done to a file that is refused.
        fs::write(&file, format!("{before}{{\"path\":")).expect("a file");
        let refused = resume(&file, then);
        assert_eq!(refused.code, Some(4), "{then:?} after {first:?}: {} {}", began.stderr, refused.stderr);
        assert!(refused.stderr.contains(word), "{word}: {}", refused.stderr);
        assert!(refused.stderr.starts_with(&format!("error: --output {file}: ")), "{}", refused.stderr);
        assert_eq!(refused.stderr.lines().count(), 1, "{}", refused.stderr);
        assert_eq!(read(&file), format!("{before}{{\"path\":"));
        fs::remove_file(&file).expect("a file");
    }
}

#[test]
fn an_image_that_is_gone_is_no_reason_to_refuse() {
    let folder = Folder::new();
    let image = folder.write("a.jpg", fs::read(LESION).expect("a sample"));
    let file = folder.path("out.csv");
    assert_eq!(resume(&file, &[&image]).code, Some(0));
    fs::remove_file(&image).expect("a file");
    let ran = resume(&file, &[&image, LESION]);
    assert_eq!((ran.code, rows(&file).len()), (Some(0), 3));
    assert!(
        ran.stderr.starts_with("warning: the options of the earlier run are not checked"),
        "{}",
        ran.stderr
    );
    assert_eq!(resume(&file, &["-q", &image, LESION]).stderr, "");
}

#[test]
fn a_file_that_is_not_of_a_run_is_refused_as_it_is() {
    let folder = Folder::new();
    for (name, text, line) in [
        ("notes.jsonl", "a note", 1),
        ("notes.csv", "a note\n", 1),
        ("array.jsonl", "[\n", 1),
        ("damaged.jsonl", "{\"path\":\"a\",\"error\":{\"code\":\"c\",\"message\":\"m\"}}\n\0\0\n", 2),
    ] {
        let file = folder.write(name, text);
        let ran = resume(&file, &[LESION]);
        assert_eq!((ran.code, read(&file).as_str()), (Some(4), text), "{}", ran.stderr);
        assert!(ran.stderr.contains(&format!("line {line} is not from --format")), "{}", ran.stderr);
    }
    for (file, reason) in [(folder.path(""), "directory"), ("/dev/null".to_owned(), "not a regular file")] {
        let ran = run(["classify", "-f", "jsonl", "--resume", "-o", &file, LESION]);
        assert_eq!(ran.code, Some(4), "{}", ran.stderr);
        assert!(ran.stderr.contains("cannot be resumed") && ran.stderr.contains(reason), "{}", ran.stderr);
    }
}

#[test]
fn two_runs_do_not_write_the_same_file() {
    let folder = Folder::new();
    let file = folder.path("out.jsonl");
    let mut first = skinclf();
    first.args(["classify", "-f", "jsonl", "--resume", "-o", &file, "--files-from", "-"]);
    let mut first = first.stdin(Stdio::piped()).spawn().expect("the binary starts");
    let mut images = first.stdin.take().expect("a pipe");
    writeln!(images, "{LESION}").expect("it reads");
    while !Path::new(&file).exists() || read(&file).lines().count() < 1 {
        std::thread::yield_now();
    }
    let second = resume(&file, &["samples/gray.jpg"]);
    assert_eq!(second.code, Some(4), "{}", second.stderr);
    assert!(second.stderr.contains("another run is writing to this file"), "{}", second.stderr);
    drop(images);
    assert!(first.wait().expect("it ends").success());
    assert_eq!(resume(&file, &["samples/gray.jpg"]).code, Some(0), "the lock ends with the run");
    assert_eq!(paths(&file), [LESION, "samples/gray.jpg"]);
}

#[test]
fn heatmaps_of_the_earlier_run_stay_and_keep_their_names() {
    let folder = Folder::new();
    let maps = folder.path("maps");
    let images: Vec<_> = ["a", "b", "c"]
        .map(|name| {
            fs::create_dir(folder.path(name)).expect("a folder");
            folder.write(&format!("{name}/x.jpg"), fs::read(LESION).expect("a sample"))
        })
        .into();
    for extension in ["jsonl", "csv"] {
        let file = folder.path(&format!("out.{extension}"));
        assert_eq!(resume(&file, &["--heatmap", &maps, &images[0], &images[1]]).code, Some(0));
        let drawn = |name: &str| fs::metadata(format!("{maps}/{name}")).and_then(|m| m.modified()).ok();
        let first = [drawn("x.png"), drawn("x-2.png")];
        assert!(first.iter().all(Option::is_some) && drawn("x-3.png").is_none());
        let ran = resume(&file, &["--heatmap", &maps, &images[0], &images[1], &images[2]]);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        assert_eq!([drawn("x.png"), drawn("x-2.png")], first, "not drawn again");
        assert!(drawn("x-3.png").is_some());
        fs::remove_dir_all(&maps).expect("a folder");
    }
}

#[test]
fn a_full_disk_leaves_whole_rows_to_resume_from() {
    for extension in ["jsonl", "csv"] {
        let folder = Folder::new();
        let list = list(60);
        let wanted = whole(&folder, &list, extension);
        let images = folder.write("list", &list);
        let file = folder.path(&format!("out.{extension}"));
        let args = ["classify", "-f", extension, "--resume", "-o", &file, "--files-from", &images];
        let full = Command::new("sh")
            .args(["-c", "trap '' XFSZ; ulimit -f 4; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_skinclf")])
            .args(args)
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .expect("sh");
        assert_eq!(full.status.code(), Some(4));
        assert!(read(&file).ends_with('\n') && rows(&file).len() < wanted.len());
        assert_eq!(resume(&file, &["--files-from", &images]).code, Some(1));
        assert_eq!(rows(&file), wanted, "{extension}");
    }
}

#[test]
fn an_interrupted_run_is_resumed() {
    let folder = Folder::new();
    let file = folder.path("out.csv");
    let mut child = skinclf();
    child.args(["classify", "-f", "csv", "--resume", "-o", &file, "--files-from", "-"]);
    let mut child = child.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary starts");
    let mut images = child.stdin.take().expect("a pipe");
    writeln!(images, "{LESION}").expect("it reads");
    while !Path::new(&file).exists() || read(&file).lines().count() < 2 {
        std::thread::yield_now();
    }
    crate::support::send(&child, "INT");
    let mut said = String::new();
    child.stderr.take().expect("a pipe").read_to_string(&mut said).expect("UTF-8");
    assert_eq!((child.wait().expect("it ends").code(), rows(&file).len()), (Some(130), 2), "{said}");
    drop(images);
    assert_eq!(resume(&file, &[LESION, "samples/gray.jpg"]).code, Some(0));
    assert_eq!(rows(&file).len(), 3);
}

#[test]
fn a_run_without_images_leaves_no_file() {
    let folder = Folder::new();
    fs::create_dir(folder.path("empty")).expect("a folder");
    let file = folder.path("out.jsonl");
    let ran = resume(&file, &[&folder.path("empty")]);
    assert_eq!((ran.code, Path::new(&file).exists()), (Some(4), false), "{}", ran.stderr);
}

#[test]
fn contradictions_are_wrong_usage() {
    for (args, named) in [
        (&["classify", "--resume", LESION][..], "--output"),
        (&["classify", "--resume", "-o", "out", LESION], "--resume needs --format jsonl or csv"),
        (
            &["classify", "-f", "json", "--resume", "-o", "out", LESION],
            "--resume needs --format jsonl or csv",
        ),
        (
            &["classify", "-f", "isic", "--resume", "-o", "out", LESION],
            "--resume needs --format jsonl or csv",
        ),
        (&["classify", "-f", "csv", "--resume", "-o", "-", LESION], "--resume needs a file"),
        (&["classify", "-f", "csv", "--resume", "-o", "out", "-"], "cannot be used with - as an image"),
        (&["classify", "-f", "csv", "--resume", "-o", "out", "--truth", "t.csv", LESION], "--truth"),
        (&["classify", "-f", "csv", "--retry-failed", "-o", "out", LESION], "--resume"),
    ] {
        let ran = run(args);
        assert_eq!(ran.code, Some(2), "{args:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(named), "{args:?}: {}", ran.stderr);
    }
    assert!(!Path::new("out").exists());
}
