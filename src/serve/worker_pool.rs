//! The private connections to the workers, and the fair queue for them.

use std::cell::RefCell;
use std::fmt::Display;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{anyhow, ensure};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;
use tokio::sync::{Notify, Semaphore};

use super::message::WORKED;

/// Whoever waits for a connection and goes away leaves the queue.
pub(super) struct WorkerPool {
    free: Rc<Semaphore>,
    idle: Rc<RefCell<Vec<Sender>>>,
    broken: Arc<Notify>,
}

type Sender = SendRequest<Full<Bytes>>;

impl WorkerPool {
    /// Opens one connection after the other and proves each with a round trip: tiny_http gives a
    /// connection a thread only if it counts one as free.
    ///
    /// `ended` is notified when a worker has ended.
    pub(super) async fn connect(
        socket: &Path,
        ended: Arc<Notify>,
        connections: usize,
    ) -> anyhow::Result<Self> {
        let mut idle = Vec::with_capacity(connections);
        for _ in 0..connections {
            let stream = UnixStream::connect(socket).await;
            let stream = stream.map_err(private)?;
            let (mut sender, connection) = handshake(TokioIo::new(stream)).await.map_err(private)?;
            tokio::task::spawn_local(connection);
            let probe = Request::get("/livez").header("Host", "localhost").body(Full::default())?;
            let answer = sender.send_request(probe).await.map_err(private)?;
            ensure!(answer.status() == 200, "a worker answers a probe with {}", answer.status());
            answer.into_body().collect().await.map_err(private)?;
            idle.push(sender);
        }
        Ok(Self {
            free: Rc::new(Semaphore::new(connections)),
            idle: Rc::new(RefCell::new(idle)),
            broken: ended,
        })
    }

    pub(super) async fn acquire(&self) -> ConnectionPermit<'_> {
        let permit = self.free.acquire().await.expect("never closed");
        permit.forget();
        let sender = self.idle.borrow_mut().pop();
        ConnectionPermit { pool: self, sender }
    }

    /// Waits until a worker has ended or a private connection has failed; neither comes about
    /// while all is well.
    pub(super) async fn broken(&self) {
        self.broken.notified().await;
    }
}

/// An error of the private socket. Only its text is kept, because a broken pipe counts as a reader who has left.
fn private(error: impl Display) -> anyhow::Error {
    anyhow!("the private socket to the workers failed: {error}")
}

pub(super) struct ConnectionPermit<'p> {
    pool: &'p WorkerPool,
    sender: Option<Sender>,
}

impl ConnectionPermit<'_> {
    /// Sends a request; its whole answer, and how long a worker worked on it. Once sent it is seen
    /// through, though the caller goes away, for the connection is of use again only when the
    /// answer has been read; so `held` is kept until then.
    pub(super) async fn send(
        mut self,
        request: Request<Full<Bytes>>,
        held: impl Sized + 'static,
    ) -> Option<(Response<Bytes>, Duration)> {
        let mut sender = self.sender.take()?;
        let (free, idle, broken) = (self.pool.free.clone(), self.pool.idle.clone(), self.pool.broken.clone());
        let exchange = tokio::task::spawn_local(async move {
            let _held = held;
            let answer = async {
                sender.ready().await?;
                let (head, body) = sender.send_request(request).await?.into_parts();
                Ok::<_, hyper::Error>(Response::from_parts(head, body.collect().await?.to_bytes()))
            };
            let answer = answer.await;
            if answer.is_err() {
                broken.notify_one();
            }
            idle.borrow_mut().push(sender);
            free.add_permits(1);
            answer.ok()
        });
        let mut answer = exchange.await.ok().flatten()?;
        let worked = answer.headers_mut().remove(WORKED);
        let worked = worked.and_then(|us| us.to_str().ok()?.parse().ok()).unwrap_or_default();
        Some((answer, Duration::from_micros(worked)))
    }
}

impl Drop for ConnectionPermit<'_> {
    fn drop(&mut self) {
        // Not used after all.
        if let Some(sender) = self.sender.take() {
            self.pool.idle.borrow_mut().push(sender);
            self.pool.free.add_permits(1);
        }
    }
}
