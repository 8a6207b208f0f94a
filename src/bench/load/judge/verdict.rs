//! Whether the figures of a run mean what they seem to.
//!
//! All is judged in the steady state. The first of these that holds is the verdict:
//!
//! - FAILED: no request completed, or more than 1 % of the requests failed.
//! - TOO-SHORT: the run ended before all users had started, or less than three whole seconds after that.
//! - CLIENT-SATURATED: the generator's event loop used more than 90 % of a core, or more than 1 % of an open
//!   loop's starts were more than 10 ms late.
//! - UNSTABLE: stalls (no answer for 100 ms and 20 times what is usual, with requests in flight) made up more than
//!   2 % of the time, or one of them a second; or more than 1 % of an open loop's starts were dropped; or between the
//!   first and the last third good throughput changed by more than 25 %, or p95 by more than half and 20 ms, either
//!   by more than chance does.
//! - NOT-SATURATED: a closed loop of N users with think time Z, 0 included, whose throughput is within 10 % of
//!   N/(Z+R), with headroom: less than one request queued (0.1 without think time), or where that is unknown R
//!   below a tenth of Z; and, where it is known, less than 85 % of the CPU in use. Of replicas behind a balancer, it is the
//!   queue of one on average, and their CPU together; where all their containers have CPU caps, of those.
//! - VALID: none of these. Its reason names the server as the bottleneck only where its queue or CPU shows that.

use crate::bench::load::result::{Load, Measured, Second, TOLERATED_FAILURES, Tails, Verdict};
use crate::bench::words::{counted, were};

const BUSY_GENERATOR: f64 = 0.9;
const TOLERATED_STARTS: f64 = 0.01;
const TOLERATED_STALLS: f64 = 0.02;
const LONG_STALL_S: f64 = 1.0;
/// Seconds of steady state that can be judged: one for each third.
const FEWEST_SECONDS: usize = 3;
const THROUGHPUT_DRIFT: f64 = 0.25;
const P95_DRIFT: f64 = 0.5;
const P95_DRIFT_MS: f64 = 20.0;
/// Standard deviations of a difference of counts that chance does not reach.
const CHANCE: f64 = 4.0;
const THINK_LIMIT: f64 = 0.1;
/// Requests queued on average, where users do not think.
const SHORT_QUEUE: f64 = 0.1;

/// The verdict and its reasons; `cores` are those of this machine.
pub(super) fn verdict(run: &Measured, cores: Option<usize>) -> (Verdict, Vec<String>) {
    let checks: [(Verdict, Vec<String>); 5] = [
        (Verdict::Failed, failed(run)),
        (Verdict::TooShort, too_short(run)),
        (Verdict::ClientSaturated, client_saturated(run)),
        (Verdict::Unstable, unstable(run)),
        (Verdict::NotSaturated, not_saturated(run, cores)),
    ];
    let holds = checks.into_iter().find(|(_, reasons)| !reasons.is_empty());
    holds.unwrap_or_else(|| (Verdict::Valid, valid(run, cores)))
}

fn failed(run: &Measured) -> Vec<String> {
    let total = run.steady_total();
    let reason = if total.requests == 0 {
        if run.endpoints.total.requests > 0 && run.steady_seconds().count() < FEWEST_SECONDS {
            return Vec::new();
        }
        match &run.steady_state {
            Some(steady) => format!(
                "no request completed in the {:.1} s of the steady state",
                steady.to_s - steady.from_s
            ),
            None => format!("no request completed in {:.1} s", run.elapsed_s),
        }
    } else if total.failure_share() > TOLERATED_FAILURES {
        let share = total.failure_share() * 100.0;
        format!("{} of {} failed ({share:.1} %)", total.failures, counted(total.requests, "request"))
    } else {
        return Vec::new();
    };
    // A generator that is too slow may be the cause.
    [vec![reason], client_saturated(run)].concat()
}

fn too_short(run: &Measured) -> Vec<String> {
    let Some(steady) = &run.steady_state else {
        return vec!["it ended before all users had started; give a longer --duration".to_owned()];
    };
    let seconds = run.steady_seconds().count();
    if seconds >= FEWEST_SECONDS {
        return Vec::new();
    }
    vec![format!(
        "too short to judge: {} with all users; give --duration {:.0}s or more",
        counted(seconds, "whole second"),
        (steady.from_s + FEWEST_SECONDS as f64 + 1.0).ceil()
    )]
}

