//! Whether the figures of a run mean what they seem to.
//!
//! The first of these that holds is the verdict:
//!
//! - CLIENT-SATURATED: in the steady state the generator's event loop used more than 90 % of a core, or
//!   more than 1 % of an open loop's starts were more than 10 ms late.
//! - UNSTABLE: the run ended before all users had started, or within three seconds of that; or nothing was
//!   answered, or more than 1 % of the requests failed; or stalls (no answer for 100 ms and 20 times what is
//!   usual, with requests in flight) made up more than 2 % of the steady state, or one of them a second; or more
//!   than 1 % of an open loop's starts were dropped; or between the first and the last third of the steady state
//!   good throughput changed by more than 25 % and more than chance does, or p95 by more than half and 20 ms.
//! - NOT-SATURATED: a closed loop of N users with think time Z, 0 included, whose throughput is within 10 % of
//!   N/(Z+R), with headroom: less than one request queued (0.1 without think time), or where that is unknown R
//!   below a tenth of Z; and, where it is known, less than 85 % of the CPU in use.
//! - VALID: none of these. That the server was the bottleneck is said only where its queue or CPU shows it.

use super::outcome::{Load, Run, Second, Verdict};

const BUSY_GENERATOR: f64 = 0.9;
const TOLERATED_STARTS: f64 = 0.01;
pub(super) const TOLERATED_FAILURES: f64 = 0.01;
const TOLERATED_STALLS: f64 = 0.02;
const LONG_STALL_S: f64 = 1.0;
const THROUGHPUT_DRIFT: f64 = 0.25;
const P95_DRIFT: f64 = 0.5;
const P95_DRIFT_MS: f64 = 20.0;
/// Standard deviations of a difference of counts that chance does not reach.
const CHANCE: f64 = 4.0;
const THINK_LIMIT: f64 = 0.1;
/// Requests queued on average, where users do not think.
const SHORT_QUEUE: f64 = 0.1;

/// The verdict and its reasons; `p95_ms` are those of the first and the last third, `cores` those of this machine.
pub(super) fn judge(run: &Run, p95_ms: Option<[f64; 2]>, cores: Option<usize>) -> (Verdict, Vec<String>) {
    let checks: [(Verdict, Vec<String>); 3] = [
        (Verdict::ClientSaturated, client_saturated(run)),
        (Verdict::Unstable, unstable(run, p95_ms)),
        (Verdict::NotSaturated, not_saturated(run, cores)),
    ];
    let holds = checks.into_iter().find(|(_, reasons)| !reasons.is_empty());
    holds.unwrap_or_else(|| (Verdict::Valid, valid(run, cores)))
}

fn client_saturated(run: &Run) -> Vec<String> {
    let mut reasons = Vec::new();
    if let Some(share) = run.generator.cpu_share.filter(|share| *share > BUSY_GENERATOR) {
        reasons.push(format!(
            "the generator used {:.0} % of the one core that it can use; spread the users over more generators",
            share * 100.0
        ));
    }
    if let Some(starts) = &run.starts
        && starts.late as f64 > TOLERATED_STARTS * starts.made as f64
    {
        reasons.push(format!(
            "{} of {} starts were more than 10 ms late; give the generator a core of its own or lower --rate",
            starts.late, starts.made
        ));
    }
    reasons
}

fn unstable(run: &Run, p95_ms: Option<[f64; 2]>) -> Vec<String> {
    let mut reasons = Vec::new();
    let Some(steady) = &run.steady_state else {
        return vec!["it ended before all users had started; give a longer --duration".to_owned()];
    };
    match run.steady_total().filter(|total| total.requests > 0) {
        None => reasons.push("nothing was answered".to_owned()),
        Some(total) if total.failure_share() > TOLERATED_FAILURES => reasons.push(format!(
            "{} of {} requests failed ({:.1} %)",
            total.failures,
            total.requests,
            total.failure_share() * 100.0
        )),
        Some(_) => {}
    }
    let length_s = steady.to_s - steady.from_s;
    let stalled_s: f64 = run.stalls.iter().map(|s| s.length_s).sum();
    let longest_s = run.stalls.iter().map(|s| s.length_s).fold(0.0, f64::max);
    if stalled_s > TOLERATED_STALLS * length_s || longest_s >= LONG_STALL_S {
        reasons.push(format!(
            "{} times no answer came for long although requests were in flight, for {:.1} s of {:.1} s ({:.0} %), the longest {:.2} s",
            run.stalls.len(),
            stalled_s,
            length_s,
            stalled_s / length_s * 100.0,
            longest_s
        ));
    }
    if let Some(starts) = &run.starts
        && starts.dropped as f64 > TOLERATED_STARTS * starts.planned as f64
    {
        reasons.push(format!(
            "{} of {} starts were dropped because all {} connections waited for answers: the server does not keep up",
            starts.dropped,
            starts.planned,
            run.plan.users()
        ));
    }
    let seconds: Vec<_> = run.steady_seconds().collect();
    if seconds.len() < 3 {
        reasons.push(format!(
            "too short to judge: {} whole seconds with all users; give --duration {:.0}s or more",
            seconds.len(),
            (steady.from_s + 4.0).ceil()
        ));
    }
    reasons.extend(throughput_drift(&seconds));
    reasons.extend(p95_ms.and_then(p95_drift));
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
fn p95_drift([before, after]: [f64; 2]) -> Option<String> {
    let drifted = (after - before).abs() > (P95_DRIFT * before.min(after)).max(P95_DRIFT_MS);
    drifted.then(|| format!("p95 went from {before:.0} ms in the first third to {after:.0} ms in the last"))
}

fn not_saturated(run: &Run, cores: Option<usize>) -> Vec<String> {
    let Load::Closed { users, .. } = run.plan.load else { return Vec::new() };
    let Some(think_s) = run.think_s() else { return Vec::new() };
    let Some(total) = run.steady_total() else { return Vec::new() };
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
        format!("for the server's capacity give {remedy}, or --sweep"),
    ]
}

/// In words, if there is any.
fn headroom(run: &Run, cores: Option<usize>, think_s: f64, response_s: f64) -> Option<String> {
    let (queue, busy) = (run.queue_mean(), run.busy(cores));
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
    let queue = queue.map(|q| format!("{q:.1} requests queued on average"));
    let busy = busy.map(|b| format!("{:.0} % of the cores used by the server", b * 100.0));
    let parts: Vec<_> = queue.into_iter().chain(busy).collect();
    Some(format!("the server has room: {}", parts.join(", ")))
}

fn valid(run: &Run, cores: Option<usize>) -> Vec<String> {
    let share = run.generator.cpu_share.unwrap_or_default() * 100.0;
    let what = match run.plan.load {
        Load::Closed { .. } if run.server_was_full(cores) => "the server was the bottleneck",
        Load::Closed { .. } => "whether the server could do more is not known",
        Load::Open { .. } => "all starts but a few were on time",
    };
    vec![format!("{what}: the generator used {share:.0} % of its core, throughput and latency were steady")]
}
