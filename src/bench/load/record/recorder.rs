//! Everything that is noted while a run goes on. One event loop notes it, so there are no locks.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use super::gaps::Gaps;
use super::latencies::Latencies;
use super::stages::Stages;
use super::tally::{Ended, Tally};
use super::thirds::Thirds;
use crate::bench::load::result::FailureKind;
use crate::bench::load::result::{Recent, Second, SoFar};
use crate::procfs::CpuTime;

/// A start after its time by more than this is late.
const LATE: Duration = Duration::from_millis(10);

/// Seconds that [`Recent`] covers: Locust's window.
const RECENT: usize = 10;

/// The requests of one endpoint, by when they ended.
pub(crate) struct ByPhase {
    pub(crate) ramp_up: Tally,
    pub(crate) steady: Tally,
}

/// The notes of one run.
pub(crate) struct Recorder {
    pub(crate) start: Instant,
    pub(crate) ramp_end: Instant,
    pub(crate) endpoints: Vec<ByPhase>,
    pub(crate) targets: Vec<Tally>,
    pub(crate) failures: BTreeMap<(usize, FailureKind), (Instant, Instant)>,
    pub(crate) seconds: Vec<Second>,
    pub(crate) stages: Stages,
    pub(crate) gaps: Gaps,
    /// Of the steady state's whole seconds.
    pub(crate) thirds: Thirds,
    pub(crate) users: usize,
    pub(crate) think: (Duration, u32),
    pub(crate) starts: Starts,
    in_flight: BTreeSet<(Instant, u64)>,
    begun: u64,
    is_steady: bool,
    this_second: Tally,
    /// Of the last seconds, the latest last.
    recent: VecDeque<Latencies>,
    so_far: Tally,
    second_began: Instant,
    cpu: CpuTime,
}

/// How an open loop kept its clock.
pub(crate) struct Starts {
    pub(crate) dropped: u64,
    pub(crate) late: u64,
    pub(crate) lateness: Latencies,
    pub(crate) made: u64,
}

/// A request in flight.
#[derive(Clone, Copy)]
pub(crate) struct Ticket {
    /// From when its latency counts.
    since: Instant,
    sent: Instant,
    number: u64,
}

impl Recorder {
    pub(crate) fn new(
        endpoints: usize,
        targets: usize,
        start: Instant,
        ramp_end: Instant,
        seed: u64,
    ) -> Self {
        let by_phase = || ByPhase { ramp_up: Tally::new(), steady: Tally::new() };
        Self {
            start,
            ramp_end,
            endpoints: std::iter::repeat_with(by_phase).take(endpoints).collect(),
            targets: vec![Tally::new(); targets],
            failures: BTreeMap::new(),
            seconds: Vec::new(),
            stages: Stages::new(seed),
            gaps: Gaps::new(),
            thirds: Thirds::new(),
            users: 0,
            think: (Duration::ZERO, 0),
            starts: Starts { dropped: 0, late: 0, lateness: Latencies::new(), made: 0 },
            in_flight: BTreeSet::new(),
            begun: 0,
            is_steady: start == ramp_end,
            this_second: Tally::new(),
            recent: VecDeque::new(),
            so_far: Tally::new(),
            second_began: start,
            cpu: CpuTime::now(),
        }
    }

    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    /// How long the oldest request in flight has been so.
    pub(crate) fn oldest(&self, now: Instant) -> Option<Duration> {
        self.in_flight.first().map(|(since, _)| now.saturating_duration_since(*since))
    }

    /// A request begins; its latency counts from `since`.
    pub(crate) fn begin(&mut self, since: Instant, now: Instant) -> Ticket {
        self.begun += 1;
        let ticket = Ticket { since, sent: now, number: self.begun };
        self.in_flight.insert((ticket.since, ticket.number));
        self.gaps.sent(now);
        ticket
    }

    /// A start of the open loop, made at `now` instead of `intended`.
    pub(crate) fn started(&mut self, intended: Instant, now: Instant) {
        let lateness = now.saturating_duration_since(intended);
        self.starts.made += 1;
        self.starts.late += u64::from(lateness > LATE);
        self.starts.lateness.record(lateness);
    }

    /// A user will think for so long.
    pub(crate) fn paused(&mut self, pause: Duration) {
        self.think.0 += pause;
        self.think.1 += 1;
    }

