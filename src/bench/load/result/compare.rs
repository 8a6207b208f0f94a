//! `--compare`: what more containers are worth, from runs that `--format json` has saved.

use serde::ser::SerializeStruct as _;
use serde::{Serialize, Serializer};

use super::derived::TOLERATED_FAILURES;
use super::differences::{Side, differences};
use super::run::{Plan, Run, Verdict};

/// One series of runs, such as those of one, two and three containers under the same load.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Comparison {
    pub(crate) rows: Vec<Row>,
    /// why the rows cannot be compared; empty if they can.
    pub(crate) warnings: Vec<String>,
    /// What the first run was asked to do, and the others should have been.
    #[serde(skip)]
    pub(crate) plan: Plan,
}

/// Each `--compare`: users who think, and a load that fills the servers.
#[derive(Debug, Clone)]
pub(crate) struct Comparisons(pub(crate) Vec<Comparison>);

/// One series is saved as one object, several as a list of them.
impl Serialize for Comparisons {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if let [one] = &self.0[..] {
            return one.serialize(serializer);
        }
        let mut fields = serializer.serialize_struct("Comparisons", 1)?;
        fields.serialize_field("comparisons", &self.0)?;
        fields.end()
    }
}

/// One run; figures of all endpoints in its steady state, or of the whole run where there was none.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Row {
    /// The file, without its folder and extension.
    pub(crate) name: String,
    pub(crate) containers: usize,
    pub(crate) users: usize,
    pub(crate) duration_s: f64,
    pub(crate) verdict: Verdict,
    pub(crate) requests: u64,
    pub(crate) average_ms: Option<f64>,
    pub(crate) p95_ms: Option<f64>,
    #[serde(rename = "rps")]
    pub(crate) good_per_s: f64,
    /// 0 to 1.
    pub(crate) failure_rate: f64,
    /// Successful requests per second above those of the first run, of which it is a share: 0.8 is 80 % more.
    pub(crate) improvement: Option<f64>,
    /// Average response time below that of the first run, of which it is a share.
    pub(crate) average_reduction: Option<f64>,
    /// `(X_n / X_1) / (n / n_1)`: 1 where each container adds as much as the first.
    pub(crate) efficiency: Option<f64>,
    /// Cores that all servers used; `None` where they run on another machine than the generator.
    pub(crate) cpu_cores: Option<f64>,
    /// Of the container, replica or server that used most.
    pub(crate) memory_max_bytes: Option<f64>,
}

