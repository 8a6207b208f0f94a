//! Limits, deadlines and the API keys, from the command line and the system.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::api_keys::ApiKeys;
use crate::cli::ServeArgs;
use crate::procfs;

/// Longest wait for a worker, and for memory. A full queue of ordinary images takes a fraction of it.
const QUEUE_TIMEOUT: Duration = Duration::from_secs(30);

/// A client that takes no byte of its answer for so long is given up.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// Descriptors kept free for what is neither a connection nor open at start.
const SPARE_DESCRIPTORS: u64 = 8;

pub(super) struct Config {
    pub(super) address: SocketAddr,
    pub(super) workers: usize,
    /// How many requests may wait for a worker.
    pub(super) queue: usize,
    pub(super) max_body: u64,
    pub(super) max_connections: usize,
    pub(super) header_timeout: Duration,
    pub(super) body_timeout: Duration,
    pub(super) queue_timeout: Duration,
    pub(super) write_timeout: Duration,
    /// How long all is served after the request to stop.
    pub(super) drain_delay: Duration,
    pub(super) shutdown_timeout: Duration,
    pub(super) cors_origin: Option<hyper::header::HeaderValue>,
    pub(super) api_keys: ApiKeys,
}

impl Config {
    pub(super) fn from_args(args: &ServeArgs) -> anyhow::Result<Self> {
        let workers = match args.workers.or(args.threads) {
            Some(n) => n.get(),
            // Respects affinity and, on Linux, the CPU quota of a container.
            None => std::thread::available_parallelism()
                .context("cannot determine the number of CPU cores; set --workers")?
                .get(),
        };
        let cors_origin = args.cors_origin.as_deref().map(str::parse).transpose();
        Ok(Self {
            address: SocketAddr::new(args.host, args.port),
            workers,
            queue: args.queue.get(),
            max_body: args.max_body.as_u64(),
            max_connections: args.max_connections.get(),
            header_timeout: args.header_timeout,
            body_timeout: args.body_timeout,
            queue_timeout: QUEUE_TIMEOUT,
            write_timeout: WRITE_TIMEOUT,
            drain_delay: args.drain_delay,
            shutdown_timeout: args.shutdown_timeout,
            cors_origin: cors_origin.context("--cors-origin is not valid in an HTTP header")?,
            api_keys: ApiKeys::from_args(args.api_key.as_deref(), args.api_key_file.as_deref())?,
        })
    }

    /// How many connections the system's limit on descriptors leaves room for, at most
    /// `--max-connections`. Raises the soft limit as far as needed and allowed.
    pub(super) fn connection_limit(&self) -> anyhow::Result<usize> {
        let open = procfs::open_descriptors().unwrap_or(64);
        let wanted = self.max_connections as u64 + open + SPARE_DESCRIPTORS;
        let limit = getrlimit(Resource::Nofile);
        let soft = limit.current.unwrap_or(u64::MAX);
        let raised = wanted.min(limit.maximum.unwrap_or(u64::MAX)).max(soft);
        let set = setrlimit(Resource::Nofile, Rlimit { current: Some(raised), maximum: limit.maximum });
        let available = if set.is_ok() { raised } else { soft };
        let room = available.saturating_sub(open + SPARE_DESCRIPTORS);
        ensure!(
            room > 0,
            "the limit of {available} open files leaves no room for connections; raise it (ulimit -n)"
        );
        Ok(self.max_connections.min(room as usize))
    }
}
