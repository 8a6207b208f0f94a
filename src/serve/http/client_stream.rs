//! The stream to a client: writes within a deadline, and without the answers that hyper gives by itself.

use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Sleep;

use super::connections::ConnectionState;
use crate::serve::error::ApiError;

/// How long an upload that was refused is read and discarded. A slow client needs seconds until it reads
/// the answer; it counts as idle meanwhile.
const DISCARD_TIMEOUT: Duration = Duration::from_secs(2);

/// Every answer of ours has this header; hyper's own answers to what it cannot parse do not.
const OURS: &[u8] = b"x-request-id";

pub(super) struct ClientStream {
    stream: TcpStream,
    state: Rc<ConnectionState>,
    write_timeout: Duration,
    write_deadline: Option<Pin<Box<Sleep>>>,
    suppressed_status: Option<u16>,
}

impl ClientStream {
    pub(super) fn new(stream: TcpStream, state: Rc<ConnectionState>, write_timeout: Duration) -> Self {
        Self { stream, state, write_timeout, write_deadline: None, suppressed_status: None }
    }

    /// The status of an answer that hyper gave by itself, which was not sent: its words are not those of the contract.
    pub(super) fn suppressed_status(&self) -> Option<u16> {
        self.suppressed_status
    }

    /// Writes an error, as far as the client takes it at once, and closes.
    pub(super) async fn send_error(mut self, error: &ApiError, request_id: &str) {
        use tokio::io::AsyncWriteExt as _;
        let body = error.body();
        let head = format!(
            "HTTP/1.1 {}\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {}\r\nX-Request-Id: {request_id}\r\n\r\n",
            error.status(),
            body.len(),
        );
        if self.stream.try_write(&[head.as_bytes(), &body].concat()).is_ok() {
            let _ = self.stream.shutdown().await;
            self.discard_input().await;
        }
    }

    /// To be awaited between shutdown and close: closing with unread input resets the connection,
    /// which can destroy the answer on its way.
    pub(super) async fn discard_input(mut self) {
        use tokio::io::AsyncReadExt as _;
        let mut scratch = [0; 4096];
        let discard = async { while self.stream.read(&mut scratch).await.is_ok_and(|n| n > 0) {} };
        let _ = tokio::time::timeout(DISCARD_TIMEOUT, discard).await;
    }
}

impl AsyncRead for ClientStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        if buf.filled().len() > before {
            self.state.set_has_received(true);
        }
        read
    }
}

impl AsyncWrite for ClientStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if let Some(status) = status_of_automatic_answer(bytes) {
            self.suppressed_status = Some(status);
            return Poll::Ready(Ok(bytes.len()));
        }
        if let Poll::Ready(written) = Pin::new(&mut self.stream).poll_write(cx, bytes) {
            self.write_deadline = None;
            self.state.set_sending(false);
            self.state.set_has_received(false);
            return Poll::Ready(written);
        }
        self.state.set_sending(true);
        let timeout = self.write_timeout;
        let deadline = self.write_deadline.get_or_insert_with(|| Box::pin(tokio::time::sleep(timeout)));
        ready!(deadline.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.suppressed_status.is_some() {
            return Poll::Ready(Ok(())); // send_error follows
        }
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

fn status_of_automatic_answer(bytes: &[u8]) -> Option<u16> {
    let status = bytes.strip_prefix(b"HTTP/1.1 ").or_else(|| bytes.strip_prefix(b"HTTP/1.0 "))?.get(..3)?;
    let ours = bytes.windows(OURS.len()).any(|w| w.eq_ignore_ascii_case(OURS));
    if status[0] != b'4' || ours {
        return None;
    }
    std::str::from_utf8(status).ok()?.parse().ok()
}
