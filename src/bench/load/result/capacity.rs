//! What servers can do, by measured runs and by the formula of a queue; and how near the formula comes to measured runs.

use super::queueing::{Times, Wait};
use super::run::{Arrival, Endpoint, Load, PREDICT, Run, Verdict};

/// Where a search for the number of workers ends.
const MOST_WORKERS: usize = 100_000;

/// Predictions alone, since other requests do not wait for a worker.
#[derive(Debug, Clone)]
pub(crate) struct Capacity<'r> {
    /// One on each core, as `skinclf serve` starts them.
    pub(crate) workers: usize,
    /// The run with the most predictions per second, in which all workers were busy.
    pub(crate) full: &'r Run,
    /// The run of one user, whose requests wait for nobody.
    pub(crate) alone: &'r Run,
    /// Response times of that run.
    pub(crate) without_wait: Times,
    /// By ascending rate.
    pub(crate) checks: Vec<Check<'r>>,
}

/// A measured run at random starts, beside what the formula says.
#[derive(Debug, Clone)]
pub(crate) struct Check<'r> {
    pub(crate) run: &'r Run,
    /// Predictions per second as measured, of which the utilisation follows.
    pub(crate) per_s: f64,
    /// `None` where more was asked than the workers can do.
    pub(crate) predicted: Option<Responses>,
    pub(crate) measured: Responses,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Responses {
    pub(crate) mean_ms: Option<f64>,
    pub(crate) p95_ms: Option<f64>,
}

/// `None` without a run of each kind: of one user, of more than the workers can do, and with `--rate --arrival poisson`,
/// all with predictions only, at servers that have all `cores` of the generator's machine.
pub(crate) fn capacity(runs: &[Run], cores: Option<usize>) -> Option<Capacity<'_>> {
    let workers = cores?;
    let runs: Vec<_> = runs.iter().filter(|run| is_of_predictions_here(run)).collect();
    let closed = |run: &Run| match run.plan.load {
        Load::Closed { users, think_s: [_, 0.0], .. } => Some(users),
        _ => None,
    };
    let is_reliable = |run: &&&Run| !run.verdict.spoils_figures();
    let alone = *runs.iter().filter(is_reliable).find(|run| closed(run) == Some(1))?;
    // By CPU and not by the queue: a server of fewer workers has one, too.
    let busy = runs.iter().filter(|run| {
        run.verdict == Verdict::Valid && closed(run).is_some() && run.cores_were_busy(Some(workers))
    });
    let full = *busy.max_by(|a, b| per_s(a).total_cmp(&per_s(b)))?;
    let bins = predictions(alone)?.histogram.iter().map(|bin| ([bin.from_ms, bin.to_ms], bin.count));
    let mut capacity =
        Capacity { workers, full, alone, without_wait: Times::of_bins(bins)?, checks: Vec::new() };
    let random = runs.into_iter().filter(|run| starts_at_random(run));
    capacity.checks = random.filter_map(|run| capacity.check(run)).collect();
    capacity.checks.sort_by(|a, b| a.per_s.total_cmp(&b.per_s));
    (!capacity.checks.is_empty()).then_some(capacity)
}

impl<'r> Capacity<'r> {
    pub(crate) fn max_per_s(&self) -> f64 {
        per_s(self.full)
    }

    pub(crate) fn per_worker(&self) -> f64 {
        self.max_per_s() / self.workers as f64
    }

    /// How long a prediction keeps a worker, where all are busy: also with what is not in its stages.
    pub(crate) fn service_ms(&self) -> f64 {
        1e3 / self.per_worker()
    }

    /// The part of [`Self::service_ms`] that decoding, preprocessing and inference take by the server's own clock.
    pub(crate) fn stages_ms(&self) -> Option<f64> {
        ["decode", "preprocess", "inference"].into_iter().map(|name| self.full.stage(name)?.mean_ms).sum()
    }

    pub(crate) fn utilisation(&self, per_s: f64) -> f64 {
        per_s / self.max_per_s()
    }

    /// `None` where these workers cannot do it.
    pub(crate) fn responses(&self, per_s: f64, workers: usize) -> Option<Responses> {
        let utilisation = per_s / (self.per_worker() * workers as f64);
        let wait = Wait::of(workers, utilisation, self.service_ms(), self.without_wait.variation())?;
        Some(Responses {
            mean_ms: Some(wait.mean() + self.without_wait.mean()),
            p95_ms: Some(wait.response_percentile(&self.without_wait, 0.95)),
        })
    }

    /// The fewest workers that answer 95 % of so many predictions per second within the time; `None` where none do.
    pub(crate) fn workers_for(&self, per_s: f64, p95_ms: f64) -> Option<usize> {
        let fast = |workers: usize| {
            self.responses(per_s, workers).and_then(|r| r.p95_ms).is_some_and(|p95| p95 <= p95_ms)
        };
        let mut enough = 1;
        while !fast(enough) {
            enough *= 2;
            if enough > MOST_WORKERS {
                return None;
            }
        }
        let candidates: Vec<_> = (enough / 2 + 1..=enough).collect();
        candidates.get(candidates.partition_point(|workers| !fast(*workers))).copied()
    }

