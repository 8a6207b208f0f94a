//! The counters, gauges and histograms of `/metrics`.

use std::time::Duration;

use prometheus::core::Collector;
use prometheus::proto::MetricFamily;
use prometheus::{
    Counter, Gauge, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, Opts, Registry,
    TextEncoder,
};
use rustix::process::{Resource, getrlimit};
use skinclf::{ModelSpec, Prediction, Reason};

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
    pub(super) workers: IntGauge,
    pub(super) queue_limit: IntGauge,
    predictions: IntCounterVec,
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
        let predictions = Opts::new(
            "skinclf_predictions_total",
            "Images classified, unusable ones included, by predicted class and by whether the malignant probability \
             reaches the model's threshold; flagged is empty if the model has none.",
        );
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
            predictions: registered(&registry, IntCounterVec::new(predictions, &["class", "flagged"])),
            workers: gauge("skinclf_workers", "Predictions that are worked on at once, at most."),
            queue_limit: gauge("skinclf_queue_limit", "Predictions that may wait for a worker, at most."),
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

    /// Names what is running, and makes its predictions be there from the start, as 0. Once.
    pub(super) fn describe(&self, spec: &ModelSpec, isa: &str) {
        let info = Opts::new(
            "skinclf_build_info",
            "Always 1; the labels name the program, its model and its kernels.",
        );
        let labels = [
            ("version", env!("CARGO_PKG_VERSION")),
            ("model", &spec.name),
            ("model_version", &spec.version),
            ("model_sha256", &spec.sha256),
            ("isa", isa),
        ];
        let info = labels.into_iter().fold(info, |info, (name, value)| info.const_label(name, value));
        registered(&self.registry, IntGauge::with_opts(info)).set(1);
        let flags: &[_] =
            if spec.malignancy_threshold.is_some() { &[Some(true), Some(false)] } else { &[None] };
        for label in &spec.labels {
            for flagged in flags {
                self.predictions.with_label_values(&[&*label.code, flagged_label(*flagged)]);
            }
        }
    }

    pub(super) fn observe(&self, prediction: &Prediction, spec: &ModelSpec) {
        let class = &*spec.labels[prediction.class].code;
        self.predictions.with_label_values(&[class, flagged_label(prediction.flagged)]).inc();
        self.observe_unusable(&prediction.reasons);
        self.observe_stage("decode", prediction.timings.decode);
        self.observe_stage("preprocess", prediction.timings.preprocess);
        self.observe_stage("inference", prediction.timings.inference);
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
        TextEncoder::new().encode_to_string(&families).expect("families with metrics")
    }
}

/// An empty label is one that is absent, as `flagged` is from the answer.
fn flagged_label(flagged: Option<bool>) -> &'static str {
    match flagged {
        Some(true) => "true",
        Some(false) => "false",
        None => "",
    }
}

/// Under the names of Prometheus's own client libraries; without what the system does not report. Made anew for each
/// scrape: a counter that was kept and added to would count twice what two scrapes at once add.
fn process() -> Vec<MetricFamily> {
    let limit = getrlimit(Resource::Nofile).current;
    let gauges = [
        ("process_resident_memory_bytes", "Resident memory size in bytes.", procfs::resident_bytes()),
        ("process_open_fds", "Number of open file descriptors.", procfs::open_descriptors()),
        ("process_max_fds", "Maximum number of open file descriptors.", limit),
    ];
    let gauges = gauges.map(|(name, help, value)| (name, help, value.map(|value| value as f64)));
    let started = (
        "process_start_time_seconds",
        "Start time of the process since unix epoch in seconds.",
        procfs::start_time_seconds(),
    );
    let mut families: Vec<_> = gauges
        .into_iter()
        .chain([started])
        .filter_map(|(name, help, value)| {
            let gauge = Gauge::new(name, help).expect("a valid name");
            gauge.set(value?);
            Some(gauge.collect())
        })
        .flatten()
        .collect();
    if let Some(seconds) = procfs::process_cpu_seconds() {
        let cpu = Counter::new("process_cpu_seconds_total", "User and system CPU time spent in seconds.");
        let cpu = cpu.expect("a valid name");
        cpu.inc_by(seconds);
        families.extend(cpu.collect());
    }
    families
}

fn registered<M: Collector + Clone + 'static>(registry: &Registry, metric: prometheus::Result<M>) -> M {
    let metric = metric.expect("a valid name");
    registry.register(Box::new(metric.clone())).expect("each name once");
    metric
}
