//! What `skinclf classify` reads: within bounds, and nothing that never ends.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::{Ran, Server, run, run_with_input, skinclf};

const LESION: &str = "samples/lesion-1.jpg";

/// Path and error code of each row, `-` where there is a prediction.
fn codes(ran: &Ran) -> Vec<(String, String)> {
    let row = |line: &str| {
        let row: Value = serde_json::from_str(line).expect("JSON");
        let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
        (text(&row["path"]), text(&row["error"]["code"]))
    };
    ran.stdout.lines().map(row).collect()
}

pub(crate) fn mkfifo(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().expect("mkfifo(1)").success());
}

fn folder() -> (TempDir, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().to_str().expect("UTF-8").to_owned();
    (folder, path)
}

#[test]
fn a_file_larger_than_max_file_is_an_error_and_the_rest_is_classified() {
    let length = std::fs::metadata(LESION).expect("a sample").len();
    let read = |limit: u64| {
        run(["classify", "-f", "jsonl", "--max-file", &limit.to_string(), LESION, "samples/none.jpg"])
    };
    let names = [LESION, "samples/none.jpg"].map(str::to_owned);
    for (limit, code) in [(length, "-"), (length - 1, "file_too_large")] {
        let wanted: Vec<_> = names.iter().cloned().zip([code, "read_failed"].map(str::to_owned)).collect();
        assert_eq!(codes(&read(limit)), wanted, "{limit} of {length}");
    }
    let table = run(["classify", "--max-file", "1KiB", LESION]);
    assert_eq!(table.code, Some(1));
    assert!(table.stdout.contains("larger than 1.0 KiB; raise --max-file to read it"), "{}", table.stdout);
    let none = run(["classify", "--max-file", "0", LESION]);
    assert!(none.code == Some(2) && none.stderr.contains("--max-file"), "{}", none.stderr);
}

#[test]
fn standard_input_without_end_is_an_error() {
    let zeros = File::open("/dev/zero").expect("a device");
    let ended = skinclf()
        .args(["classify", "-f", "jsonl", "--max-file", "1MiB", "-", LESION])
        .stdin(Stdio::from(zeros))
        .output()
        .expect("the binary starts");
    let ran = Ran::from(ended);
    let wanted =
        [("-", "file_too_large"), (LESION, "-")].map(|(path, code)| (path.to_owned(), code.to_owned()));
    assert_eq!((ran.code, codes(&ran)), (Some(1), wanted.to_vec()));
}

#[test]
fn the_image_of_a_benchmark_is_limited_too() {
    let sparse = tempfile::NamedTempFile::new().expect("a file");
    sparse.as_file().set_len(257 << 20).expect("a hole takes no room");
    let ran = run(["bench".as_ref(), "--image".as_ref(), sparse.path().as_os_str()]);
    assert!(ran.stderr.contains("larger than 256.0 MiB"), "{}", ran.stderr);
}

#[test]
fn a_list_that_is_none_is_not_read_into_memory() {
    let list = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(&list, format!("{LESION}\n{}", "a".repeat(200_000))).expect("a list");
    let name = list.path().to_str().expect("UTF-8");
    let ran = run(["classify", "-f", "jsonl", "--files-from", name]);
    let wanted =
        [(LESION, "-"), (name, "read_failed")].map(|(path, code)| (path.to_owned(), code.to_owned()));
    assert_eq!((ran.code, codes(&ran)), (Some(1), wanted.to_vec()));
    assert!(ran.stdout.contains("longer than 65536 bytes"), "{}", ran.stdout);
}

#[test]
fn folders_are_searched_for_regular_files_only() {
    let (folder, path) = folder();
    let at = |name: &str| folder.path().join(name);
    std::fs::copy(LESION, at("b.jpg")).expect("a copy");
    std::fs::copy(LESION, at(".hidden.JPG")).expect("a copy");
    std::fs::copy(LESION, at("no-extension")).expect("a copy");
    mkfifo(&at("a.jpg"));
    symlink(at("a.jpg"), at("c.jpg")).expect("a link");
    symlink(at("no-extension"), at("d.png")).expect("a link");
    symlink("/dev/null", at("e.png")).expect("a link");
    let _socket = UnixListener::bind(at("f.jpg")).expect("a socket");
    let ran = run(["classify", "-f", "jsonl", &path]);
    let found = [".hidden.JPG", "b.jpg", "d.png"].map(|name| (format!("{path}/{name}"), "-".to_owned()));
    assert_eq!((ran.code, codes(&ran)), (Some(0), found.to_vec()));
}

#[test]
fn a_pipe_or_device_that_is_named_is_an_error_and_not_waited_for() {
    let (folder, path) = folder();
    let fifo = format!("{path}/a.jpg");
    mkfifo(&folder.path().join("a.jpg"));
    let list = format!("{fifo}\n/dev/null\n{LESION}\n");
    let ran = run_with_input(["classify", "-f", "jsonl", &fifo, "--files-from", "-"], list.as_bytes());
    let wanted =
        [(&*fifo, "read_failed"), (&fifo, "read_failed"), ("/dev/null", "read_failed"), (LESION, "-")];
    assert_eq!(codes(&ran), wanted.map(|(path, code)| (path.to_owned(), code.to_owned())).to_vec());
    assert!(ran.stdout.contains("a pipe, socket or device; pipe it to standard input"), "{}", ran.stdout);
}

