//! The result of a load test: what is saved, what follows from it, and reading it back.

mod command;
mod compare;
mod derived;
mod differences;
mod failure;
#[cfg(test)]
pub(crate) mod fixture;
mod run;
pub(crate) mod saved;
mod wire;

pub(crate) use self::command::line as command_line;
pub(crate) use self::compare::{Comparison, Row, Saved};
pub(crate) use self::failure::FailureKind;
pub(crate) use self::run::{
    Arrival, Bin, Endpoint, FailureTimes, Finding, Generator, Knee, Load, LoadTest, PERCENTILES, Phase, Plan,
    Recent, Run, Second, ServerFigures, ServerModel, SoFar, Stage, Stall, Starts, Threshold, Unfinished,
    Usage, UsageSample, Verdict, Weight,
};
