//! One client connection, from accept to close.

use std::pin::Pin;
use std::rc::Rc;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;

use super::connections::State;
use super::head::fresh_request_id;
use super::outlet::Outlet;
use super::{Gate, LINGER};
use crate::serve::refusal::Refusal;

/// Room for a request's head.
const MAX_HEAD: usize = 32 << 10;

pub(super) async fn serve(gate: Rc<Gate>, stream: TcpStream, state: Rc<State>) {
    // Answers are written whole; waiting for more to say would only delay them. Failing to say so
    // means that the client is gone, which the first read tells.
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request| {
        // Boxed, so that the connection can be moved and taken apart again.
        let (gate, state) = (gate.clone(), state.clone());
        Box::pin(async move { gate.answer(request, &state).await }) as Pin<Box<dyn Future<Output = _>>>
    });
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(gate.policy.header_timeout)
        .max_buf_size(MAX_HEAD)
        .max_header_size(MAX_HEAD)
        .serve_connection(TokioIo::new(Outlet::new(stream, state.clone())), service);

    let mut draining = gate.draining.subscribe();
    let ended = tokio::select! {
        ended = &mut connection => ended,
        _ = draining.wait_for(|draining| *draining) => {
            if state.is_idle() {
                // A request may be on its way: its answer will close the connection.
                tokio::select! {
                    _ = &mut connection => return,
                    () = tokio::time::sleep(LINGER) => {}
                }
            }
            Pin::new(&mut connection).graceful_shutdown();
            (&mut connection).await
        }
    };
    let outlet = connection.into_parts().io.into_inner();
    let Err(error) = ended else {
        return outlet.discard_input().await;
    };
    if let Some(refusal) = refusal_of(&error, &outlet) {
        let id = fresh_request_id();
        gate.account_unread(&refusal, &id);
        outlet.refuse(&refusal, &id).await;
    }
}

/// What to say to a client whose bytes were no request. hyper has words of its own for some of
/// them, which the [`Outlet`] has swallowed, for they are not those of the contract.
fn refusal_of(error: &hyper::Error, outlet: &Outlet) -> Option<Refusal> {
    let refusal = match outlet.swallowed_status() {
        Some(431) => Refusal::new(
            431,
            "headers_too_large",
            format!("the request's head may have at most {MAX_HEAD} bytes"),
        ),
        Some(414) => Refusal::new(414, "target_too_long", "the request's target is too long"),
        Some(status) => Refusal::new(status, "bad_request", format!("not an HTTP/1.1 request: {error}")),
        // A connection that was merely kept open is closed without a word: what is said could
        // cross the next request, and be taken for the answer to that.
        None if error.is_timeout() && !outlet.has_heard() => return None,
        None if error.is_timeout() => {
            Refusal::new(408, "request_timeout", "the request's head did not arrive in time")
        }
        None if error.is_parse_version_h2() => {
            Refusal::new(505, "http_version_not_supported", "speak HTTP/1.1; HTTP/2 is for a proxy in front")
        }
        None if error.is_parse() => {
            Refusal::new(400, "bad_request", format!("not an HTTP/1.1 request: {error}"))
        }
        None => return None, // the client is gone
    };
    Some(refusal)
}
