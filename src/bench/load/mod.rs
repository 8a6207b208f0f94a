//! `skinclf bench --url`: a load test over HTTP, judged.

mod compare;
mod outcome;
mod report;
mod saved;
mod threshold;
mod values;

use anyhow::bail;

pub(crate) use self::compare::Saved;
pub(crate) use self::outcome::Arrival;
use self::report::Outputs;
pub(crate) use self::threshold::Condition;
pub(crate) use self::values::{Mix, PerSecond, Sweep, Target, Think};
use crate::cli::BenchArgs;
use crate::exit::Exit;

pub(crate) fn run(args: &BenchArgs) -> anyhow::Result<Exit> {
    if args.load.urls.is_empty() {
        if args.load.from.is_empty() {
            Outputs::open(args)?.write_compared()?;
        } else {
            let report = saved::read_all(&args.load.from)?;
            Outputs::open(args)?.write(&report)?;
        }
        return Ok(Exit::Done);
    }
    bail!("not written yet")
}
