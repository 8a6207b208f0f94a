//! Which run a sentence is about.

use crate::bench::load::result::{Comparison, Load, LoadTest, Row, Run, Verdict};

/// The run with most successful requests per second: its stages are those of a busy server.
pub(super) fn most_loaded(test: &LoadTest) -> Option<&Run> {
    let good_per_s = |run: &&Run| run.steady_total().good_per_s();
    test.runs.iter().max_by(|a, b| good_per_s(a).total_cmp(&good_per_s(b)))
}

/// The run with the smallest share of waiting in a typical answer, and the share of inference in the same answer.
pub(super) fn without_waiting(test: &LoadTest) -> Option<(&Run, f64)> {
    let share = |run: &Run, name| run.stage(name)?.share_at_p50;
    let waiting = test.runs.iter().filter_map(|run| Some((run, share(run, "queue")?)));
    let (run, _) = waiting.min_by(|a, b| a.1.total_cmp(&b.1))?;
    Some((run, share(run, "inference")?))
}

/// Think time and response time in seconds, under a load well below the capacity, as a planned load is.
pub(super) fn relaxed(test: &LoadTest) -> Option<(f64, f64)> {
    let times = |run: &Run| Some((run.think_s()?, run.steady_total().average_ms? / 1e3));
    let unsaturated = test.runs.iter().filter(|run| run.verdict == Verdict::NotSaturated);
    unsaturated.filter_map(times).find(|(think_s, _)| *think_s > 0.0)
}

/// The run with most successful requests per second among those that their users did not limit, and that figure.
pub(super) fn capacity(test: &LoadTest) -> Option<(&Run, f64)> {
    let valid = test
        .runs
        .iter()
        .filter(|run| run.verdict == Verdict::Valid && matches!(run.plan.load, Load::Closed { .. }));
    let good = valid.map(|run| (run, run.steady_total().good_per_s()));
    good.max_by(|a, b| a.1.total_cmp(&b.1))
}

/// Precedes a capacity that may be larger, because the run is not known to have filled the server.
pub(super) fn at_least(test: &LoadTest, run: &Run) -> &'static str {
    if run.server_was_full(test.environment.logical_cores) { "" } else { "at least " }
}

/// Of a sweep beyond its knee: the run at the knee, and the one with the most users.
pub(super) fn beyond_knee(test: &LoadTest) -> Option<(&Run, &Run)> {
    let knee = test.knee.as_ref().filter(|knee| knee.reached)?;
    let is_knee = |run: &&Run| {
        run.plan.users() == knee.users && (run.steady_total().good_per_s() - knee.good_per_s).abs() < 1e-9
    };
    let at = test.runs.iter().find(is_knee)?;
    let alike = test.runs.iter().filter(|run| {
        run.scenario == at.scenario
            && run.plan.mix == at.plan.mix
            && matches!(run.plan.load, Load::Closed { .. })
            && run.plan.has_think_time() == at.plan.has_think_time()
            && !run.verdict.spoils_figures()
    });
    let most = alike.max_by_key(|run| run.plan.users())?;
    (most.plan.users() > at.plan.users()).then_some((at, most))
}

/// The comparison of containers by users without think time, and the row that adds most to the first.
pub(super) fn scaled(comparisons: &[Comparison]) -> Option<(&Comparison, &Row)> {
    let full = comparisons.iter().filter(|comparison| {
        matches!(comparison.plan.load, Load::Closed { .. }) && !comparison.plan.has_think_time()
    });
    let rows = full.flat_map(|comparison| comparison.rows.iter().skip(1).map(move |row| (comparison, row)));
    let reliable = rows.filter(|(_, row)| row.verdict == Verdict::Valid);
    reliable.max_by(|a, b| a.1.improvement.unwrap_or(0.0).total_cmp(&b.1.improvement.unwrap_or(0.0)))
}
