//! `skinclf bench`: the production path alone, or over HTTP as a load test.

mod environment;
pub(crate) mod load;
mod local;

use crate::cli::BenchArgs;
use crate::exit::Exit;

pub(crate) fn run(args: &BenchArgs) -> anyhow::Result<Exit> {
    if args.load.is_wanted() { load::run(args) } else { local::run(args) }
}