    /// A request has ended; `server_timing` is what a good prediction came with.
    pub(crate) fn end(
        &mut self,
        ticket: Ticket,
        endpoint: usize,
        target: usize,
        now: Instant,
        ended: &Ended,
        server_timing: Option<&str>,
    ) {
        self.in_flight.remove(&(ticket.since, ticket.number));
        if !self.is_steady && now >= self.ramp_end {
            self.is_steady = true;
            self.gaps.restart(now);
        }
        self.gaps.answered(now, self.in_flight.len());
        let by_phase = &mut self.endpoints[endpoint];
        let phase = if self.is_steady { &mut by_phase.steady } else { &mut by_phase.ramp_up };
        for tally in [phase, &mut self.targets[target], &mut self.this_second, &mut self.so_far] {
            tally.record(ended);
        }
        if let Some(kind) = ended.failure {
            self.failures.entry((endpoint, kind)).or_insert((now, now)).1 = now;
        }
        if let Some(field) = server_timing.filter(|_| self.is_steady) {
            // Not from when it should have been sent: that it was late is no stage of the server or the network.
            self.stages.record(now.saturating_duration_since(ticket.sent), field);
        }
    }

    /// Closes a second, or what there is of the last one.
    pub(crate) fn close_second(&mut self, now: Instant) {
        let length = now.saturating_duration_since(self.second_began).as_secs_f64();
        let cpu = CpuTime::now();
        let recent = self.recent();
        if self.second_began >= self.ramp_end && length > 0.99 {
            self.thirds.push(&self.this_second.latencies);
        }
        let (second, so_far) = (&self.this_second, &self.so_far);
        self.seconds.push(Second {
            at_s: now.saturating_duration_since(self.start).as_secs_f64(),
            users: self.users,
            in_flight: self.in_flight.len(),
            requests: second.requests,
            failures: second.failures(),
            rps: if length > 0.0 { second.requests as f64 / length } else { 0.0 },
            p50_ms: second.latencies.percentile_ms(50.0),
            p95_ms: second.latencies.percentile_ms(95.0),
            p99_ms: second.latencies.percentile_ms(99.0),
            recent,
            generator_cpu: (length > 0.0).then(|| (cpu.thread - self.cpu.thread) / length),
            machine_cpu: cpu
                .machine
                .zip(self.cpu.machine)
                .filter(|_| length > 0.5)
                .map(|(now, before)| (now - before) / length),
            so_far: SoFar {
                requests: so_far.requests,
                failures: so_far.failures(),
                median_ms: so_far.latencies.percentile_ms(50.0),
                average_ms: so_far.latencies.average_ms(),
                min_ms: so_far.latencies.min_ms(),
                max_ms: so_far.latencies.max_ms(),
                bytes_received: so_far.bytes_received,
                percentiles_ms: so_far.latencies.percentiles_ms(),
            },
        });
        self.this_second.clear();
        self.second_began = now;
        self.cpu = cpu;
    }

    /// Takes up this second's latencies.
    fn recent(&mut self) -> Recent {
        self.recent.push_back(self.this_second.latencies.clone());
        if self.recent.len() > RECENT {
            self.recent.pop_front();
        }
        let mut sum = Latencies::new();
        self.recent.iter().for_each(|latencies| sum.add(latencies));
        let [p50_ms, p95_ms, p99_ms] = [50.0, 95.0, 99.0].map(|p| sum.percentile_ms(p));
        Recent { p50_ms, p95_ms, p99_ms }
    }

    pub(crate) fn so_far(&self) -> &Tally {
        &self.so_far
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_late_start_is_in_the_latency_and_in_no_stage() {
        let start = Instant::now();
        let mut recorder = Recorder::new(1, 1, start, start, 1);
        for n in 0..20 {
            let intended = start + Duration::from_millis(100 * n);
            let sent = intended + Duration::from_millis(50);
            let ticket = recorder.begin(intended, sent);
            let now = sent + Duration::from_millis(10);
            let latency = now.saturating_duration_since(intended);
            let ended = Ended { latency, failure: None, bytes_sent: 1, bytes_received: 1 };
            recorder.end(ticket, 0, 0, now, &ended, Some("inference;dur=8"));
        }
        let mean = |stages: &[crate::bench::load::result::Stage], name: &str| {
            stages.iter().find(|s| s.name == name).and_then(|s| s.mean_ms).expect("a stage")
        };
        assert_eq!(recorder.so_far().latencies.average_ms(), Some(60.0));
        let stages = recorder.stages.summary();
        assert!((mean(&stages, "other") - 2.0).abs() < 1e-3, "{stages:?}");
        assert!((mean(&stages, "inference") - 8.0).abs() < 1e-3, "{stages:?}");
    }
}
