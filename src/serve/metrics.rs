//! The counters, gauges and histograms of `/metrics`.

use std::time::Duration;

use prometheus::core::Collector;
use prometheus::proto::MetricFamily;
use prometheus::{
    Counter, Gauge, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, Opts, Registry,
    TextEncoder,
};
use skinclf::{Reason, Timings};

use crate::procfs;

/// In seconds: from a cached page to a request at the end of a full queue.
const BUCKETS: [f64; 14] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

pub(super) struct Metrics {
    registry: Registry,
    pub(super) requests: IntCounterVec,
    pub(super) duration: HistogramVec,
    pub(super) in_flight: IntGauge,
    pub(super) queue_depth: IntGauge,
    pub(super) shed: IntCounter,
    pub(super) connections: IntGauge,
    pub(super) evicted: IntCounter,
    stages: HistogramVec,
    unusable: IntCounterVec,
}

impl Metrics {
    pub(super) fn new() -> Self {
        let registry = Registry::new();
        let counter = |name, help| registered(&registry, IntCounter::new(name, help));
        let gauge = |name, help| registered(&registry, IntGauge::new(name, help));
        let histogram = |name: &str, help: &str, label| {
            let opts = HistogramOpts::new(name, help).buckets(BUCKETS.to_vec());
            registered(&registry, HistogramVec::new(opts, &[label]))
        };
        let requests = Opts::new("skinclf_http_requests_total", "Requests answered.");
        let unusable = Opts::new("skinclf_unusable_total", "Images that were not usable, by reason.");
        let unusable = registered(&registry, IntCounterVec::new(unusable, &["reason"]));
        for reason in Reason::ALL {
            unusable.with_label_values(&[reason.code()]); // there from the start, as 0
        }
        Self {
            requests: registered(&registry, IntCounterVec::new(requests, &["route", "code"])),
            duration: histogram(
                "skinclf_request_duration_seconds",
                "Time from a request's headers to its answer, including the upload and the queue.",
                "route",
            ),
            stages: histogram(
                "skinclf_stage_duration_seconds",
                "Time of each stage of a classification; queue is the wait for a worker.",
                "stage",
            ),
            unusable,
            in_flight: gauge("skinclf_in_flight", "Requests being received, queued or processed."),
            queue_depth: gauge("skinclf_queue_depth", "Predictions waiting for a worker."),
            connections: gauge("skinclf_connections", "Open client connections."),
            shed: counter(
                "skinclf_shed_total",
                "Requests refused with 503 because the queue or the upload memory was full.",
            ),
            evicted: counter(
                "skinclf_connections_evicted_total",
                "Connections closed to make room for new ones, idle ones first.",
            ),
            registry,
        }
    }

    pub(super) fn observe(&self, timings: &Timings, reasons: &[Reason]) {
        self.observe_unusable(reasons);
        self.observe_stage("decode", timings.decode);
        self.observe_stage("preprocess", timings.preprocess);
        self.observe_stage("inference", timings.inference);
    }

    pub(super) fn observe_unusable(&self, reasons: &[Reason]) {
        for reason in reasons {
            self.unusable.with_label_values(&[reason.code()]).inc();
        }
    }

    pub(super) fn observe_stage(&self, stage: &str, duration: Duration) {
        self.stages.with_label_values(&[stage]).observe(duration.as_secs_f64());
    }

    /// Prometheus's text format, version 0.0.4.
    pub(super) fn render(&self) -> String {
        let mut families = process();
        families.extend(self.registry.gather());
        TextEncoder::new().encode_to_string(&families).expect("names and labels are plain ASCII")
    }
}

/// Made anew for each scrape: a counter that was kept and added to would count twice what two scrapes at once add.
fn process() -> Vec<MetricFamily> {
    let cpu = Counter::new("process_cpu_seconds_total", "User and system CPU time spent in seconds.");
    let memory = Gauge::new("process_resident_memory_bytes", "Resident memory size in bytes.");
    let (cpu, memory) = (cpu.expect("a valid name"), memory.expect("a valid name"));
    cpu.inc_by(procfs::process_cpu_seconds().unwrap_or_default());
    memory.set(procfs::resident_bytes().unwrap_or_default() as f64);
    [cpu.collect(), memory.collect()].concat()
}

fn registered<M: Collector + Clone + 'static>(registry: &Registry, metric: prometheus::Result<M>) -> M {
    let metric = metric.expect("a valid name");
    registry.register(Box::new(metric.clone())).expect("each name once");
    metric
}
