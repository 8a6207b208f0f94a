//! The line on standard error that tells an operator what has started, before the one that it listens.

use std::time::SystemTime;

use serde::Serialize;
use skinclf::Classifier;

use super::config::Config;
use crate::cli::LogFormat;
use crate::output::ModelId;
use crate::process::terminal::printable;

/// Hexadecimal digits of a hash that tell models apart.
const SHORT_HASH: usize = 12;

#[derive(Serialize)]
struct Startup<'a> {
    time: String,
    message: &'static str,
    version: &'static str,
    model: ModelId<'a>,
    isa: &'static str,
    workers: usize,
    queue: usize,
    /// Whether the guarded routes need one.
    api_key: bool,
    /// Whether probabilities are rescaled by default.
    prior: bool,
}

/// In the format of the request log, because what reads that one reads this line, too.
/// `prior`: whether it was given.
pub(super) fn line(format: LogFormat, classifier: &Classifier, config: &Config, prior: bool) -> String {
    let (spec, version, isa) = (classifier.spec(), env!("CARGO_PKG_VERSION"), classifier.isa());
    let Config { workers, queue, .. } = *config;
    if format == LogFormat::Json {
        let startup = Startup {
            time: humantime::format_rfc3339_millis(SystemTime::now()).to_string(),
            message: "starting",
            version,
            model: spec.into(),
            isa,
            workers,
            queue,
            api_key: config.api_keys.are_required(),
            prior,
        };
        return serde_json::to_string(&startup).expect("strings and numbers are JSON");
    }
    let model = printable(&format!("{} {}", spec.name, spec.version));
    let hash = spec.sha256.get(..SHORT_HASH).unwrap_or(&spec.sha256);
    let s = if workers == 1 { "" } else { "s" };
    let key = if config.api_keys.are_required() { "API key required" } else { "no API key" };
    let rescaled = if prior { ", class shares of --prior" } else { "" };
    format!(
        "skinclf {version}: model {model} (sha256 {hash}), kernels for {isa}, {workers} worker{s}, queue of {queue}, {key}{rescaled}"
    )
}
