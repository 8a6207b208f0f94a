//! tiny_http on a private Unix socket: it sees only complete, canonical requests from the public server.

use std::fs::Permissions;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, anyhow, bail};
use skinclf::panics;
use tempfile::TempDir;
use tiny_http::{Header, Response};
use tokio::sync::Notify;

use super::error::{ApiError, ErrorCode};
use super::message::{ApiRequest, ApiResponse, MEMORY, WORKED};
use crate::process::terminal::{note, printable};

/// Tried after TMPDIR: in memory, and there in a container whose file system is read-only or has no /tmp.
const SHARED_MEMORY: &str = "/dev/shm";

/// Running threads that answer requests; dropping this removes the socket's folder, not the threads.
pub(super) struct Workers {
    socket: PathBuf,
    _folder: TempDir,
    ended: Arc<Notify>,
}

impl Workers {
    /// Starts `count` threads that answer what comes over a socket in a folder of its own.
    pub(super) fn start(
        name: &str,
        count: usize,
        answer: impl Fn(&ApiRequest) -> ApiResponse + Clone + Send + 'static,
    ) -> anyhow::Result<Self> {
        let (server, folder) = listen(name, &[std::env::temp_dir(), SHARED_MEMORY.into()])?;
        let (server, socket) = (Arc::new(server), folder.path().join(name));
        let ended = Arc::new(Notify::new());
        for n in 0..count {
            let (server, answer, end) = (server.clone(), answer.clone(), NotifyOnDrop(ended.clone()));
            let work = move || {
                let _end = end;
                work(&server, &answer);
            };
            let thread = std::thread::Builder::new().name(format!("{name}-{n}"));
            thread.spawn(work).context("cannot start a worker thread")?;
        }
        Ok(Self { socket, _folder: folder, ended })
    }

    pub(super) fn socket(&self) -> &Path {
        &self.socket
    }

    /// Notified when a thread has ended, which none does while all is well.
    pub(super) fn ended(&self) -> Arc<Notify> {
        self.ended.clone()
    }
}

/// Listens on a socket that no other user can connect to, in the first of the parents in which one can be made.
fn listen(name: &str, parents: &[PathBuf]) -> anyhow::Result<(tiny_http::Server, TempDir)> {
    let mut folder = tempfile::Builder::new();
    folder.prefix("skinclf-").permissions(Permissions::from_mode(0o700));
    let mut problems = Vec::new();
    for parent in parents {
        let listening = folder.tempdir_in(parent).map_err(anyhow::Error::from).and_then(|folder| {
            let server = tiny_http::Server::http_unix(&folder.path().join(name));
            let server =
                server.map_err(|e| anyhow!("cannot listen on a socket in {}: {e}", parent.display()))?;
            Ok((server, folder))
        });
        match listening {
            Ok(listening) => return Ok(listening),
            Err(problem) => problems.push(problem.to_string()),
        }
    }
    bail!("cannot create a private socket ({}); set TMPDIR to a writable directory", problems.join("; "))
}

/// However the thread ends.
struct NotifyOnDrop(Arc<Notify>);