fn client_saturated(run: &Measured) -> Vec<String> {
    let mut reasons = Vec::new();
    if let Some(share) = run.generator.cpu_share.filter(|share| *share > BUSY_GENERATOR) {
        reasons.push(format!(
            "the generator used {:.0} % of the one core that it can use; spread the users over several generators",
            share * 100.0
        ));
    }
    if let Some(starts) = &run.starts
        && starts.late as f64 > TOLERATED_STARTS * starts.made as f64
    {
        reasons.push(format!(
            "{} of {} {} more than 10 ms late; give the generator a core of its own or lower --rate",
            starts.late,
            counted(starts.made, "start"),
            were(starts.late)
        ));
    }
    reasons
}

fn unstable(run: &Measured) -> Vec<String> {
    let mut reasons = Vec::new();
    let Some(steady) = &run.steady_state else { return reasons };
    let length_s = steady.to_s - steady.from_s;
    let stalled_s: f64 = run.stalls.iter().map(|s| s.length_s).sum();
    let longest_s = run.stalls.iter().map(|s| s.length_s).fold(0.0, f64::max);
    if stalled_s > TOLERATED_STALLS * length_s || longest_s >= LONG_STALL_S {
        reasons.push(format!(
            "the server stalled {} with requests in flight: {stalled_s:.1} s of {length_s:.1} s ({:.0} %), the longest {longest_s:.2} s",
            counted(run.stalls.len(), "time"),
            stalled_s / length_s * 100.0,
        ));
    }
    if let Some(starts) = &run.starts
        && starts.dropped as f64 > TOLERATED_STARTS * starts.planned as f64
    {
        reasons.push(format!(
            "{} of {} {} dropped because all of {} were waiting for answers: the server does not keep up",
            starts.dropped,
            counted(starts.planned, "start"),
            were(starts.dropped),
            counted(run.plan.users(), "connection")
        ));
    }
    reasons.extend(throughput_drift(&run.steady_seconds().collect::<Vec<_>>()));
    reasons.extend(run.tails.and_then(p95_drift));
    reasons
}

/// From the first to the last third of the steady state.
fn throughput_drift(seconds: &[&Second]) -> Option<String> {
    let third = seconds.len() / 3;
    let (first, last) = (&seconds[..third], &seconds[seconds.len() - third..]);
    let good = |part: &[&Second]| part.iter().map(|s| s.requests - s.failures).sum::<u64>() as f64;
    let (before, after) = (good(first), good(last));
    let difference = (after - before).abs();
    let drifted =
        difference > THROUGHPUT_DRIFT * before.max(after) && difference > CHANCE * (before + after).sqrt();
    drifted.then(|| {
        format!(
            "throughput went from {:.1}/s in the first third to {:.1}/s in the last",
            before / third as f64,
            after / third as f64
        )
    })
}

/// From the first to the last third of the steady state.
///
/// Of two samples of one distribution, whatever it is, about as many values of the second lie beyond a percentile of
/// the first as of the first itself, and the variance of the difference is about the sum of both numbers (Gumbel and
/// von Schelling, "The distribution of the number of exceedances", Ann. Math. Statist. 21, 1950).
fn p95_drift(tails: Tails) -> Option<String> {
    let Tails { p95_ms: [before, after], counts, beyond } = tails;
    let (quick, slow) = if before <= after { (0, 1) } else { (1, 0) };
    let scale = counts[slow] as f64 / counts[quick] as f64;
    let expected = beyond[quick] as f64 * scale;
    let excess = beyond[slow] as f64 - expected;
    let is_large = (after - before).abs() > (P95_DRIFT * before.min(after)).max(P95_DRIFT_MS);
    let drifted = is_large && excess > CHANCE * (beyond[slow] as f64 + expected * scale).sqrt();
    drifted.then(|| format!("p95 went from {before:.0} ms in the first third to {after:.0} ms in the last"))
}

