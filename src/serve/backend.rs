//! tiny_http on a private Unix socket: it sees only complete, canonical requests from the gate.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, anyhow};
use skinclf::panics;
use tempfile::TempDir;
use tiny_http::{Header, Response, Server};
use tokio::sync::Notify;

use super::api::{Answer, Request};
use super::refusal::Refusal;
use crate::process::terminal::note;

/// Header of each answer to the gate: microseconds that the worker spent on it.
pub(super) const WORKED: &str = "x-worked-us";

/// Header of an answer to the gate that is none yet: bytes that the request's pictures need.
pub(super) const NEEDS_MEMORY: &str = "x-needs-memory";

/// Header of a request from the gate: bytes that its pictures may take up.
pub(super) const MEMORY: &str = "x-memory";

/// A running tiny_http server; dropping this removes the socket's folder, not the server.
pub(super) struct Backend {
    pub(super) socket: PathBuf,
    pub(super) _folder: TempDir,
    /// Told when a worker has ended, which none does while all is well.
    pub(super) broken: Arc<Notify>,
}

/// Starts `workers` threads that answer what comes over a socket in a fresh folder of mode 0700.
pub(super) fn start(
    name: &str,
    workers: usize,
    answer: impl Fn(Request) -> Answer + Clone + Send + 'static,
) -> anyhow::Result<Backend> {
    let folder =
        tempfile::Builder::new().prefix("skinclf-").tempdir().context("no private folder (TMPDIR)")?;
    let socket = folder.path().join(name);
    let server = Server::http_unix(&socket);
    let server = Arc::new(server.map_err(|e| anyhow!("cannot listen on {}: {e}", socket.display()))?);
    let broken = Arc::new(Notify::new());
    for n in 0..workers {
        let (server, answer, end) = (server.clone(), answer.clone(), End(broken.clone()));
        let work = move || {
            let _end = end;
            work(&server, &answer);
        };
        let thread = std::thread::Builder::new().name(format!("{name}-{n}"));
        thread.spawn(work).context("cannot start a worker thread")?;
    }
    Ok(Backend { socket, _folder: folder, broken })
}

/// Tells that a worker has ended, by whichever way.
struct End(Arc<Notify>);

impl Drop for End {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

/// Answers requests for ever.
fn work(server: &Server, answer: &impl Fn(Request) -> Answer) {
    while let Ok(mut request) = server.recv() {
        // A panic is a bug, and costs the request that met it, not the worker.
        let begun = Instant::now();
        let answered = panics::catch(|| {
            let mut answer = match receive(&mut request) {
                Ok(received) => answer(received),
                Err(e) => internal(format!("the request was not handed over: {e}")),
            };
            answer.headers.push((WORKED, begun.elapsed().as_micros().to_string()));
            response(answer)
        });
        let answered = answered.unwrap_or_else(|panic| {
            note(format_args!("error: a request met a bug: {panic}"));
            response(internal("an unexpected error; it is in the log"))
        });
        // Fails if the gate has gone, and then the process is ending.
        let _ = request.respond(answered);
    }
}

fn internal(detail: impl Into<String>) -> Answer {
    Refusal::new(500, "internal", detail).into()
}

fn receive(request: &mut tiny_http::Request) -> io::Result<Request> {
    let header =
        |name: &'static str| request.headers().iter().find(|h| h.field.equiv(name)).map(|h| h.value.as_str());
    let content_type = header("Content-Type").unwrap_or_default().to_owned();
    let memory = header(MEMORY).and_then(|bytes| bytes.parse().ok()).unwrap_or_default();
    let method = request.method().to_string();
    let path = request.url().to_owned();
    let mut body = vec![0; request.body_length().unwrap_or_default()];
    request.as_reader().read_exact(&mut body)?;
    Ok(Request { method, path, content_type, body: body.into(), memory })
}

fn response(answer: Answer) -> Response<io::Cursor<Vec<u8>>> {
    let header = |(name, value): (&str, String)| {
        Header::from_bytes(name, value).expect("names and values of ours are plain ASCII")
    };
    let content_type = header(("Content-Type", answer.content_type.to_owned()));
    let response = Response::from_data(answer.body).with_status_code(answer.status).with_header(content_type);
    // Always with its length, never chunked.
    let response = response.with_chunked_threshold(usize::MAX);
    answer.headers.into_iter().map(header).fold(response, Response::with_header)
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader, Read as _, Write as _};
    use std::os::unix::net::UnixStream;

    use super::*;

    /// Status and body of the answer to a GET.
    fn get(stream: &mut BufReader<UnixStream>, path: &str) -> (String, String) {
        write!(stream.get_mut(), "GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")
            .expect("the backend reads");
        let mut line = || {
            let mut line = String::new();
            stream.read_line(&mut line).expect("the backend answers");
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
    fn a_panic_in_a_handler_is_a_500_and_the_worker_lives() {
        let echo = |request: Request| {
            assert_ne!(request.path, "/bug", "this panic is part of the test");
            let body = request.path.into_bytes();
            Answer { status: 200, content_type: "text/plain", headers: Vec::new(), body }
        };
        let backend = start("test", 1, echo).expect("a backend");
        let mut stream = BufReader::new(UnixStream::connect(&backend.socket).expect("a private connection"));
        for round in ["/first", "/second"] {
            let (status, body) = get(&mut stream, "/bug");
            assert!(status.contains(" 500 ") && body.contains("\"code\":\"internal\""), "{status}: {body}");
            // The only worker there is.
            assert_eq!(get(&mut stream, round), ("HTTP/1.1 200 OK".to_owned(), round.to_owned()));
        }
    }
}
