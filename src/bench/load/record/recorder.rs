//! Everything that is counted while a run goes on. One event loop does it, so there are no locks.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use super::latencies::{Latencies, Thirds};
use super::served_by::Served;
use super::stages::Stages;
use super::stalls::Gaps;
use super::tally::{Ended, Tally};
use crate::bench::load::result::{FailureKind, Recent, Second, SoFar};
use crate::procfs::CpuTime;

const LATE: Duration = Duration::from_millis(10);

/// The last second of a run may be a short one.
const WHOLE_S: f64 = 0.99;

/// Seconds that [`Recent`] covers: Locust's window.
const RECENT: usize = 10;

pub(super) struct ByPhase {
    pub(super) ramp_up: Tally,
    pub(super) steady: Tally,
}

#[derive(Clone, Copy)]
pub(crate) struct Times {
    pub(crate) start: Instant,
    /// When all users have started.
    pub(crate) ramp_end: Instant,
    pub(crate) end: Instant,
}

impl Times {
    pub(super) fn since_start(&self, at: Instant) -> f64 {
        at.saturating_duration_since(self.start).as_secs_f64()
    }
}

pub(crate) struct Recorder {
    pub(super) times: Times,
    pub(super) endpoints: Vec<ByPhase>,
    pub(super) servers: Vec<Tally>,
    pub(super) served: Served,
    /// By endpoint and kind.
    pub(super) failures: BTreeMap<(usize, FailureKind), FirstAndLast>,
    pub(super) seconds: Vec<Second>,
    pub(super) stages: Stages,
    pub(super) gaps: Gaps,
    pub(super) thirds: Thirds,
    pub(super) pauses: Pauses,
    pub(super) starts: Starts,
    users: usize,
    in_flight: BTreeSet<(Instant, u64)>,
    begun: u64,
    is_steady: bool,
    this_second: Tally,
    recent: VecDeque<Latencies>,
    so_far: Tally,
    second_began: Instant,
    cpu: CpuTime,
}

pub(super) struct Starts {
    pub(super) dropped: u64,
    pub(super) late: u64,
    pub(super) lateness: Latencies,
    pub(super) made: u64,
}

pub(super) struct FirstAndLast {
    pub(super) first: Instant,
    pub(super) last: Instant,
}

/// Think times.
#[derive(Default)]
pub(super) struct Pauses {
    sum: Duration,
    count: u32,
}

impl Pauses {
    pub(super) fn mean_s(&self) -> Option<f64> {
        self.sum.checked_div(self.count).map(|mean| mean.as_secs_f64())
    }
}

#[derive(Clone, Copy)]
pub(crate) struct InFlight {
    pub(crate) requests: usize,
    pub(crate) oldest_since: Option<Instant>,
}

/// A request in flight.
pub(crate) struct Ticket {
    number: u64,
    endpoint: usize,
    server: usize,
    /// From when its latency counts.
    since: Instant,
    sent: Instant,
}

impl Recorder {
    pub(crate) fn new(endpoints: usize, servers: usize, times: Times, seed: u64) -> Self {
        let by_phase = || ByPhase { ramp_up: Tally::new(), steady: Tally::new() };
        Self {
            times,
            endpoints: std::iter::repeat_with(by_phase).take(endpoints).collect(),
            servers: vec![Tally::new(); servers],
            served: Served::default(),
            failures: BTreeMap::new(),
            seconds: Vec::new(),
            stages: Stages::new(seed),
            gaps: Gaps::new(),
            thirds: Thirds::after(times.since_start(times.ramp_end)),
            pauses: Pauses::default(),
            starts: Starts { dropped: 0, late: 0, lateness: Latencies::new(), made: 0 },
            users: 0,
            in_flight: BTreeSet::new(),
            begun: 0,
            is_steady: times.start == times.ramp_end,
            this_second: Tally::new(),
            recent: VecDeque::new(),
            so_far: Tally::new(),
            second_began: times.start,
            cpu: CpuTime::now(),
        }
    }

    pub(crate) fn in_flight(&self) -> InFlight {
        let oldest = self.in_flight.first();
        InFlight { requests: self.in_flight.len(), oldest_since: oldest.map(|(since, _)| *since) }
    }

    pub(crate) fn user_started(&mut self) {
        self.users += 1;
    }