fn not_saturated(run: &Measured, cores: Option<usize>) -> Vec<String> {
    let Load::Closed { users, .. } = run.plan.load else { return Vec::new() };
    let Some(think_s) = run.think_s() else { return Vec::new() };
    let total = run.steady_total();
    let Some(response_s) = total.average_ms.map(|ms| ms / 1e3) else { return Vec::new() };
    let cap = users as f64 / (think_s + response_s);
    if (total.rps - cap).abs() > THINK_LIMIT * cap {
        return Vec::new();
    }
    let Some(headroom) = headroom(run, cores, think_s, response_s) else { return Vec::new() };
    let (what, arithmetic, remedy) = if think_s > 0.0 {
        ("think time caps", format!("N/(Z+R) = {users}/({think_s:.3} s + {response_s:.3} s)"), "--think 0")
    } else {
        ("the number of users caps", format!("N/R = {users}/{response_s:.4} s"), "more --users")
    };
    vec![
        format!("{what} the load: {arithmetic} = {cap:.1}/s, measured {:.1}/s", total.rps),
        headroom,
        format!("to measure the server's capacity, use {remedy} or --sweep"),
    ]
}

/// In words, if there is any.
fn headroom(run: &Measured, cores: Option<usize>, think_s: f64, response_s: f64) -> Option<String> {
    let (queue, busy) = (run.queue_of_one(), run.busy(cores));
    // Idle cores alone prove nothing: a server may be unable to use them.
    let waits_little = response_s < THINK_LIMIT * think_s;
    // Without think time nobody but the server can keep a request waiting, so that any queue shows a full worker.
    let short = |queue: f64| think_s > 0.0 || queue < SHORT_QUEUE;
    if run.server_was_full(cores) || !queue.map_or(waits_little, short) {
        return None;
    }
    if queue.is_none() && busy.is_none() {
        return Some("answers come within a tenth of the think time".to_owned());
    }
    let queue = run.queue_mean().map(|q| format!("{q:.1} requests queued on average"));
    let of = if run.cpu_caps(cores).is_some() { "CPU cap" } else { "cores" };
    let busy = busy.map(|b| format!("{:.0} % of the {of} used by the server", b * 100.0));
    let parts: Vec<_> = queue.into_iter().chain(busy).collect();
    Some(format!("the server has spare capacity: {}", parts.join(", ")))
}

