//! What a run means: pure functions of what was measured. Read [`judge`] first.
//!
//! Imports `result` alone. `verdict` comes first, for `findings` depend on it, to which `replicas` adds its own; `threshold`
//! is each `--fail-if`, `knee` that of a sweep.

mod findings;
mod knee;
mod replicas;
mod threshold;
mod verdict;

pub(crate) use self::knee::knee;
pub(crate) use self::threshold::limits_failures;
use super::result::{Measured, Run};
use crate::cli::Condition;

/// What is known of a run beside its figures.
#[derive(Default)]
pub(crate) struct Circumstances {
    /// Of this machine, that this process may use.
    pub(crate) cores: Option<usize>,
    /// Whether those are all that the machine has.
    pub(crate) has_whole_machine: bool,
    pub(crate) met_other_model: bool,
}

pub(crate) fn judge(measured: Measured, circumstances: &Circumstances, conditions: &[Condition]) -> Run {
    let (verdict, verdict_reasons) = verdict::verdict(&measured, circumstances.cores);
    let findings = findings::findings(&measured, verdict, circumstances);
    let thresholds = conditions.iter().map(|condition| threshold::threshold(condition, &measured)).collect();
    Run { measured, verdict, verdict_reasons, findings, thresholds }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::load::result::{Verdict, fixture};

    #[test]
    fn findings_depend_on_the_verdict_of_the_same_run() {
        let mut measured = fixture::measured();
        measured.generator.cpu_share = Some(0.95);
        let run = judge(measured, &Circumstances::default(), &["p95>20ms".parse().expect("a condition")]);
        assert_eq!(run.verdict, Verdict::ClientSaturated);
        assert!(run.findings[0].text.contains("not a capacity figure"), "{:?}", run.findings);
        assert_eq!(run.thresholds.iter().map(|t| t.missed).collect::<Vec<_>>(), [true]);
    }
}