    /// A start of the open loop that no connection was free for.
    pub(crate) fn dropped(&mut self) {
        self.starts.dropped += 1;
    }

    /// A request is sent now; its latency counts from `since`.
    pub(crate) fn begin(&mut self, endpoint: usize, server: usize, since: Instant, now: Instant) -> Ticket {
        self.begun += 1;
        self.in_flight.insert((since, self.begun));
        self.gaps.sent(now);
        Ticket { number: self.begun, endpoint, server, since, sent: now }
    }

    pub(crate) fn started(&mut self, intended: Instant, now: Instant) {
        let lateness = now.saturating_duration_since(intended);
        self.starts.made += 1;
        self.starts.late += u64::from(lateness > LATE);
        self.starts.lateness.record(lateness);
    }

    pub(crate) fn paused(&mut self, pause: Duration) {
        self.pauses.sum += pause;
        self.pauses.count += 1;
    }

    pub(crate) fn end(&mut self, ticket: Ticket, ended: &Ended<'_>) {
        let Ticket { number, endpoint, server, since, sent } = ticket;
        self.in_flight.remove(&(since, number));
        self.enter_steady(ended.at);
        self.gaps.answered(ended.at, self.in_flight.len());
        let by_phase = &mut self.endpoints[endpoint];
        let phase = if self.is_steady { &mut by_phase.steady } else { &mut by_phase.ramp_up };
        let latency = ended.at.saturating_duration_since(since);
        for tally in [phase, &mut self.servers[server], &mut self.this_second, &mut self.so_far] {
            tally.record(latency, ended);
        }
        if let Some(name) = ended.served_by {
            self.served.count(name);
        }
        if let Some(kind) = ended.failure {
            let seen = FirstAndLast { first: ended.at, last: ended.at };
            self.failures.entry((endpoint, kind)).or_insert(seen).last = ended.at;
        }
        if let Some(field) = ended.server_timing.filter(|_| self.is_steady) {
            // Not since it should have been sent: being late is no stage of the server or the network.
            self.stages.record(ended.at.saturating_duration_since(sent), field);
        }
    }

    /// The first request that ends after the ramp-up ends it.
    fn enter_steady(&mut self, now: Instant) {
        if !self.is_steady && now >= self.times.ramp_end {
            self.is_steady = true;
            self.gaps.restart(now);
        }
    }

    pub(crate) fn close_second(&mut self, now: Instant) {
        let length = now.saturating_duration_since(self.second_began).as_secs_f64();
        let cpu = CpuTime::now();
        let recent = self.recent();
        // By the clock of the run: a second that is closed late makes the next one look short.
        if self.times.since_start(now) > self.seconds.len() as f64 + WHOLE_S {
            self.thirds.add(self.seconds.len(), &self.this_second.latencies);
        }
        let (second, so_far) = (&self.this_second, &self.so_far);
        self.seconds.push(Second {
            at_s: self.times.since_start(now),
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

    pub(crate) fn last_second(&self) -> Option<&Second> {
        self.seconds.last()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_late_start_is_in_the_latency_and_in_no_stage() {
        let start = Instant::now();
        let times = Times { start, ramp_end: start, end: start + Duration::from_secs(2) };
        let mut recorder = Recorder::new(1, 1, times, 1);
        for n in 0..20 {
            let intended = start + Duration::from_millis(100 * n);
            let sent = intended + Duration::from_millis(50);
            let ticket = recorder.begin(0, 0, intended, sent);
            let at = sent + Duration::from_millis(10);
            let server_timing = Some("inference;dur=8");
            let ended =
                Ended { at, failure: None, bytes_sent: 1, bytes_received: 1, server_timing, served_by: None };
            recorder.end(ticket, &ended);
        }
        let mean = |stages: &[crate::bench::load::result::Stage], name: &str| {
            stages.iter().find(|s| s.name == name).and_then(|s| s.mean_ms).expect("a stage")
        };
        assert_eq!(recorder.so_far.latencies.average_ms(), Some(60.0));
        let stages = recorder.stages.summary();
        assert!((mean(&stages, "other") - 2.0).abs() < 1e-3, "{stages:?}");
        assert!((mean(&stages, "inference") - 8.0).abs() < 1e-3, "{stages:?}");
    }
}
