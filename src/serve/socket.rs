//! Requests in, answers out, by tiny_http.

use std::io::{self, Read};

use tiny_http::{Header, Response, Server};

use super::api::{Answer, Api, Problem, Request};
use crate::interrupt;

/// Answers requests until the server is unblocked after an interruption.
pub(super) fn work(server: &Server, api: &Api, max_body: u64) {
    while !interrupt::requested() {
        let Ok(mut request) = server.recv() else {
            continue; // unblocked
        };
        let answer = match receive(&mut request, max_body) {
            Ok(received) => api.answer(&received),
            Err(problem) => problem.into(),
        };
        // A client that has gone no longer wants its answer.
        let _ = request.respond(response(answer));
    }
}

fn receive(request: &mut tiny_http::Request, max_body: u64) -> Result<Request, Problem> {
    let too_large =
        || Problem::new(413, "body_too_large", format!("the body may have at most {max_body} bytes"));
    let header = |name: &'static str| {
        let field = request.headers().iter().find(|h| h.field.equiv(name));
        field.map(|h| h.value.as_str().to_owned())
    };
    let content_type = header("Content-Type").unwrap_or_default();
    let chunked = header("Transfer-Encoding").is_some();
    let method = request.method().to_string();
    let path = request.url().split('?').next().unwrap_or_default().to_owned();
    if method == "POST" && request.body_length().is_none() && !chunked {
        return Err(Problem::new(411, "length_required", "send Content-Length, or a chunked body"));
    }
    let announced = request.body_length().map(|n| n as u64);
    if announced.is_some_and(|n| n > max_body) {
        return Err(too_large());
    }
    let mut body = Vec::new();
    let read = request.as_reader().take(max_body.saturating_add(1)).read_to_end(&mut body);
    read.map_err(|e| Problem::new(400, "bad_request", format!("the body could not be read: {e}")))?;
    if body.len() as u64 > max_body {
        return Err(too_large());
    }
    if announced.is_some_and(|n| n != body.len() as u64) {
        return Err(Problem::new(400, "bad_request", "the body is shorter than its Content-Length"));
    }
    Ok(Request { method, path, content_type, body })
}

fn response(answer: Answer) -> Response<io::Cursor<Vec<u8>>> {
    let content_type = Header::from_bytes("Content-Type", "application/json").expect("a valid header");
    let allow = answer.allow.map(|methods| Header::from_bytes("Allow", methods).expect("a valid header"));
    let response = Response::from_data(answer.body).with_status_code(answer.status).with_header(content_type);
    // With its length, never chunked: clients of any age can read it.
    let response = response.with_chunked_threshold(usize::MAX);
    allow.into_iter().fold(response, Response::with_header)
}
