//! The public server: hyper parses and carries the connections, and limits and deadlines are enforced here.
//!
//! tiny_http alone must not face a network: one packet can abort it (upstream issue 252), an
//! HTTP/2 preface leaks a thread, a few slow clients block every handler, and ambiguous framing
//! is answered twice (287). Behind this server it meets none of that.
//!
//! ```text
//! Server::run (listener) -> connection -> Server::answer (exchange) -> head, upload, queue -> a worker
//! ```

mod client_stream;
mod connection;
mod connections;
mod exchange;
mod head;
mod listener;
mod memory;
mod queue;
mod response;
mod upload;

use std::cell::Cell;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use rustix::io::Errno;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use self::connections::Connections;
use self::memory::MemoryBudget;
use self::queue::Queue;
use self::upload::Uploads;
use super::config::Config;
use super::log::RequestLog;
use super::metrics::Metrics;
use super::worker_pool::WorkerPool;
use crate::process::terminal::note;

const WORKER_ENDED: &str = "a worker ended unexpectedly; restart the server";

/// Pause after a failed accept for which nothing could be done: long enough not to spin.
const ACCEPT_RETRY: Duration = Duration::from_millis(20);

/// Lives on one thread.
pub(super) struct Server {
    config: Config,
    listener: Cell<Option<TcpListener>>,
    address: SocketAddr,
    connection_limit: usize,
    predicting: WorkerPool,
    /// For what does not classify.
    quick: WorkerPool,
    queue: Queue,
    uploads: Uploads,
    /// For large images while they are decoded.
    memory: MemoryBudget,
    connections: Connections,
    metrics: Arc<Metrics>,
    log: RequestLog,
    draining: watch::Sender<bool>,
}

impl Server {
    pub(super) fn open(
        config: Config,
        predicting: WorkerPool,
        quick: WorkerPool,
        metrics: Arc<Metrics>,
        log: RequestLog,
    ) -> anyhow::Result<Rc<Self>> {
        let listener = listener::bind(config.address)?;
        metrics.workers.set(config.workers as i64);
        metrics.queue_limit.set(config.queue as i64);
        Ok(Rc::new(Self {
            address: listener.local_addr().context("cannot read the listening address")?,
            listener: Cell::new(Some(listener)),
            connection_limit: config.connection_limit()?,
            queue: Queue::new(config.workers, config.queue, metrics.queue_depth.clone()),
            uploads: Uploads::new(config.max_body),
            memory: MemoryBudget::for_workers(config.workers),
            connections: Connections::new(metrics.clone()),
            draining: watch::Sender::new(false),
            config,
            predicting,
            quick,
            metrics,
            log,
        }))
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stopped` is true and for `--drain-delay` after that, then finishes the requests in flight.
    ///
    /// # Errors
    /// When a worker has ended: without workers nothing can be answered, and a supervisor should restart the process.
    pub(super) async fn run(self: Rc<Self>, mut stopped: watch::Receiver<bool>) -> anyhow::Result<()> {
        let listener = self.listener.take().context("the server runs once")?;
        let mut end = pin!(async {
            let _ = stopped.wait_for(|stop| *stop).await;
            tokio::time::sleep(self.config.drain_delay).await;
        });
        let ended = loop {
            tokio::select! {
                () = &mut end => break Ok(()),
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) => self.admit(stream),
                    Err(error) => self.recover(&error).await,
                },
                () = self.predicting.broken() => break Err(anyhow!(WORKER_ENDED)),
                () = self.quick.broken() => break Err(anyhow!(WORKER_ENDED)),
            }
        };
        if ended.is_ok() {
            self.drain(listener).await;
        }
        self.log.finish();
        ended
    }

    /// After a failed accept: makes room, so that it can be tried again, for ever.
    async fn recover(&self, error: &io::Error) {
        let has_closed = self.connections.evict();
        if has_closed && Errno::from_io_error(error) == Some(Errno::MFILE) {
            // A connection closed is a descriptor free, as soon as its task has run.
            tokio::task::yield_now().await;
        } else {
            tokio::time::sleep(ACCEPT_RETRY).await;
        }
    }

    fn admit(self: &Rc<Self>, stream: TcpStream) {
        if self.connections.count() >= self.connection_limit && !self.connections.evict() {
            return; // all are being served: the newcomer is closed
        }
        self.connections.spawn(|state| connection::serve(self.clone(), stream, state));
    }

    /// Takes what has come since the event loop looked last, so that closing resets as few connections as can be.
    fn close(self: &Rc<Self>, listener: TcpListener) {
        let Ok(listener) = listener.into_std() else { return };
        for stream in listener.incoming().take(listener::BACKLOG as usize).map_while(Result::ok) {
            let stream = stream.set_nonblocking(true).and_then(|()| TcpStream::from_std(stream));
            if let Ok(stream) = stream {
                self.admit(stream);
            }
        }
    }

    /// Takes what the kernel has accepted already, closes the port, and waits for all connections.
    async fn drain(self: &Rc<Self>, listener: TcpListener) {
        self.draining.send_replace(true);
        for _ in 0..listener::BACKLOG {
            let accepted = tokio::time::timeout(Duration::from_millis(1), listener.accept()).await;
            let Ok(Ok((stream, _))) = accepted else { break };
            self.admit(stream);
        }
        self.close(listener);
        let emptied = tokio::time::timeout(self.config.shutdown_timeout, self.connections.emptied()).await;
        if emptied.is_err() {
            let left = self.connections.count();
            note(format_args!("warning: {left} connections were still open after --shutdown-timeout"));
        }
    }
}

#[cfg(test)]
mod tests;
