//! Counts and latencies of some requests.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::latencies::Latencies;
use crate::bench::load::result::{Endpoint, FailureKind};

/// How a request ended.
#[derive(Clone, Copy)]
pub(crate) struct Ended<'r> {
    pub(crate) at: Instant,
    pub(crate) failure: Option<FailureKind>,
    pub(crate) bytes_sent: u64,
    pub(crate) bytes_received: u64,
    /// Of a prediction that succeeded.
    pub(crate) server_timing: Option<&'r str>,
    /// The replica that answered, if a balancer says so.
    pub(crate) served_by: Option<&'r str>,
}

#[derive(Clone)]
pub(super) struct Tally {
    pub(super) requests: u64,
    pub(super) kinds: BTreeMap<FailureKind, u64>,
    pub(super) latencies: Latencies,
    pub(super) bytes_sent: u64,
    pub(super) bytes_received: u64,
}

impl Tally {
    pub(super) fn new() -> Self {
        Self {
            requests: 0,
            kinds: BTreeMap::new(),
            latencies: Latencies::new(),
            bytes_sent: 0,
            bytes_received: 0,
        }
    }

    pub(super) fn record(&mut self, latency: Duration, ended: &Ended<'_>) {
        self.requests += 1;
        self.bytes_sent += ended.bytes_sent;
        self.bytes_received += ended.bytes_received;
        if let Some(kind) = ended.failure {
            *self.kinds.entry(kind).or_default() += 1;
        }
        // A request that timed out took at least so long; one that failed at once would flatter the figures.
        if matches!(ended.failure, None | Some(FailureKind::Timeout)) {
            self.latencies.record(latency);
        }
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.requests += other.requests;
        self.bytes_sent += other.bytes_sent;
        self.bytes_received += other.bytes_received;
        self.latencies.add(&other.latencies);
        for (kind, count) in &other.kinds {
            *self.kinds.entry(*kind).or_default() += count;
        }
    }

    pub(super) fn clear(&mut self) {
        self.requests = 0;
        self.kinds.clear();
        self.latencies.clear();
        (self.bytes_sent, self.bytes_received) = (0, 0);
    }

    pub(super) fn failures(&self) -> u64 {
        self.kinds.values().sum()
    }

    pub(super) fn figures(&self, name: &str, method: &str, seconds: f64) -> Endpoint {
        let per_second = |count: u64| if seconds > 0.0 { count as f64 / seconds } else { 0.0 };
        let latencies = &self.latencies;
        Endpoint {
            name: name.to_owned(),
            method: method.to_owned(),
            requests: self.requests,
            failures: self.failures(),
            failures_by_kind: self.kinds.iter().map(|(kind, count)| (kind.to_string(), *count)).collect(),
            median_ms: latencies.percentile_ms(50.0),
            p90_ms: latencies.percentile_ms(90.0),
            p95_ms: latencies.percentile_ms(95.0),
            p99_ms: latencies.percentile_ms(99.0),
            p999_ms: latencies.percentile_ms(99.9),
            average_ms: latencies.average_ms(),
            min_ms: latencies.min_ms(),
            max_ms: latencies.max_ms(),
            rps: per_second(self.requests),
            failures_per_s: per_second(self.failures()),
            bytes_sent: self.bytes_sent,
            bytes_received: self.bytes_received,
            percentiles_ms: latencies.percentiles_ms(),
            histogram: latencies.bins(),
        }
    }
}
