//! `skinclf bench`: the production path alone, or over HTTP as a load test.

mod environment;
pub(crate) mod load;
mod local;
mod words;

use crate::cli::{BenchArgs, wrong_usage};
use crate::destination;
use crate::process::Exit;

pub(crate) fn run(args: &BenchArgs) -> anyhow::Result<Exit> {
    refuse_loss(args);
    if args.load.is_wanted() { load::run(args) } else { local::run(args) }
}

/// Ends the process with status 2 if a file would be written over that is read or written to. Saved runs may be: they are read before.
fn refuse_loss(args: &BenchArgs) {
    let output = args.output.iter().map(|path| ("--output", path.as_path()));
    let reports = args.load.report.iter().map(|path| ("--report", path.as_path()));
    let written: Vec<_> = output.chain(reports).collect();
    let read: Vec<_> = args.model.files().chain(args.image.clone()).collect();
    if let Some(message) = destination::loss(&written, read.iter().map(AsRef::as_ref)) {
        wrong_usage("bench", &message);
    }
}