impl Drop for NotifyOnDrop {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

fn work(server: &tiny_http::Server, answer: &impl Fn(&ApiRequest) -> ApiResponse) {
    while let Ok(mut request) = server.recv() {
        // A panic is a bug, and costs the request that met it, not the worker.
        let begun = Instant::now();
        let answered = panics::catch(|| {
            let answer = match receive(&mut request) {
                Ok(received) => answer(&received),
                Err(e) => {
                    ApiError::new(ErrorCode::Internal, format!("cannot pass the request to a worker: {e}"))
                        .into()
                }
            };
            response(answer.with_header(WORKED, begun.elapsed().as_micros().to_string()))
        });
        let answered = answered.unwrap_or_else(|panic| {
            note(format_args!(
                "error: a bug ended a request with status 500: {}",
                printable(&panic.to_string())
            ));
            response(ApiError::internal().into())
        });
        // Fails if the public server has gone, and then the process is ending.
        let _ = request.respond(answered);
    }
}

fn receive(request: &mut tiny_http::Request) -> io::Result<ApiRequest> {
    let header =
        |name: &'static str| request.headers().iter().find(|h| h.field.equiv(name)).map(|h| h.value.as_str());
    let content_type = header("Content-Type").unwrap_or_default().to_owned();
    let memory = header(MEMORY).and_then(|bytes| bytes.parse().ok()).unwrap_or_default();
    let method = request.method().to_string();
    let target = request.url().to_owned();
    let mut body = vec![0; request.body_length().unwrap_or_default()];
    request.as_reader().read_exact(&mut body)?;
    Ok(ApiRequest { method, target, content_type, body: body.into(), memory })
}

fn response(answer: ApiResponse) -> Response<io::Cursor<Vec<u8>>> {
    let header = |(name, value): (&str, String)| {
        Header::from_bytes(name, value).expect("names and values of ours are plain ASCII")
    };
    let content_type = header(("Content-Type", answer.content_type.to_owned()));
    let response = Response::from_data(answer.body).with_status_code(answer.status.as_u16());
    // Always with its length, never chunked.
    let response = response.with_header(content_type).with_chunked_threshold(usize::MAX);
    answer.headers.into_iter().map(header).fold(response, Response::with_header)
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader, Read as _, Write as _};
    use std::os::unix::net::UnixStream;

    use super::*;

    fn get(stream: &mut BufReader<UnixStream>, path: &str) -> (String, String) {
        write!(stream.get_mut(), "GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("the worker reads");
        let mut line = || {
            let mut line = String::new();
            stream.read_line(&mut line).expect("the worker answers");
            line.trim_end().to_owned()
        };
        let status = line();
        let head: Vec<String> = std::iter::from_fn(|| Some(line()).filter(|l| !l.is_empty())).collect();
        let length = head.iter().find_map(|l| l.strip_prefix("Content-Length: ")).expect("a length");
        let mut body = vec![0; length.parse().expect("a number")];
        stream.read_exact(&mut body).expect("a whole body");
        (status, String::from_utf8(body).expect("UTF-8"))
    }

    #[test]
    fn the_socket_is_private_and_in_the_first_folder_that_can_have_one() {
        let parent = tempfile::tempdir().expect("a folder");
        // Longer than the path of a socket may be.
        let long = parent.path().join("x".repeat(150));
        std::fs::create_dir(&long).expect("a folder");
        let missing = parent.path().join("missing");
        let (_server, folder) =
            listen("test", &[missing.clone(), long.clone(), parent.path().to_owned()]).expect("a socket");
        assert_eq!(folder.path().parent(), Some(parent.path()));
        let mode = folder.path().metadata().expect("a folder").permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        let error = listen("test", &[missing, long]).err().expect("no folder").to_string();
        for part in ["missing/skinclf-", "cannot listen on a socket in", "set TMPDIR"] {
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn a_panic_in_a_handler_is_a_500_and_the_worker_lives() {
        let echo = |request: &ApiRequest| {
            assert_ne!(request.target, "/bug", "this panic is part of the test");
            ApiResponse::ok("text/plain", request.target.clone().into_bytes())
        };
        let workers = Workers::start("test", 1, echo).expect("a worker");
        let mut stream = BufReader::new(UnixStream::connect(workers.socket()).expect("a private connection"));
        for round in ["/first", "/second"] {
            let (status, body) = get(&mut stream, "/bug");
            assert!(status.contains(" 500 ") && body.contains("\"code\":\"internal\""), "{status}: {body}");
            // The only worker there is.
            assert_eq!(get(&mut stream, round), ("HTTP/1.1 200 OK".to_owned(), round.to_owned()));
        }
    }
}
