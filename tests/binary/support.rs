//! Running the binary, and a server that ends with the test.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, ExitStatus, Output, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_skinclf");

pub(crate) fn skinclf() -> Command {
    // A run of the tests in the background, or under nohup(1), ignores signals, and so would the program.
    let mut command = if ignores_signals() {
        let mut env = Command::new("env");
        env.args(["--default-signal=HUP,INT", BINARY]);
        env
    } else {
        Command::new(BINARY)
    };
    command.current_dir(env!("CARGO_MANIFEST_DIR"));
    // The caller's own settings must not reach the tests.
    for (variable, _) in std::env::vars_os() {
        let name = variable.to_string_lossy();
        // But which kernels to test is for the caller to say.
        if name == "NO_COLOR" || name.starts_with("SKINCLF_") && name != "SKINCLF_ISA" {
            command.env_remove(&variable);
        }
    }
    command
}

/// Whether SIGHUP (1) or SIGINT (2) is ignored in this process. Elsewhere than on Linux it is not known.
fn ignores_signals() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.map(|mask| u64::from_str_radix(mask.trim(), 16).expect("hexadecimal"));
    mask.is_some_and(|mask| mask & 0b11 != 0)
}

/// What a finished run printed, and its exit status.
pub(crate) struct Ran {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) code: Option<i32>,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            stdout: String::from_utf8(output.stdout).expect("UTF-8 on stdout"),
            stderr: String::from_utf8(output.stderr).expect("UTF-8 on stderr"),
            code: output.status.code(),
        }
    }
}

pub(crate) fn run<S: AsRef<std::ffi::OsStr>>(args: impl IntoIterator<Item = S>) -> Ran {
    run_with_input(args, b"")
}

pub(crate) fn run_with_input<S: AsRef<std::ffi::OsStr>>(
    args: impl IntoIterator<Item = S>,
    input: &[u8],
) -> Ran {
    let mut child = start(args);
    child.stdin.take().expect("a pipe").write_all(input).expect("the program reads its input");
    child.wait_with_output().expect("the program ends").into()
}

/// A run whose three standard streams are pipes.
pub(crate) fn start<S: AsRef<std::ffi::OsStr>>(args: impl IntoIterator<Item = S>) -> Child {
    let mut command = skinclf();
    command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("the binary starts")
}

/// The images of one `--format json` run.
pub(crate) fn classify_json(args: &[&str]) -> Vec<Value> {
    let ran = run(["classify", "--format", "json"].iter().chain(args));
    serde_json::from_str(&ran.stdout)
        .unwrap_or_else(|e| panic!("{e} in {:?}; stderr: {}", ran.stdout, ran.stderr))
}

/// A result without what differs from run to run.
pub(crate) fn timeless(mut result: Value) -> Value {
    let map = result.as_object_mut().expect("a result is an object");
    map.remove("timings_ms");
    map.remove("inference_time");
    result
}

/// Every sample that is a whole image.
pub(crate) fn samples() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples");
    let entries = std::fs::read_dir(folder).expect("samples/").map(|e| e.expect("an entry").path());
    let mut images: Vec<_> =
        entries.filter(|p| p.extension().is_some_and(|e| e == "jpg" || e == "png" || e == "webp")).collect();
    images.sort();
    images
}

/// The embedded model in a folder, its spec without prior, decision and limits, and changed.
pub(crate) fn embedded_but(change: impl FnOnce(&mut Value)) -> (TempDir, PathBuf) {
    let spec = std::fs::read("models/mobilenetv2.json").expect("the spec");
    let mut spec: Value = serde_json::from_slice(&spec).expect("JSON");
    spec["outputs"] = json!({ "logits": "logits", "class_maps": "maps" });
    spec["decision"] = json!("argmax");
    for optional in ["prior", "malignancy_threshold", "malignancy_sensitivity", "conformal", "usable"] {
        spec.as_object_mut().expect("an object").remove(optional);
    }
    beside("models/mobilenetv2.onnx", spec, change)
}

/// A model of `tests/binary/models` for inputs of 32x32 and the classes red, green and blue, in a folder
/// with a spec that is changed.
pub(crate) fn model_of(name: &str, change: impl FnOnce(&mut Value)) -> (TempDir, PathBuf) {
    let label = |code: &str| json!({ "code": code, "name": code, "group": "benign" });
    let labels = ["red", "green", "blue"].map(label);
    let spec = json!({
        "name": "channels",
        "version": "1",
        "input": { "shape": [1, 3, 32, 32], "mean": [127.5, 127.5, 127.5], "std": [12.75, 12.75, 12.75] },
        "labels": labels,
    });
    beside(&format!("tests/binary/models/{name}"), spec, change)
}

fn beside(model: &str, mut spec: Value, change: impl FnOnce(&mut Value)) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let onnx = folder.path().join("net.onnx");
    std::fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join(model), &onnx).expect("the model");
    change(&mut spec);
    std::fs::write(folder.path().join("net.json"), spec.to_string()).expect("the spec is written");
    (folder, onnx)
}

