//! The public face: hyper parses and carries the connections; what is decided here is policy.
//!
//! tiny_http alone must not face a network: one packet can abort it (upstream issue 252), an
//! HTTP/2 preface leaks a thread, a few slow clients block every handler, and ambiguous framing
//! is answered twice (287). Behind the gate it meets none of that.

mod connection;
mod connections;
mod exchange;
mod head;
pub(super) mod lane;
mod memory;
mod outlet;

use std::cell::Cell;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{Semaphore, watch};

use self::connections::Connections;
use self::lane::Lane;
use self::memory::Memory;
use super::access_log::AccessLog;
use super::metrics::Metrics;
use super::policy::Policy;
use crate::process::terminal::note;

/// Connections the kernel may hold for us: a burst waits here instead of being refused.
const BACKLOG: u32 = 4096;

/// Pause after a failed accept (no descriptor left, say): long enough not to spin.
const ACCEPT_RETRY: Duration = Duration::from_millis(20);

/// When stopping: how long an idle connection is listened to for a request already on its way.
const LINGER: Duration = Duration::from_millis(500);

/// Bytes of uploads held at once. Small uploads, which is nearly all, have a budget of their own,
/// so that a few stalled large ones cannot keep them out.
const UPLOAD_BUDGET: usize = 128 << 20;
const SMALL_UPLOAD: u64 = 2 << 20;

/// Bytes that large pictures may take up at once while they are decoded: 512 MiB, with more than eight workers more.
const PICTURES_BUDGET: u64 = 512 << 20;
const PICTURES_BUDGET_PER_WORKER: u64 = 64 << 20;

/// The gate; lives on one thread.
pub(super) struct Gate {
    policy: Policy,
    listener: Cell<Option<TcpListener>>,
    address: SocketAddr,
    cap: usize,
    work: Lane,
    quick: Lane,
    /// How many predictions wait or are worked on.
    predictions: Cell<usize>,
    small_uploads: Arc<Semaphore>,
    large_uploads: Arc<Semaphore>,
    memory: Memory,
    connections: Connections,
    metrics: Arc<Metrics>,
    log: AccessLog,
    draining: watch::Sender<bool>,
}

impl Gate {
    pub(super) fn open(
        policy: Policy,
        work: Lane,
        quick: Lane,
        metrics: Arc<Metrics>,
        log: AccessLog,
    ) -> anyhow::Result<Rc<Self>> {
        let address = policy.address;
        let listener = listen(address)
            .map_err(|error| anyhow!("cannot listen on {address}: {error}; {}", advice(error.kind())))?;
        Ok(Rc::new(Self {
            address: listener.local_addr().context("the listening address")?,
            listener: Cell::new(Some(listener)),
            cap: policy.connection_cap()?,
            predictions: Cell::new(0),
            small_uploads: Arc::new(Semaphore::new(UPLOAD_BUDGET)),
            large_uploads: Arc::new(Semaphore::new(UPLOAD_BUDGET.max(policy.max_body as usize))),
            memory: Memory::of(PICTURES_BUDGET.max(PICTURES_BUDGET_PER_WORKER * policy.workers as u64)),
            connections: Connections::new(metrics.clone()),
            draining: watch::Sender::new(false),
            policy,
            work,
            quick,
            metrics,
            log,
        }))
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until told to stop, then finishes what has begun.
    ///
    /// # Errors
    /// When a worker is gone: without them nothing can be answered, and whoever started the
    /// process should start it again.
    pub(super) async fn run(self: Rc<Self>, mut stopped: watch::Receiver<bool>) -> anyhow::Result<()> {
        let listener = self.listener.take().context("the gate runs once")?;
        loop {
            tokio::select! {
                _ = stopped.wait_for(|stop| *stop) => break,
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) => self.admit(stream),
                    Err(_) => {
                        // Most likely out of descriptors: make room, and try again for ever.
                        self.connections.evict();
                        tokio::time::sleep(ACCEPT_RETRY).await;
                    }
                },
                () = self.work.broken() => anyhow::bail!("a worker is gone; start the service again"),
                () = self.quick.broken() => anyhow::bail!("a worker is gone; start the service again"),
            }
        }
        self.drain(listener).await;
        self.log.finish();
        Ok(())
    }

    fn admit(self: &Rc<Self>, stream: TcpStream) {
        if self.connections.count() >= self.cap && !self.connections.evict() {
            return; // all are being served: the newcomer is closed
        }
        self.connections.spawn(|state| connection::serve(self.clone(), stream, state));
    }

    /// Takes what the kernel has accepted already, closes the port, and waits for all connections.
    async fn drain(self: &Rc<Self>, listener: TcpListener) {
        self.draining.send_replace(true);
        for _ in 0..BACKLOG {
            let accepted = tokio::time::timeout(Duration::from_millis(1), listener.accept()).await;
            let Ok(Ok((stream, _))) = accepted else { break };
            self.admit(stream);
        }
        drop(listener);
        let emptied = tokio::time::timeout(self.policy.shutdown_timeout, self.connections.emptied()).await;
        if emptied.is_err() {
            let left = self.connections.count();
            note(format_args!("warning: {left} connections were still open after --shutdown-timeout"));
        }
    }
}

fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // Lets a restarted server have its port back at once.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// What to do about a port that cannot be had.
fn advice(error: ErrorKind) -> &'static str {
    match error {
        ErrorKind::AddrInUse => "is another server there? (--port 0 picks a free one)",
        ErrorKind::PermissionDenied => {
            "ports below 1024 need privileges: choose a higher --port behind a proxy, or `setcap cap_net_bind_service=+ep` \
             the binary"
        }
        ErrorKind::AddrNotAvailable => {
            "--host must be an address of this machine (0.0.0.0 for all, 127.0.0.1 for itself alone)"
        }
        _ => "choose another --host or --port",
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::os::unix::net::UnixListener;

    use clap::Parser as _;
    use tokio::sync::Notify;

    use super::*;
    use crate::cli::{Cli, Command, LogFormat};
    use crate::serve::backend::Backend;

    /// A backend that answers one request and closes the connection at the next.
    fn short_lived() -> Backend {
        let folder = tempfile::tempdir().expect("a folder");
        let socket = folder.path().join("socket");
        let listener = UnixListener::bind(&socket).expect("a socket");
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a connection");
            let mut request = [0; 1024];
            assert!(stream.read(&mut request).expect("a request") > 0);
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").expect("the gate reads");
            assert!(stream.read(&mut request).expect("a request") > 0);
        });
        Backend { socket, _folder: folder, broken: Arc::new(Notify::new()) }
    }

    #[test]
    fn a_worker_that_is_gone_ends_the_gate_with_an_error() {
        let Command::Serve(args) =
            Cli::parse_from(["skinclf", "serve", "--port", "0", "--log", "off"]).command
        else {
            unreachable!("serve was asked for");
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let ended = tokio::task::LocalSet::new().block_on(&runtime, async {
            let work = Lane::open(short_lived(), 1).await.expect("the work lane");
            let quick = Lane::open(short_lived(), 1).await.expect("the quick lane");
            let policy = Policy::from_args(&args).expect("the defaults");
            let log = AccessLog::start(LogFormat::Off);
            let gate = Gate::open(policy, work, quick, Arc::new(Metrics::new()), log).expect("a gate");
            let address = gate.address();
            std::thread::spawn(move || {
                let mut stream = std::net::TcpStream::connect(address)?;
                stream.write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
                stream.read_to_end(&mut Vec::new())
            });
            // Nobody asks it to stop.
            let (_stop, stopped) = watch::channel(false);
            gate.run(stopped).await
        });
        assert!(ended.is_err_and(|e| e.to_string().contains("worker")));
    }
}
