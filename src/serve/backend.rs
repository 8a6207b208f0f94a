//! tiny_http on a private Unix socket: it sees only complete, canonical requests from the gate.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use tempfile::TempDir;
use tiny_http::{Header, Response, Server};

use super::api::{Answer, Api, Request};
use super::refusal::Refusal;

/// A running tiny_http server; dropping this removes the socket's folder, not the server.
pub(super) struct Backend {
    pub(super) socket: PathBuf,
    _folder: TempDir,
}

/// Starts `workers` threads that answer what comes over a socket in a fresh folder of mode 0700.
pub(super) fn start(name: &str, workers: usize, api: &Arc<Api>) -> anyhow::Result<Backend> {
    let folder =
        tempfile::Builder::new().prefix("skinclf-").tempdir().context("no private folder (TMPDIR)")?;
    let socket = folder.path().join(name);
    let server = Server::http_unix(&socket);
    let server = Arc::new(server.map_err(|e| anyhow!("cannot listen on {}: {e}", socket.display()))?);
    for n in 0..workers {
        let (server, api) = (server.clone(), api.clone());
        let thread = std::thread::Builder::new().name(format!("{name}-{n}"));
        thread.spawn(move || work(&server, &api)).context("cannot start a worker thread")?;
    }
    Ok(Backend { socket, _folder: folder })
}

/// Answers requests for ever; the process ends without it.
fn work(server: &Server, api: &Api) {
    loop {
        let Ok(mut request) = server.recv() else {
            return;
        };
        let answer = match receive(&mut request) {
            // A panic is a bug, and costs the request that met it, not the worker.
            Ok(received) => {
                let answered = catch_unwind(AssertUnwindSafe(|| api.answer(&received)));
                answered.unwrap_or_else(|_| {
                    Refusal::new(500, "internal", "an unexpected error; it is in the log").into()
                })
            }
            Err(e) => Refusal::new(500, "internal", format!("the request was not handed over: {e}")).into(),
        };
        if let Err(e) = request.respond(response(answer)) {
            eprintln!("error: an answer was not handed over: {e}");
        }
    }
}

fn receive(request: &mut tiny_http::Request) -> io::Result<Request> {
    let content_type = request.headers().iter().find(|h| h.field.equiv("Content-Type"));
    let content_type = content_type.map(|h| h.value.as_str().to_owned()).unwrap_or_default();
    let method = request.method().to_string();
    let path = request.url().to_owned();
    let mut body = Vec::with_capacity(request.body_length().unwrap_or_default());
    request.as_reader().read_to_end(&mut body)?;
    Ok(Request { method, path, content_type, body })
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