#[test]
fn labels_and_a_model_without_end_are_an_error() {
    for (flag, said) in [("--truth", "larger than 64.0 MiB"), ("--model", "name a regular file")] {
        let ran = run(["classify", flag, "/dev/zero", LESION]);
        assert_eq!((ran.code, ran.stderr.lines().count()), (Some(4), 1), "{}", ran.stderr);
        assert!(ran.stderr.contains("/dev/zero: ") && ran.stderr.contains(said), "{}", ran.stderr);
    }
    let sparse = tempfile::NamedTempFile::new().expect("a file");
    sparse.as_file().set_len((2 << 30) + 1).expect("a hole takes no room");
    let model = sparse.path().to_str().expect("UTF-8");
    let ran = run(["classify", "--model", model, LESION]);
    assert!(ran.code == Some(4) && ran.stderr.contains("larger than 2 GiB"), "{}", ran.stderr);
}

#[test]
fn standard_input_may_be_called_as_the_system_does() {
    let bytes = std::fs::read(LESION).expect("a sample");
    let by_name = |name: &str| {
        let ran = run_with_input(["classify", "-f", "csv", name], &bytes);
        assert_eq!(ran.code, Some(0), "{}", ran.stdout);
        ran.stdout
    };
    for name in ["/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"] {
        assert_eq!(by_name(name).replace(name, "-"), by_name("-"));
    }
    let twice = run_with_input(["classify", "-", "--files-from", "/dev/stdin"], b"");
    assert!(twice.code == Some(2) && twice.stderr.contains("only once"), "{}", twice.stderr);
}

/// A TIFF of 16-bit RGBA in one strip, all of one value, in PackBits.
fn one_strip(width: u32, height: u32) -> Vec<u8> {
    let mut file = b"II*\0\x08\0\0\0".to_vec();
    // A run of 128 bytes takes two.
    let strip = [0x81, 0x70].repeat((width as usize * height as usize * 8).div_ceil(128));
    let strip_at = 8 + 2 + 10 * 12 + 4;
    let fields = [
        (256, width),
        (257, height),
        (258, 16),
        (259, 32773),
        (262, 2),
        (273, strip_at),
        (277, 4),
        (278, height),
        (279, strip.len() as u32),
        (338, 2),
    ];
    file.extend((fields.len() as u16).to_le_bytes());
    for (tag, value) in fields {
        let kind = if value > 0xFFFF { 4 } else { 3_u16 };
        file.extend([tag, kind].map(u16::to_le_bytes).concat());
        file.extend([1, value].map(u32::to_le_bytes).concat());
    }
    file.extend([0; 4]);
    file.extend(strip);
    file
}

/// A PNG of 16-bit RGBA, all of one value.
fn deep_png(width: u32, height: u32) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, width, height);
    encoder.set_color(png::ColorType::Rgba);
    encoder.set_depth(png::BitDepth::Sixteen);
    encoder.set_compression(png::Compression::Fastest);
    let mut writer = encoder.write_header().expect("a header");
    let mut stream = writer.stream_writer().expect("a stream");
    let row = vec![0x70; width as usize * 8];
    for _ in 0..height {
        stream.write_all(&row).expect("memory does not fail");
    }
    stream.finish().expect("complete");
    drop(writer);
    file
}

/// The result for a file, and the MiB of memory that the process had at its peak.
fn peak_memory(file: &[u8]) -> (Value, u64) {
    let image = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(&image, file).expect("a picture");
    let mut child = skinclf()
        .args(["classify", "-f", "jsonl", "-j", "1", "--files-from", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let mut paths = child.stdin.take().expect("a pipe");
    writeln!(paths, "{}", image.path().display()).expect("it reads");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut line).expect("a line");
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).expect("it runs still");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a field of every process");
    let kib: u64 = peak.trim().trim_end_matches(" kB").parse().expect("a number");
    drop(paths);
    child.wait().expect("it ends");
    (serde_json::from_str(&line).expect("JSON"), kib / 1024)
}

/// The limit of one picture is 400 MiB, of which these have the most or would have had too much; the model and the
/// program take about 50.
#[test]
fn wide_pictures_are_decoded_or_refused_in_bounded_memory() {
    for (file, code) in [
        (deep_png(8_000, 8_000), Some("image_too_large")),
        (deep_png(6_250, 8_000), None),
        (one_strip(4_750, 8_000), None),
    ] {
        let (result, peak) = peak_memory(&file);
        assert_eq!(result["error"]["code"].as_str(), code, "{result}");
        assert!(peak < 480, "{peak} MiB");
    }
}

/// Its decoder panics on tiles in planes, and is not asked to.
#[test]
fn a_picture_of_an_odd_kind_is_classified_without_a_word() {
    let ran = run(["classify", "-f", "jsonl", "tests/goldens/inputs/planar-tiles.tif"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
}

#[test]
fn what_a_decoder_says_in_lines_is_one_line_on_the_command_line_and_over_http() {
    let mut file = std::fs::read("tests/goldens/inputs/444.jpg").expect("a picture");
    // A segment longer than the file, of which the decoder says so and a line break.
    file[4] = 0xFF;
    let ran = run_with_input(["classify", "-f", "json", "-"], &file);
    let results: Value = serde_json::from_str(&ran.stdout).expect("JSON");
    let reply = Server::start(&[]).post("/predict", "image/jpeg", &file);
    assert_eq!((ran.code, reply.status), (Some(1), 422));
    for message in [&results[0]["error"]["message"], &reply.json()["detail"]] {
        let message = message.as_str().expect("a message");
        assert!(message.contains("Not enough bytes") && !message.contains(char::is_control), "{message:?}");
    }
}
