//! `skinclf bench --url`: a load test over HTTP, judged.

mod outcome;
mod report;
mod threshold;
mod values;

use anyhow::bail;

pub(crate) use self::outcome::Arrival;
pub(crate) use self::threshold::Condition;
pub(crate) use self::values::{Mix, PerSecond, Sweep, Target, Think};
use crate::cli::BenchArgs;
use crate::exit::Exit;

pub(crate) fn run(_args: &BenchArgs) -> anyhow::Result<Exit> {
    bail!("not written yet")
}
