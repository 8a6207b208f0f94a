//! The result of a load test: what is saved, what follows from it, and reading it back.
//!
//! Imports nothing else of the load test. `saved` and `compare` build on `run`, and that on `usage`; a figure that follows
//! from saved ones is in `derived` or, of a balancer's replicas, in `replicas`; what follows from several runs and the formulas
//! of `queueing` in `capacity`; the names of runs are in `names`. Read [`Run`] first.

mod capacity;
mod compare;
mod derived;
mod differences;
mod failure;
#[cfg(test)]
pub(crate) mod fixture;
mod names;
pub(crate) mod notation;
mod queueing;
mod replicas;
mod run;
mod saved;
mod threshold;
mod usage;

pub(crate) use self::capacity::{Capacity, Check, Responses, capacity};
pub(crate) use self::compare::{Comparison, Comparisons, Row};
pub(crate) use self::derived::{TOLERATED_FAILURES, mean, steady_seconds};
pub(crate) use self::failure::FailureKind;
pub(crate) use self::replicas::ReplicaRow;
pub(crate) use self::run::{
    Arrival, Bin, Endpoint, Endpoints, FailureTimes, Finding, Generator, Knee, Load, Measured, PERCENTILES,
    PREDICT, Phase, Plan, Recent, Run, Scenario, Second, ServerFigures, ServerModel, SoFar, Stage, Stall,
    Starts, TOTAL, Tails, Threshold, Unfinished, Verdict, Weight,
};
pub(crate) use self::saved::{LoadTest, command_line, read_all, read_compared};
pub(crate) use self::usage::{
    ContainerFigures, ContainerSample, ReplicaFigures, ServedBy, Usage, UsageSample,
};