/// A running `skinclf serve` on a free port; killed when dropped.
pub(crate) struct Server {
    child: Child,
    stderr: BufReader<ChildStderr>,
    pub(crate) url: String,
    /// The line on stderr before the one that it listens.
    pub(crate) started: String,
}

impl Server {
    pub(crate) fn start(args: &[&str]) -> Self {
        Self::start_as(skinclf().args(["serve", "--port", "0"]).args(args))
    }

    /// A command that becomes a server.
    pub(crate) fn start_as(command: &mut Command) -> Self {
        let mut child = command.stderr(Stdio::piped()).spawn().expect("the binary starts");
        let mut stderr = BufReader::new(child.stderr.take().expect("a pipe"));
        let mut line = || {
            let mut line = String::new();
            stderr.read_line(&mut line).expect("a line on stderr");
            line.trim_end().to_owned()
        };
        let (started, listening) = (line(), line());
        let url = listening.strip_prefix("listening on ");
        let url = url.unwrap_or_else(|| panic!("unexpected {started:?} and {listening:?}")).to_owned();
        Self { url, started, child, stderr }
    }

    /// Its process, for signals and /proc.
    pub(crate) fn process(&self) -> &Child {
        &self.child
    }

    pub(crate) fn port(&self) -> &str {
        self.url.rsplit(':').next().expect("a port")
    }

    pub(crate) fn get(&self, path: &str) -> Reply {
        self.get_with(path, &[])
    }

    pub(crate) fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Reply {
        let request = agent().get(format!("{}{path}", self.url));
        reply(headers.iter().fold(request, |r, (name, value)| r.header(*name, *value)).call())
    }

    pub(crate) fn post(&self, path: &str, content_type: &str, body: &[u8]) -> Reply {
        reply(agent().post(format!("{}{path}", self.url)).header("Content-Type", content_type).send(body))
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let address = self.url.strip_prefix("http://").expect("an http URL");
        TcpStream::connect(address).expect("a connection")
    }

    /// What comes back for these bytes until the server closes: nothing, or whole answers.
    pub(crate) fn raw(&self, request: &[u8]) -> String {
        let mut stream = self.connect();
        stream.write_all(request).expect("the server reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("UTF-8, and an end");
        answer
    }

    /// Waits until the server has ended by itself.
    pub(crate) fn wait(mut self) -> ExitStatus {
        self.child.wait().expect("the server ends")
    }

    /// Asks the server to stop, and waits for it: its exit status, and what it wrote on stderr
    /// after the line that it listens.
    pub(crate) fn terminate(mut self) -> (Option<i32>, String) {
        send(&self.child, "TERM");
        let mut log = String::new();
        self.stderr.read_to_string(&mut log).expect("UTF-8");
        (self.child.wait().expect("the server ends").code(), log)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Fails only if it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends a signal, for example `TERM`.
pub(crate) fn send(child: &Child, signal: &str) {
    let [signal, pid] = [format!("-{signal}"), child.id().to_string()];
    assert!(Command::new("kill").args([signal, pid]).status().expect("kill(1)").success());
}

/// An HTTP answer.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: ureq::http::HeaderMap,
    pub(crate) text: String,
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|e| panic!("{e} in {:?}", self.text))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().expect("ASCII"))
    }
}

fn agent() -> ureq::Agent {
    ureq::Agent::config_builder().http_status_as_error(false).build().new_agent()
}

fn reply(answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Reply {
    let mut answer = answer.expect("an answer");
    let mut text = String::new();
    answer.body_mut().as_reader().read_to_string(&mut text).expect("a whole body");
    Reply { status: answer.status().as_u16(), headers: answer.headers().clone(), text }
}

/// Status and body of the next answer, from a connection that may stay open; `None` at its end.
pub(crate) fn read_answer(stream: &mut TcpStream) -> Option<(u16, String)> {
    // Byte by byte, so that nothing of a further answer is taken.
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).expect("a byte of the head") > 0 {
        head.extend(byte);
    }
    let head = String::from_utf8(head).expect("UTF-8").to_lowercase();
    let status = head.strip_prefix("http/1.1 ")?.get(..3)?.parse().expect("a status");
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.expect("a length")];
    stream.read_exact(&mut body).expect("a whole body");
    Some((status, String::from_utf8(body).expect("UTF-8")))
}

/// A form as browsers and curl send it: (field, file name, content) each.
pub(crate) fn form(parts: &[(&str, &str, &[u8])]) -> (String, Vec<u8>) {
    let boundary = "----a-boundary-that-no-image-holds";
    let mut body = Vec::new();
    for (field, filename, content) in parts {
        let head = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"{field}\"; filename=\"{filename}\"\r\nContent-Type: image/jpeg\r\n\r\n"
        );
        body.extend([head.as_bytes(), content, b"\r\n"].concat());
    }
    body.extend(format!("--{boundary}--\r\n").bytes());
    (format!("multipart/form-data; boundary={boundary}"), body)
}