fn valid(run: &Measured, cores: Option<usize>) -> Vec<String> {
    let share = run.generator.cpu_share.unwrap_or_default() * 100.0;
    let what = match run.plan.load {
        Load::Closed { .. } if run.server_was_full(cores) => "the server was the bottleneck",
        Load::Closed { .. } => "it is not known whether the server could do more",
        Load::Open { .. } => "all starts but a few were on time",
    };
    vec![format!("{what}: the generator used {share:.0} % of its core, throughput and latency were steady")]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::load::result::fixture::{self, steady_total};
    use crate::bench::load::result::{Arrival, Stall, Starts};

    /// A change of the run of the fixture, the verdict on it, and a part of the reasons.
    type Case = (fn(&mut Measured), Verdict, &'static str);

    fn check(cases: &[Case]) {
        for (change, wanted, reason) in cases {
            let mut run = fixture::measured();
            change(&mut run);
            let (verdict, reasons) = super::verdict(&run, Some(2));
            assert_eq!(verdict, *wanted, "{reason}: {reasons:?}");
            assert!(reasons.concat().contains(reason), "{reason}: {reasons:?}");
        }
    }

    fn fail(run: &mut Measured, failures: u64) {
        steady_total(run).failures = failures;
    }

    fn answer_nothing(run: &mut Measured) {
        let total = steady_total(run);
        (total.requests, total.failures, total.average_ms) = (0, 0, None);
    }

    fn stall(run: &mut Measured, lengths_s: &[f64]) {
        run.stalls = lengths_s.iter().map(|length_s| Stall { at_s: 3.0, length_s: *length_s }).collect();
    }

    fn open_loop(run: &mut Measured, dropped: u64, late: u64) {
        run.plan.load = Load::Open { rate: 50.0, arrival: Arrival::Constant, connections: 1 };
        let made = 1000 - dropped;
        run.starts =
            Some(Starts { planned: 1000, made, dropped, late, late_p99_ms: None, late_max_ms: None });
    }

    /// Seconds of the steady state with so many requests each.
    fn seconds(run: &mut Measured, requests: &[u64]) {
        let first = run.series[0].clone();
        let steady = requests.iter().enumerate().map(|(n, requests)| Second {
            at_s: n as f64 + 2.0,
            requests: *requests,
            failures: 0,
            ..first.clone()
        });
        run.series = std::iter::once(first.clone()).chain(steady).collect();
    }

    /// N/(Z+R) = 50/(2 s + 0.0179 s) = 24.8/s.
    fn cap(run: &mut Measured, rps: f64, queue: Option<f64>, cores: Option<f64>) {
        steady_total(run).rps = rps;
        if let Some(usage) = &mut run.targets[0].usage {
            (usage.queue_mean, usage.cpu_mean) = (queue, cores);
        }
    }

    #[test]
    fn failed_runs_lost_more_than_one_request_in_a_hundred() {
        check(&[
            (|_| {}, Verdict::Valid, "not known"),
            (|run| fail(run, 1), Verdict::Valid, "not known"),
            (|run| fail(run, 2), Verdict::Failed, "2 of 164 requests failed (1.2 %)"),
            (
                |run| (steady_total(run).requests, steady_total(run).failures) = (200, 2),
                Verdict::Valid,
                "not known",
            ),
            (|run| fail(run, 5), Verdict::Failed, "5 of 164 requests failed (3.0 %)"),
            (answer_nothing, Verdict::Failed, "no request completed in the 4.0 s of the steady state"),
            (
                |run| {
                    answer_nothing(run);
                    (run.steady_state, run.endpoints.total.requests) = (None, 0);
                },
                Verdict::Failed,
                "no request completed in 5.0 s",
            ),
        ]);
    }

    #[test]
    fn short_runs_have_fewer_than_three_whole_seconds_with_all_users() {
        check(&[
            (|run| run.series.truncate(4), Verdict::Valid, "not known"),
            (
                |run| run.series.truncate(3),
                Verdict::TooShort,
                "2 whole seconds with all users; give --duration 5s or more",
            ),
            (|run| run.series[3].at_s = 3.5, Verdict::Valid, "not known"),
            (
                |run| {
                    run.series.truncate(4);
                    run.series[3].at_s = 3.5;
                },
                Verdict::TooShort,
                "2 whole seconds",
            ),
            (|run| run.steady_state = None, Verdict::TooShort, "before all users had started"),
        ]);
    }

    #[test]
    fn a_saturated_generator_used_its_core_or_started_late() {
        check(&[
            (|run| run.generator.cpu_share = Some(0.9), Verdict::Valid, "used 90 %"),
            (|run| run.generator.cpu_share = Some(0.95), Verdict::ClientSaturated, "used 95 %"),
            (|run| run.generator.cpu_share = None, Verdict::Valid, "used 0 %"),
            (|run| open_loop(run, 0, 10), Verdict::Valid, "all starts but a few were on time"),
            (
                |run| open_loop(run, 0, 11),
                Verdict::ClientSaturated,
                "11 of 1000 starts were more than 10 ms late",
            ),
        ]);
    }

    #[test]
    fn unstable_runs_stalled_dropped_or_drifted() {
        check(&[
            (|run| stall(run, &[0.08]), Verdict::Valid, "not known"),
            (
                |run| stall(run, &[0.03, 0.06]),
                Verdict::Unstable,
                "stalled 2 times with requests in flight: 0.1 s of 4.0 s (2 %), the longest 0.06 s",
            ),
            (
                |run| {
                    run.steady_state.as_mut().expect("a steady state").to_s = 1000.0;
                    stall(run, &[0.99]);
                },
                Verdict::Valid,
                "not known",
            ),
            (
                |run| {
                    run.steady_state.as_mut().expect("a steady state").to_s = 1000.0;
                    stall(run, &[1.0]);
                },
                Verdict::Unstable,
                "stalled 1 time ",
            ),
            (|run| open_loop(run, 10, 0), Verdict::Valid, "on time"),
            (
                |run| open_loop(run, 11, 0),
                Verdict::Unstable,
                "11 of 1000 starts were dropped because all of 1 connection",
            ),
            (|run| seconds(run, &[100, 100, 76]), Verdict::Valid, "not known"),
            // Large, but of so few requests it may be chance.
            (|run| seconds(run, &[20, 20, 10]), Verdict::Valid, "not known"),
            (
                |run| seconds(run, &[100, 100, 40]),
                Verdict::Unstable,
                "throughput went from 100.0/s in the first third to 40.0/s in the last",
            ),
            (|run| seconds(run, &[400, 400, 1000]), Verdict::Unstable, "from 400.0/s"),
        ]);
    }

    #[test]
    fn a_drift_of_p95_makes_a_run_unstable() {
        let judged = |beyond| {
            let tails = Tails { p95_ms: [10.0, 600.0], counts: [20, 20], beyond: [1, beyond] };
            super::verdict(&Measured { tails: Some(tails), ..fixture::measured() }, Some(2))
        };
        let (verdict, reasons) = judged(20);
        assert_eq!(
            (verdict, &*reasons.concat()),
            (Verdict::Unstable, "p95 went from 10 ms in the first third to 600 ms in the last")
        );
        assert_eq!(judged(3).0, Verdict::Valid);
    }

    #[test]
    fn users_cap_the_load_where_the_server_has_room() {
        check(&[
            (
                |run| cap(run, 24.8, Some(0.4), Some(1.2)),
                Verdict::NotSaturated,
                "N/(Z+R) = 50/(2.000 s + 0.018 s) = 24.8/s",
            ),
            (
                |run| cap(run, 24.8, Some(0.4), Some(1.2)),
                Verdict::NotSaturated,
                "0.4 requests queued on average, 60 % of the cores",
            ),
            (|run| cap(run, 22.4, Some(0.4), Some(1.2)), Verdict::NotSaturated, "--think 0"),
            (|run| cap(run, 22.2, Some(0.4), Some(1.2)), Verdict::Valid, "not known"),
            (|run| cap(run, 24.8, Some(0.99), Some(1.69)), Verdict::NotSaturated, "spare capacity"),
            (|run| cap(run, 24.8, Some(1.0), Some(1.2)), Verdict::Valid, "the server was the bottleneck"),
            (|run| cap(run, 24.8, Some(0.4), Some(1.71)), Verdict::Valid, "the server was the bottleneck"),
            (|run| cap(run, 24.8, None, None), Verdict::NotSaturated, "within a tenth of the think time"),
            (
                |run| {
                    steady_total(run).average_ms = Some(250.0);
                    cap(run, 22.2, None, Some(1.2));
                },
                Verdict::Valid,
                "not known",
            ),
        ]);
    }

    #[test]
    fn replicas_behind_a_balancer_are_judged_together_and_by_their_caps() {
        let judged = |change: fn(&mut Measured)| {
            let mut run = fixture::balanced();
            change(&mut run);
            let (verdict, reasons) = super::verdict(&run, Some(2));
            (verdict, reasons.concat())
        };
        fn idle(run: &mut Measured) {
            cap(run, 24.8, None, None);
            run.containers.iter_mut().for_each(|container| container.cpu_mean = Some(0.2));
        }
        let (verdict, reasons) = judged(|run| cap(run, 24.8, None, None));
        assert_eq!(verdict, Verdict::Valid, "{reasons}");
        assert!(reasons.starts_with("the server was the bottleneck"), "{reasons}");
        let (verdict, reasons) = judged(idle);
        assert_eq!(verdict, Verdict::NotSaturated, "{reasons}");
        let said = "1.5 requests queued on average, 40 % of the CPU cap used by the server";
        assert!(reasons.contains(said), "{reasons}");
        let (verdict, reasons) = judged(|run| {
            idle(run);
            run.replicas.iter_mut().for_each(|r| r.usage.as_mut().expect("usage").queue_mean = Some(1.0));
        });
        assert!(
            verdict == Verdict::Valid && reasons.starts_with("the server was the bottleneck"),
            "{reasons}"
        );
    }

    #[test]
    fn without_think_time_any_queue_shows_a_full_worker() {
        fn without_think(run: &mut Measured, queue: Option<f64>) {
            run.plan.load = Load::Closed { users: 2, spawn_rate: 2.0, think_s: [0.0, 0.0] };
            run.think_mean_s = Some(0.0);
            cap(run, 2.0 / 0.0179, queue, Some(1.0));
        }
        check(&[
            (
                |run| without_think(run, Some(0.0)),
                Verdict::NotSaturated,
                "the number of users caps the load: N/R = 2/0.0179 s",
            ),
            (|run| without_think(run, Some(0.09)), Verdict::NotSaturated, "more --users"),
            (
                |run| without_think(run, Some(0.1)),
                Verdict::Valid,
                "not known whether the server could do more",
            ),
            (|run| without_think(run, None), Verdict::Valid, "not known whether the server could do more"),
            (|run| without_think(run, Some(3.0)), Verdict::Valid, "the server was the bottleneck"),
        ]);
    }

    #[test]
    fn the_first_that_holds_is_the_verdict() {
        check(&[
            (
                |run| {
                    fail(run, 164);
                    run.series.truncate(2);
                    run.generator.cpu_share = Some(0.95);
                },
                Verdict::Failed,
                "used 95 %",
            ),
            (
                |run| {
                    run.series.truncate(2);
                    run.generator.cpu_share = Some(0.95);
                },
                Verdict::TooShort,
                "1 whole second with all users; give --duration 5s or more",
            ),
            (
                |run| {
                    answer_nothing(run);
                    run.series.truncate(2);
                },
                // Before, users had answers.
                Verdict::TooShort,
                "1 whole second",
            ),
            (
                |run| {
                    stall(run, &[2.0]);
                    run.generator.cpu_share = Some(0.95);
                },
                Verdict::ClientSaturated,
                "used 95 %",
            ),
            (
                |run| {
                    stall(run, &[2.0]);
                    cap(run, 24.8, Some(0.4), Some(1.2));
                },
                Verdict::Unstable,
                "stalled",
            ),
        ]);
    }

    #[test]
    fn chance_is_no_drift_of_p95() {
        // p95, all, and those beyond the lower p95, of the first and the last third.
        let cases = [
            // Two slow answers of 20 make a p95.
            ([10.0, 600.0], [20, 20], [1, 3], false),
            ([10.0, 600.0], [20, 20], [1, 20], true),
            ([600.0, 10.0], [20, 20], [20, 1], true),
            ([10.0, 600.0], [80, 80], [4, 20], false),
            ([10.0, 600.0], [80, 80], [4, 40], true),
            // A tenth is slow where it was a twentieth: of 80 that may be chance, of 2,000 it is none.
            ([10.0, 600.0], [2000, 2000], [100, 200], true),
            // A third with a quarter of the answers has a quarter of those beyond.
            ([600.0, 10.0], [100, 400], [30, 20], true),
            ([600.0, 10.0], [100, 400], [20, 20], false),
            // Beyond chance, and still too small a change to matter.
            ([10.0, 29.0], [2000, 2000], [100, 2000], false),
            ([100.0, 149.0], [2000, 2000], [100, 2000], false),
        ];
        for (p95_ms, counts, beyond, drifted) in cases {
            let tails = Tails { p95_ms, counts, beyond };
            assert_eq!(p95_drift(tails).is_some(), drifted, "{tails:?}");
        }
    }

    /// In 2,000 runs of one distribution, thirds of 20 to 200 answers of which some are ten times slower.
    #[test]
    fn one_distribution_hardly_ever_drifts() {
        let mut random = fastrand::Rng::with_seed(1);
        let mut drifts = 0;
        for _ in 0..2000 {
            let (slow, count) = (random.f64() * 0.2, random.usize(20..=200));
            let mut third = || -> Vec<f64> {
                let ms =
                    |_| if random.f64() < slow { 100.0 + random.f64() * 900.0 } else { 10.0 + random.f64() };
                let mut all: Vec<f64> = (0..count).map(ms).collect();
                all.sort_by(f64::total_cmp);
                all
            };
            let thirds = [third(), third()];
            let p95_ms = [&thirds[0], &thirds[1]]
                .map(|third| skinclf::stats::percentile(third, 950).expect("20 and more"));
            let lower = p95_ms[0].min(p95_ms[1]);
            let beyond = thirds.each_ref().map(|third| third.iter().filter(|ms| **ms > lower).count());
            drifts += usize::from(p95_drift(Tails { p95_ms, counts: [count; 2], beyond }).is_some());
        }
        assert!(drifts <= 2, "{drifts} of 2,000");
    }
}
