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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::load::result::{Verdict, fixture};

    #[test]
    fn findings_depend_on_the_verdict_of_the_same_run() {
        let mut run = fixture::run();
        (run.verdict, run.generator.cpu_share) = (Verdict::Valid, Some(0.95));
        judge(&mut run, &Circumstances::default(), &["p95>20ms".parse().expect("a condition")]);
        assert_eq!(run.verdict, Verdict::ClientSaturated);
        assert!(run.findings[0].text.contains("not a capacity figure"), "{:?}", run.findings);
        assert_eq!(run.thresholds.iter().map(|t| t.missed).collect::<Vec<_>>(), [true]);
    }
}
