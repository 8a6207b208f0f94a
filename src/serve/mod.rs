//! `skinclf serve`: predictions over HTTP, from one process that cannot be knocked over.
//!
//! ```text
//! client ─TCP─> http (hyper, limits) ─Unix socket─> workers (tiny_http) ─> api ─> Classifier
//! ```
//!
//! [`http`] owns the public socket and receives a whole request within limits; only then is it sent,
//! through a [`worker_pool`], to the [`workers`]. [`api`] turns requests into answers and knows no
//! sockets. Read `http::Server::answer` first.

mod api;
mod api_keys;
mod config;
mod error;
mod http;
mod log;
mod message;
mod metrics;
mod multipart;
mod pages;
mod query;
mod startup;
mod trace;
mod worker_pool;
mod workers;

use std::sync::Arc;

use anyhow::Context as _;

use self::api::Api;
use self::config::Config;
use self::http::Server;
use self::log::RequestLog;
use self::message::{ApiRequest, ApiResponse};
use self::metrics::Metrics;
use self::worker_pool::WorkerPool;
use self::workers::Workers;
use crate::cli::{self, ServeArgs, variables};
use crate::process::terminal::{note, printable};
use crate::process::{Exit, interrupt};

/// Threads for routes that do not classify, so that they never wait behind an inference.
const QUICK_WORKERS: usize = 2;

pub(crate) fn run(args: &ServeArgs) -> anyhow::Result<Exit> {
    let config = Config::from_args(args)?;
    let metrics = Arc::new(Metrics::new());
    let classifier = args.model.load()?;
    let prior = cli::prior(args.prior.as_deref(), classifier.spec())?;
    let startup = startup::line(args.log, &classifier, &config, prior.is_some());
    let api = Arc::new(Api::new(classifier, prior, metrics.clone(), config.queue));
    let log = RequestLog::start(args.log);

    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build();
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime.context("cannot start the event loop")?, async {
        let (stop, stopped) = tokio::sync::watch::channel(false);
        interrupt::on_signal(move || {
            stop.send_replace(true);
        })?;
        let answer = move |request: &ApiRequest| api.answer(request);
        // Twice as many connections as workers: while one request is worked on the next is at hand.
        let predicting = pool("predict", config.workers, 2 * config.workers, answer.clone()).await?;
        let quick = pool("quick", QUICK_WORKERS, QUICK_WORKERS, answer).await?;
        let server = Server::open(config, predicting, quick, metrics, log)?;
        note(startup);
        note(format_args!("listening on http://{}", server.address()));
        warn_of_unknown_variables();
        server.run(stopped).await
    })?;
    Ok(Exit::Done)
}

/// The socket's folder is gone when this returns: nobody else can connect.
async fn pool(
    name: &str,
    workers: usize,
    connections: usize,
    answer: impl Fn(&ApiRequest) -> ApiResponse + Clone + Send + 'static,
) -> anyhow::Result<WorkerPool> {
    let workers = Workers::start(name, workers, answer)?;
    WorkerPool::connect(workers.socket(), workers.ended(), connections).await
}

fn warn_of_unknown_variables() {
    for name in variables::unknown() {
        let name = printable(&name.to_string_lossy());
        note(format_args!(
            "warning: the environment variable {name} is unknown and ignored; see skinclf serve --help"
        ));
    }
}
