//! What Prometheus scrapes.

use std::time::Duration;

use prometheus::core::Collector;
use prometheus::proto::MetricFamily;
use prometheus::{
    Counter, Gauge, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, Opts, Registry,
    TextEncoder,
};
use skinclf::{Reason, Timings};

/// From a cached page to a request at the end of a full queue, in seconds.
const BUCKETS: [f64; 14] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// The service's counters, gauges and histograms.
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
        let unusable = Opts::new("skinclf_unusable_total", "Pictures that were not usable, by reason.");
        let unusable = registered(&registry, IntCounterVec::new(unusable, &["reason"]));
        for reason in Reason::ALL {
            unusable.with_label_values(&[reason.code()]); // there from the start, as 0
        }
        Self {
            requests: registered(&registry, IntCounterVec::new(requests, &["route", "code"])),
            duration: histogram(
                "skinclf_request_duration_seconds",
                "Time from a request's head to its answer, the upload and the queue included.",
                "route",
            ),
            stages: histogram(
                "skinclf_stage_duration_seconds",
                "Time of one classification's stages, the wait for a worker included as queue.",
                "stage",
            ),
            unusable,
            in_flight: gauge("skinclf_in_flight", "Requests being received, waiting or worked on."),
            queue_depth: gauge("skinclf_queue_depth", "Predictions waiting for a worker."),
            connections: gauge("skinclf_connections", "Open client connections."),
            shed: counter("skinclf_shed_total", "Requests refused with 503 because too much was going on."),
            evicted: counter(
                "skinclf_connections_evicted_total",
                "Connections closed to make room for new ones, idle ones first.",
            ),
            registry,
        }
    }

    /// One classification, and why its picture was not usable.
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

/// What the system counts. Made anew for each scrape: one that was kept and added to would count twice what two
/// scrapes at once add.
fn process() -> Vec<MetricFamily> {
    let cpu = Counter::new("process_cpu_seconds_total", "User and system CPU time spent in seconds.");
    let memory = Gauge::new("process_resident_memory_bytes", "Resident memory size in bytes.");
    let (cpu, memory) = (cpu.expect("a valid name"), memory.expect("a valid name"));
    cpu.inc_by(cpu_seconds().unwrap_or_default());
    memory.set(resident_bytes().unwrap_or_default());
    [cpu.collect(), memory.collect()].concat()
}

fn registered<M: Collector + Clone + 'static>(registry: &Registry, metric: prometheus::Result<M>) -> M {
    let metric = metric.expect("a valid name");
    registry.register(Box::new(metric.clone())).expect("each name once");
    metric
}

/// CPU time of this process, from fields 14 and 15 of /proc/self/stat (proc(5)); their unit is
/// USER_HZ, 100 per second on every Linux architecture that Rust runs on.
fn cpu_seconds() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let after_name = stat.rsplit_once(')')?.1;
    let ticks = after_name.split_whitespace().skip(11).take(2).map(str::parse::<f64>);
    Some(ticks.sum::<Result<f64, _>>().ok()? / 100.0)
}

fn resident_bytes() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let kib = status.lines().find_map(|l| l.strip_prefix("VmRSS:"))?.trim().trim_end_matches(" kB");
    kib.parse::<f64>().ok().map(|kib| kib * 1024.0)
}
