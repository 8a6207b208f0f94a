//! What a run means: pure functions of it. Read [`judge`] first.
//!
//! Imports `result` alone. `verdict` comes first, for `findings` depend on it; `threshold` is each `--fail-if`, `knee` that
//! of a sweep.

mod findings;
mod knee;
mod threshold;
mod verdict;

pub(crate) use self::knee::knee;
use super::result::{Run, Tails};
use crate::cli::Condition;

/// What is known of a run beside its figures.
#[derive(Default)]
pub(crate) struct Circumstances {
    /// `None` where there are too few latencies to compare.
    pub(crate) tails: Option<Tails>,
    /// Of this machine, that this process may use.
    pub(crate) cores: Option<usize>,
    /// Whether those are all that the machine has.
    pub(crate) has_whole_machine: bool,
    pub(crate) met_other_model: bool,
}

/// Gives a run its verdict, findings and thresholds.
pub(crate) fn judge(run: &mut Run, circumstances: &Circumstances, conditions: &[Condition]) {
    (run.verdict, run.verdict_reasons) = verdict::verdict(run, circumstances.tails, circumstances.cores);
    run.findings = findings::findings(run, circumstances);
    run.thresholds = conditions.iter().map(|condition| threshold::threshold(condition, run)).collect();
}
