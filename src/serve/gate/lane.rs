//! The private connections to a backend.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;
use tokio::sync::{Notify, Semaphore};

use crate::serve::backend::{Backend, WORKED};

/// A fair queue for a backend's connections. Whoever waits and goes away leaves the queue.
pub(in crate::serve) struct Lane {
    free: Rc<Semaphore>,
    connections: Rc<RefCell<Vec<SendRequest<Full<Bytes>>>>>,
    broken: Arc<Notify>,
}

impl Lane {
    /// Opens one connection after the other and proves each with a round trip: tiny_http gives a
    /// connection a thread only if it counts one as free.
    pub(in crate::serve) async fn open(backend: Backend, width: usize) -> anyhow::Result<Self> {
        let connections = Rc::new(RefCell::new(Vec::with_capacity(width)));
        for _ in 0..width {
            let stream = UnixStream::connect(&backend.socket).await.context("the private socket")?;
            let (mut sender, connection) = handshake(TokioIo::new(stream)).await?;
            tokio::task::spawn_local(connection);
            let probe = Request::get("/livez").header("Host", "localhost").body(Full::default())?;
            let answer = sender.send_request(probe).await.context("a private connection")?;
            ensure!(answer.status() == 200, "a private connection answers {}", answer.status());
            answer.into_body().collect().await?;
            connections.borrow_mut().push(sender);
        }
        // The folder goes with the backend: nobody else connects.
        Ok(Self { free: Rc::new(Semaphore::new(width)), connections, broken: backend.broken })
    }

    /// Waits for a free connection.
    pub(super) async fn lease(&self) -> Lease<'_> {
        let permit = self.free.acquire().await.expect("never closed");
        permit.forget();
        let connection = self.connections.borrow_mut().pop();
        Lease { lane: self, connection }
    }

    /// Waits until a worker has ended or a private connection has failed; neither comes about
    /// while all is well.
    pub(super) async fn broken(&self) {
        self.broken.notified().await;
    }
}

/// A connection for one request.
pub(super) struct Lease<'l> {
    lane: &'l Lane,
    connection: Option<SendRequest<Full<Bytes>>>,
}

impl Lease<'_> {
    /// One request and its whole answer, and how long a worker worked on it. Once sent it is seen
    /// through, though the caller goes away, for the connection is of use again only when the
    /// answer has been read; so `held` is kept until then.
    pub(super) async fn exchange(
        mut self,
        request: Request<Full<Bytes>>,
        held: impl Sized + 'static,
    ) -> Option<(Response<Bytes>, Duration)> {
        let mut connection = self.connection.take()?;
        let (free, connections, broken) =
            (self.lane.free.clone(), self.lane.connections.clone(), self.lane.broken.clone());
        let exchanged = tokio::task::spawn_local(async move {
            let _held = held;
            let answer = async {
                connection.ready().await?;
                let (head, body) = connection.send_request(request).await?.into_parts();
                Ok::<_, hyper::Error>(Response::from_parts(head, body.collect().await?.to_bytes()))
            };
            let answer = answer.await;
            if answer.is_err() {
                broken.notify_one();
            }
            connections.borrow_mut().push(connection);
            free.add_permits(1);
            answer.ok()
        });
        let mut answer = exchanged.await.ok().flatten()?;
        let worked = answer.headers_mut().remove(WORKED);
        let worked = worked.and_then(|us| us.to_str().ok()?.parse().ok()).unwrap_or_default();
        Some((answer, Duration::from_micros(worked)))
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        // Not used after all.
        if let Some(connection) = self.connection.take() {
            self.lane.connections.borrow_mut().push(connection);
            self.lane.free.add_permits(1);
        }
    }
}
