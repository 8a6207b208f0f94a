//! The private connections to a backend: as many as it has workers, so that none ever waits there.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;
use tokio::sync::{Notify, Semaphore};

use crate::serve::backend::Backend;

/// A fair queue for a backend's workers. Whoever waits and goes away leaves the queue.
pub(in crate::serve) struct Lane {
    free: Rc<Semaphore>,
    connections: Rc<RefCell<Vec<SendRequest<Full<Bytes>>>>>,
    broken: Rc<(Cell<bool>, Notify)>,
}

impl Lane {
    /// Opens one connection after the other and proves each with a round trip: tiny_http gives a
    /// connection a thread only if it counts one as free.
    pub(in crate::serve) async fn open(backend: Backend, workers: usize) -> anyhow::Result<Self> {
        let connections = Rc::new(RefCell::new(Vec::with_capacity(workers)));
        for _ in 0..workers {
            let stream = UnixStream::connect(&backend.socket).await.context("the private socket")?;
            let (mut sender, connection) = handshake(TokioIo::new(stream)).await?;
            tokio::task::spawn_local(connection);
            let probe = Request::get("/livez").header("Host", "localhost").body(Full::default())?;
            let answer = sender.send_request(probe).await.context("a private connection")?;
            ensure!(answer.status() == 200, "a private connection answers {}", answer.status());
            answer.into_body().collect().await?;
            connections.borrow_mut().push(sender);
        }
        Ok(Self { free: Rc::new(Semaphore::new(workers)), connections, broken: Rc::default() })
    }

    /// Waits for a worker.
    pub(super) async fn lease(&self) -> Lease<'_> {
        let permit = self.free.acquire().await.expect("never closed");
        permit.forget();
        let connection = self.connections.borrow_mut().pop();
        Lease { lane: self, connection }
    }

    /// Waits until a private connection has failed, which none does while its backend runs.
    pub(super) async fn broken(&self) {
        while !self.broken.0.get() {
            self.broken.1.notified().await;
        }
    }
}

/// A worker's full attention.
pub(super) struct Lease<'l> {
    lane: &'l Lane,
    connection: Option<SendRequest<Full<Bytes>>>,
}

impl Lease<'_> {
    /// One request and its whole answer. Once sent it is seen through, though the caller goes
    /// away, for the connection is of use again only when the answer has been read.
    pub(super) async fn exchange(mut self, request: Request<Full<Bytes>>) -> Option<Response<Bytes>> {
        let mut connection = self.connection.take()?;
        let (free, connections, broken) =
            (self.lane.free.clone(), self.lane.connections.clone(), self.lane.broken.clone());
        let exchanged = tokio::task::spawn_local(async move {
            let answer = async {
                connection.ready().await?;
                let (head, body) = connection.send_request(request).await?.into_parts();
                Ok::<_, hyper::Error>(Response::from_parts(head, body.collect().await?.to_bytes()))
            };
            let answer = answer.await;
            if answer.is_err() {
                broken.0.set(true);
                broken.1.notify_one();
            }
            connections.borrow_mut().push(connection);
            free.add_permits(1);
            answer.ok()
        });
        exchanged.await.ok().flatten()
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
