//! `skinclf serve`: predictions over HTTP, from one process that cannot be knocked over.
//!
//! ```text
//! client ─TCP─> gate (hyper, policy) ─Unix socket─> backend (tiny_http) ─> api ─> Classifier
//! ```
//!
//! The [`gate`] owns the public socket and takes a whole request within bounds; only then does
//! the [`backend`] see it. [`api`] turns requests into answers and knows no sockets. Read
//! `gate::Gate::answer` first.

mod access_log;
mod api;
mod backend;
mod gate;
mod metrics;
mod multipart;
mod pages;
mod policy;
mod query;
mod refusal;

use std::sync::Arc;

use anyhow::Context as _;

use self::access_log::AccessLog;
use self::api::Api;
use self::gate::Gate;
use self::gate::lane::Lane;
use self::metrics::Metrics;
use self::policy::Policy;
use crate::cli::ServeArgs;
use crate::cli::variables;
use crate::process::Exit;
use crate::process::interrupt;
use crate::process::terminal::{note, printable};

/// Threads for routes that do not classify, so that they never wait behind an inference.
const QUICK_WORKERS: usize = 2;

pub(crate) fn run(args: &ServeArgs) -> anyhow::Result<Exit> {
    let policy = Policy::from_args(args)?;
    let metrics = Arc::new(Metrics::new());
    let api = Arc::new(Api::new(args.model.load()?, metrics.clone(), policy.queue));
    let log = AccessLog::start(args.log);

    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build();
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime.context("cannot start the event loop")?, async {
        let (stop, stopped) = tokio::sync::watch::channel(false);
        interrupt::on_signal(move || {
            stop.send_replace(true);
        })?;
        let answer = move |request| api.answer(&request);
        // Twice as many connections as workers: while one request is worked on the next is at hand.
        let work =
            Lane::open(backend::start("work", policy.workers, answer.clone())?, 2 * policy.workers).await?;
        let quick = Lane::open(backend::start("quick", QUICK_WORKERS, answer)?, QUICK_WORKERS).await?;
        let gate = Gate::open(policy, work, quick, metrics, log)?;
        note(format_args!("listening on http://{}", gate.address()));
        for name in variables::unknown() {
            let name = printable(&name.to_string_lossy());
            note(format_args!(
                "warning: the environment variable {name} is unknown and ignored; see skinclf serve --help"
            ));
        }
        gate.run(stopped).await
    })?;
    Ok(Exit::Done)
}