/// `None` without runs.
pub(super) fn compare(runs: &[Side<'_>]) -> Option<Comparison> {
    let plan = runs.first()?.run.plan.clone();
    let rows = runs.iter().enumerate().map(|(n, side)| row(side, runs.first().filter(|_| n > 0)));
    Some(Comparison { rows: rows.collect(), warnings: warnings(runs), plan })
}

/// `first` is what the run is compared with.
fn row(side: &Side<'_>, first: Option<&Side<'_>>) -> Row {
    let run = side.run;
    let total = run.steady_total();
    let base = first.map(|first| first.run.steady_total());
    let speedup =
        base.filter(|base| base.good_per_s() > 0.0).map(|base| total.good_per_s() / base.good_per_s());
    let slowdown = total.average_ms.zip(base.and_then(|base| base.average_ms)).map(|(own, base)| own / base);
    Row {
        name: run.name(),
        containers: side.containers,
        users: run.plan.users(),
        duration_s: run.plan.duration_s,
        verdict: run.verdict,
        requests: total.requests,
        average_ms: total.average_ms,
        p95_ms: total.p95_ms,
        good_per_s: total.good_per_s(),
        failure_rate: total.failure_share(),
        improvement: speedup.map(|speedup| speedup - 1.0),
        average_reduction: slowdown.map(|slowdown| 1.0 - slowdown),
        efficiency: speedup
            .zip(first)
            .map(|(speedup, first)| speedup * first.containers as f64 / side.containers as f64),
        cpu_cores: run.local_server_cpu(),
        memory_max_bytes: run.memory_max_bytes(),
    }
}

fn warnings(runs: &[Side<'_>]) -> Vec<String> {
    let Some((first, others)) = runs.split_first() else { return Vec::new() };
    let mut warnings = Vec::new();
    for other in others {
        let differing = differences(other, first);
        if !differing.is_empty() {
            let (name, first, what) = (other.run.name(), first.run.name(), differing.join(", "));
            warnings.push(format!("{name} differs from {first} in {what}: not the same test."));
        }
    }
    warnings.extend(doubts(runs));
    warnings
}

/// Runs whose figures mean less than they seem to.
fn doubts(runs: &[Side<'_>]) -> Vec<String> {
    let named = |these: &dyn Fn(&Run) -> bool| {
        let names: Vec<_> = runs.iter().filter(|side| these(side.run)).map(|side| side.run.name()).collect();
        (!names.is_empty()).then(|| names.join(", "))
    };
    let mostly_failed = |run: &Run| run.steady_total().failure_share() > TOLERATED_FAILURES;
    let because = [
        (
            named(&|run| run.verdict == Verdict::NotSaturated),
            "NOT-SATURATED: the users limit requests/s, so compare response times; improvement and efficiency do not show the servers' limit.",
        ),
        (
            named(&|run| run.verdict == Verdict::ClientSaturated),
            "CLIENT-SATURATED: the figures are those of the generator.",
        ),
        (
            named(&|run| run.verdict == Verdict::Unstable),
            "UNSTABLE: the figures changed while they were measured.",
        ),
        (
            named(&|run| run.verdict == Verdict::TooShort),
            "TOO-SHORT: too little was measured, so that the figures may be chance.",
        ),
        (
            named(&|run| run.verdict == Verdict::Failed && !mostly_failed(run)),
            "FAILED: no request completed.",
        ),
        (
            named(&mostly_failed),
            "more than 1 % of the requests failed; requests/s count successful requests only.",
        ),
        (named(&|run| run.interrupted), "Interrupted before its time."),
    ];
    because.into_iter().filter_map(|(names, why)| Some(format!("{}: {why}", names?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::load::result::fixture::{self, steady_total};
    use crate::bench::load::result::run::Scenario;

    /// Name, containers, and a change of the run of the fixture.
    type Compared = (&'static str, usize, fn(&mut Run));

    fn compared(runs: &[Compared]) -> Comparison {
        let environment = fixture::load_test().environment;
        let changed = |(name, _, change): &Compared| {
            let mut run = fixture::run();
            run.measured.scenario = Scenario::Named((*name).to_owned());
            change(&mut run);
            run
        };
        let changed: Vec<_> = runs.iter().map(changed).collect();
        let sides: Vec<_> = (changed.iter().zip(runs))
            .map(|(run, (_, containers, _))| Side { containers: *containers, run, environment: &environment })
            .collect();
        compare(&sides).expect("runs")
    }

    fn figures(run: &mut Run, rps: f64, average_ms: f64) {
        (steady_total(&mut run.measured).rps, steady_total(&mut run.measured).average_ms) =
            (rps, Some(average_ms));
    }

    #[test]
    fn figures_are_shares_of_the_first() {
        let comparison = compared(&[
            ("one", 1, |run| figures(run, 100.0, 40.0)),
            ("two", 2, |run| figures(run, 180.0, 20.0)),
            ("four", 4, |run| figures(run, 240.0, 50.0)),
        ]);
        let shares = |row: &Row| (row.improvement, row.average_reduction, row.efficiency);
        let shares: Vec<_> = comparison.rows.iter().map(shares).collect();
        assert_eq!(shares[0], (None, None, None));
        let near = |value: Option<f64>, wanted: f64| (value.expect("a share") - wanted).abs() < 1e-12;
        assert!(near(shares[1].0, 0.8) && near(shares[1].1, 0.5) && near(shares[1].2, 0.9), "{shares:?}");
        assert!(near(shares[2].0, 1.4) && near(shares[2].1, -0.25) && near(shares[2].2, 0.6), "{shares:?}");
        assert_eq!(comparison.warnings, Vec::<String>::new());
    }

    #[test]
    fn nothing_is_compared_with_a_run_without_answers() {
        let comparison =
            compared(&[("none", 1, |run| steady_total(&mut run.measured).rps = 0.0), ("some", 2, |_| {})]);
        let row = &comparison.rows[1];
        assert_eq!((row.improvement, row.efficiency), (None, None));
        assert!(compare(&[]).is_none());
    }

    #[test]
    fn doubts_about_a_run_are_warnings() {
        for (change, wanted) in [
            ((|run| run.verdict = Verdict::NotSaturated) as fn(&mut Run), "NOT-SATURATED: the users limit"),
            (|run| run.verdict = Verdict::ClientSaturated, "CLIENT-SATURATED: "),
            (|run| run.verdict = Verdict::Unstable, "UNSTABLE: "),
            (|run| run.verdict = Verdict::TooShort, "TOO-SHORT: "),
            (|run| run.verdict = Verdict::Failed, "FAILED: no request completed."),
            (
                |run| (run.verdict, steady_total(&mut run.measured).failures) = (Verdict::Failed, 100),
                "more than 1 % of the requests failed",
            ),
            (|run| run.measured.interrupted = true, "Interrupted before"),
        ] {
            let warnings = compared(&[("one", 1, |_| {}), ("two", 2, change)]).warnings;
            let [warning] = &warnings[..] else { panic!("{wanted}: {warnings:?}") };
            assert!(warning.starts_with(&format!("two: {wanted}")), "{warning}");
        }
    }
}