    fn check(&self, run: &'r Run) -> Option<Check<'r>> {
        let endpoint = predictions(run)?;
        let is_possible = matches!(run.plan.load, Load::Open { rate, .. } if rate < self.max_per_s());
        Some(Check {
            run,
            per_s: endpoint.rps,
            predicted: self.responses(endpoint.rps, self.workers).filter(|_| is_possible),
            measured: Responses { mean_ms: endpoint.average_ms, p95_ms: endpoint.p95_ms },
        })
    }
}

/// Whether a run is of nothing but predictions, and its one server has the cores of this machine.
fn is_of_predictions_here(run: &Run) -> bool {
    run.plan.mix.iter().all(|weight| weight.endpoint == PREDICT)
        && run.targets.len() == 1
        && run.targets.iter().all(|target| target.shares_machine)
        && run.replicas.is_empty()
        && run.served_by.is_empty()
        && run.containers.is_empty()
}

fn starts_at_random(run: &Run) -> bool {
    matches!(run.plan.load, Load::Open { arrival: Arrival::Poisson, .. })
}

fn predictions(run: &Run) -> Option<&Endpoint> {
    run.steady_endpoint(Some(PREDICT))
}

fn per_s(run: &Run) -> f64 {
    predictions(run).map_or(0.0, Endpoint::good_per_s)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::load::result::fixture;
    use crate::bench::load::result::run::Bin;

    /// Predictions that take 10 ms, with nobody before them; each keeps a core busy for that time.
    fn run(load: Load, rps: f64) -> Run {
        let mut run = fixture::run();
        let measured = &mut run.measured;
        measured.plan.load = load;
        measured.plan.mix.truncate(1);
        measured.targets[0].usage.as_mut().expect("usage").cpu_mean = Some(rps / 100.0);
        let predict = &mut measured.steady_state.as_mut().expect("a steady state").endpoints.each[0];
        predict.rps = rps;
        predict.histogram = vec![Bin { from_ms: 9.9, to_ms: 10.1, count: 100 }];
        run
    }

    fn closed(users: usize) -> Load {
        Load::Closed { users, spawn_rate: 100.0, think_s: [0.0, 0.0] }
    }

    fn random(rate: f64) -> Load {
        Load::Open { rate, arrival: Arrival::Poisson, connections: 1000 }
    }

    /// Two workers that do 200 predictions a second.
    fn runs() -> Vec<Run> {
        vec![
            run(random(150.0), 150.0),
            run(closed(1), 99.0),
            run(closed(8), 200.0),
            run(closed(2), 150.0),
            run(random(100.0), 101.0),
        ]
    }

    #[test]
    fn the_formula_stands_beside_each_run_at_random_starts() {
        let runs = runs();
        let capacity = capacity(&runs, Some(2)).expect("runs of each kind");
        assert_eq!(
            (capacity.max_per_s(), capacity.per_worker(), capacity.service_ms()),
            (200.0, 100.0, 10.0)
        );
        let rates: Vec<_> = capacity.checks.iter().map(|check| check.per_s).collect();
        assert_eq!(rates, [101.0, 150.0]);
        // M/D/2 by Allen and Cunneen, at 75 %: half of S ρ²/(1 - ρ²).
        let mean = capacity.checks[1].predicted.expect("below 200/s").mean_ms.expect("a mean");
        assert!((mean - (10.0 + 5.0 * 0.5625 / 0.4375)).abs() < 0.01, "{mean}");
        assert_eq!(capacity.checks[1].measured.mean_ms, Some(22.25));
        assert!(capacity.responses(200.0, 2).is_none());
        assert!(capacity.check(&run(random(210.0), 199.0)).expect("a check").predicted.is_none());
    }

    #[test]
    fn the_fewest_workers_are_found() {
        let runs = runs();
        let capacity = capacity(&runs, Some(2)).expect("runs of each kind");
        for (per_s, p95_ms) in [(1.0, 11.0), (50.0, 15.0), (500.0, 12.0), (500.0, 50.0), (2000.0, 50.0)] {
            let workers = capacity.workers_for(per_s, p95_ms).expect("enough");
            let p95 = |workers| capacity.responses(per_s, workers).and_then(|r| r.p95_ms);
            assert!(p95(workers).is_some_and(|p95| p95 <= p95_ms), "{per_s}: {workers}");
            assert!(p95(workers - 1).is_none_or(|p95| p95 > p95_ms), "{per_s}: fewer than {workers}");
        }
        assert_eq!(capacity.workers_for(1.0, 9.0), None, "faster than without any wait");
    }

    #[test]
    fn there_is_no_plan_without_runs_of_each_kind() {
        assert!(capacity(&runs(), None).is_none());
        // Two users do not fill the server, so that the run of eight is missed.
        for removed in [vec![0, 4], vec![1], vec![2]] {
            let mut runs = runs();
            removed.iter().rev().for_each(|n| drop(runs.remove(*n)));
            assert!(capacity(&runs, Some(2)).is_none(), "{removed:?}");
        }
        type Change = fn(&mut Run);
        let spoilt: [Change; 5] = [
            |run| run.measured.targets[0].usage.as_mut().expect("usage").cpu_mean = Some(1.0),
            |run| run.measured.containers = fixture::balanced().containers,
            |run| run.measured.targets[0].shares_machine = false,
            |run| run.measured.plan.mix = fixture::measured().plan.mix,
            |run| run.verdict = Verdict::Unstable,
        ];
        for change in spoilt {
            let mut runs = runs();
            runs.iter_mut().for_each(change);
            assert!(capacity(&runs, Some(2)).is_none());
        }
    }
}
