//! One run of a load test: plain figures between what measures and what prints.
//!
//! `docs/load-schema.json` describes each field: this is what `--format json` writes, and `--from` and `--compare` read
//! back. A figure is `None` where it has too few samples (the rule of `skinclf::stats`).

use std::collections::BTreeMap;
use std::ops::Deref;

use serde::ser::SerializeStruct as _;
use serde::{Deserialize, Serialize, Serializer};

use super::usage::{ContainerFigures, ReplicaFigures, ServedBy, Usage};
use crate::cli::Condition;

/// The endpoint that takes an image; all others are asked with GET.
pub(crate) const PREDICT: &str = "/predict";

/// The name of [`Endpoints::total`].
pub(crate) const TOTAL: &str = "Total";

/// A run: what was measured, and what that means.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Run {
    #[serde(flatten)]
    pub(crate) measured: Measured,
    pub(crate) verdict: Verdict,
    pub(crate) verdict_reasons: Vec<String>,
    pub(crate) findings: Vec<Finding>,
    pub(crate) thresholds: Vec<Threshold>,
}

/// A run before it is judged.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Measured {
    pub(crate) scenario: Scenario,
    pub(crate) purpose: Option<String>,
    pub(crate) plan: Plan,
    pub(crate) started_at: String,
    pub(crate) elapsed_s: f64,
    pub(crate) interrupted: bool,
    pub(crate) endpoints: Endpoints,
    /// While users were being started; absent where all began at once (open loop).
    pub(crate) ramp_up: Option<Phase>,
    /// From the last user's start to the planned end; absent where the run ended before.
    pub(crate) steady_state: Option<Phase>,
    pub(crate) failure_times: Vec<FailureTimes>,
    pub(crate) series: Vec<Second>,
    /// Where the time of `/predict` goes in the steady state; empty without `Server-Timing`.
    pub(crate) stages: Vec<Stage>,
    pub(crate) think_mean_s: Option<f64>,
    pub(crate) stalls: Vec<Stall>,
    pub(crate) unfinished: Unfinished,
    pub(crate) targets: Vec<ServerFigures>,
    /// Absent in files of versions that knew no balancer, as the next two.
    #[serde(default)]
    pub(crate) replicas: Vec<ReplicaFigures>,
    #[serde(default)]
    pub(crate) served_by: Vec<ServedBy>,
    #[serde(default)]
    pub(crate) containers: Vec<ContainerFigures>,
    pub(crate) generator: Generator,
    /// Open loop only.
    pub(crate) starts: Option<Starts>,
    /// Not saved: the verdict on them is.
    #[serde(skip)]
    pub(crate) tails: Option<Tails>,
}

/// A run is read like its measurement.
impl Deref for Run {
    type Target = Measured;

    fn deref(&self) -> &Measured {
        &self.measured
    }
}

/// In the order of `docs/load-schema.json`, where the verdict comes before the details.
impl Serialize for Run {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Run", 25)?;
        macro_rules! save {
            ($($field:ident),+) => { $(fields.serialize_field(stringify!($field), &self.$field)?;)+ };
        }
        save!(scenario, purpose, plan, started_at, elapsed_s, interrupted, endpoints, ramp_up, steady_state);
        save!(verdict, verdict_reasons, findings, failure_times, series, stages, think_mean_s, stalls);
        save!(unfinished, targets, replicas, served_by, containers, generator, starts, thresholds);
        fields.end()
    }
}

/// The written test that a run is of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub(crate) enum Scenario {
    Light,
    Medium,
    Heavy,
    /// No written test: load and duration are those of the flags.
    Custom,
    /// The name of the file that a compared run is from, or a scenario of another version.
    Named(String),
}

impl From<String> for Scenario {
    fn from(name: String) -> Self {
        match &*name {
            "light" => Self::Light,
            "medium" => Self::Medium,
            "heavy" => Self::Heavy,
            "custom" => Self::Custom,
            _ => Self::Named(name),
        }
    }
}

impl From<Scenario> for String {
    fn from(scenario: Scenario) -> Self {
        scenario.as_str().to_owned()
    }
}

impl Scenario {
    pub(crate) fn as_str(&self) -> &str {
        match self {
            Self::Light => "light",
            Self::Medium => "medium",
            Self::Heavy => "heavy",
            Self::Custom => "custom",
            Self::Named(name) => name,
        }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Plan {
    pub(crate) load: Load,
    pub(crate) duration_s: f64,
    pub(crate) mix: Vec<Weight>,
    pub(crate) images: Vec<String>,
    pub(crate) timeout_s: f64,
    pub(crate) seed: u64,
    pub(crate) answers_checked: bool,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub(crate) enum Load {
    /// Users, each of whom waits for an answer, thinks, and asks again.
    Closed { users: usize, spawn_rate: f64, think_s: [f64; 2] },
    /// A clock; latency counts from the intended start.
    Open { rate: f64, arrival: Arrival, connections: usize },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Arrival {
    Constant,
    Poisson,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Weight {
    pub(crate) endpoint: String,
    pub(crate) weight: u32,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Phase {
    pub(crate) from_s: f64,
    pub(crate) to_s: f64,
    pub(crate) endpoints: Endpoints,
}

/// Figures of one endpoint, or of all.
///
/// Latencies are those of successful requests and of requests that timed out, which took at least so long;
/// other failures have none, for a refusal at once would flatter the figures.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Endpoint {
    pub(crate) name: String,
    /// Empty for the total.
    pub(crate) method: String,
    pub(crate) requests: u64,
    pub(crate) failures: u64,
    /// `connect`, `timeout`, `reset`, `status_503` …, `wrong_answer`, `bad_response`.
    pub(crate) failures_by_kind: BTreeMap<String, u64>,
    pub(crate) median_ms: Option<f64>,
    pub(crate) p90_ms: Option<f64>,
    pub(crate) p95_ms: Option<f64>,
    pub(crate) p99_ms: Option<f64>,
    pub(crate) p999_ms: Option<f64>,
    pub(crate) average_ms: Option<f64>,
    pub(crate) min_ms: Option<f64>,
    pub(crate) max_ms: Option<f64>,
    /// All requests per second, also those that failed.
    pub(crate) rps: f64,
    pub(crate) failures_per_s: f64,
    pub(crate) bytes_sent: u64,
    pub(crate) bytes_received: u64,
    /// At [`PERCENTILES`], in their order.
    pub(crate) percentiles_ms: Vec<Option<f64>>,
    /// Bins that hold something, ascending; 40 a decade.
    pub(crate) histogram: Vec<Bin>,
}

/// Saved as one list, whose last entry is the total.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "Vec<Endpoint>")]
pub(crate) struct Endpoints {
    /// In the order of the mix.
    pub(crate) each: Vec<Endpoint>,
    /// Of all endpoints together, from the same samples: its percentiles are not means.
    pub(crate) total: Endpoint,
}

impl Endpoints {
    /// The total last.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Endpoint> {
        self.each.iter().chain([&self.total])
    }
}

impl Endpoint {
    /// The row of a report's table that sums up the others.
    pub(crate) fn is_total(&self) -> bool {
        self.name == TOTAL
    }
}

impl TryFrom<Vec<Endpoint>> for Endpoints {
    type Error = &'static str;

    fn try_from(mut all: Vec<Endpoint>) -> Result<Self, Self::Error> {
        let total = all.pop().filter(Endpoint::is_total);
        total.map(|total| Self { each: all, total }).ok_or("the last of the endpoints is not Total")
    }
}

impl Serialize for Endpoints {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.all())
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct FailureTimes {
    pub(crate) endpoint: String,
    pub(crate) kind: String,
    pub(crate) first_s: f64,
    pub(crate) last_s: f64,
}

/// The percentiles of [`Endpoint::percentiles_ms`] and [`SoFar::percentiles_ms`]: Locust's columns.
pub(crate) const PERCENTILES: [f64; 11] =
    [50.0, 66.0, 75.0, 80.0, 90.0, 95.0, 98.0, 99.0, 99.9, 99.99, 100.0];

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Bin {
    pub(crate) from_ms: f64,
    pub(crate) to_ms: f64,
    pub(crate) count: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING-KEBAB-CASE")]
pub(crate) enum Verdict {
    Valid,
    ClientSaturated,
    NotSaturated,
    Unstable,
    TooShort,
    Failed,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Finding {
    /// For programs: `capacity`, `littles_law`, `stage_shares` …
    pub(crate) code: String,
    pub(crate) text: String,
    pub(crate) numbers: BTreeMap<String, f64>,
}

impl Finding {
    pub(crate) fn new(code: &str, text: String, numbers: &[(&str, f64)]) -> Self {
        let numbers = numbers.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect();
        Self { code: code.to_owned(), text, numbers }
    }
}

/// One second of a run, by when requests ended.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Second {
    pub(crate) at_s: f64,
    pub(crate) users: usize,
    pub(crate) in_flight: usize,
    pub(crate) requests: u64,
    pub(crate) failures: u64,
    /// `requests` per second; the last second may be a short one.
    pub(crate) rps: f64,
    pub(crate) p50_ms: Option<f64>,
    pub(crate) p95_ms: Option<f64>,
    pub(crate) p99_ms: Option<f64>,
    /// Of the ten seconds up to here, for loads with few requests a second.
    pub(crate) recent: Recent,
    /// Of the generator, in cores.
    pub(crate) generator_cpu: Option<f64>,
    /// Of all processes on the generator's machine, in cores; what a hypervisor took counts as used.
    pub(crate) machine_cpu: Option<f64>,
    pub(crate) so_far: SoFar,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Recent {
    pub(crate) p50_ms: Option<f64>,
    pub(crate) p95_ms: Option<f64>,
    pub(crate) p99_ms: Option<f64>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct SoFar {
    pub(crate) requests: u64,
    pub(crate) failures: u64,
    pub(crate) median_ms: Option<f64>,
    pub(crate) average_ms: Option<f64>,
    pub(crate) min_ms: Option<f64>,
    pub(crate) max_ms: Option<f64>,
    pub(crate) bytes_received: u64,
    pub(crate) percentiles_ms: Vec<Option<f64>>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Stage {
    /// `queue`, `decode`, `preprocess`, `inference`; `other` is the rest of the time from sending a request
    /// to the end of its answer: network, upload, HTTP.
    pub(crate) name: String,
    pub(crate) mean_ms: Option<f64>,
    pub(crate) p50_ms: Option<f64>,
    pub(crate) p95_ms: Option<f64>,
    pub(crate) p99_ms: Option<f64>,
    /// Share (0 to 1) of the latency of typical requests: those between its p40 and p60.
    pub(crate) share_at_p50: Option<f64>,
    /// Share (0 to 1) of the latency of the slowest 1 %.
    pub(crate) share_at_p99: Option<f64>,
}

/// A time without any answer although requests were in flight: at least 100 ms, and at least 20
/// times what usually lies between two answers.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Stall {
    /// Its end, since the start of the run.
    pub(crate) at_s: f64,
    pub(crate) length_s: f64,
}

/// The slowest latencies of the first and of the last third of a steady state.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Tails {
    pub(crate) p95_ms: [f64; 2],
    /// All latencies of each.
    pub(crate) counts: [usize; 2],
    /// How many of each are larger than the lower p95.
    pub(crate) beyond: [usize; 2],
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Unfinished {
    pub(crate) requests: u64,
    pub(crate) oldest_ms: Option<f64>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ServerFigures {
    pub(crate) url: String,
    pub(crate) version: Option<String>,
    pub(crate) model: Option<ServerModel>,
    /// Whether it competes with the generator for one machine's cores.
    pub(crate) shares_machine: bool,
    pub(crate) requests: u64,
    pub(crate) failures: u64,
    pub(crate) share: Option<f64>,
    pub(crate) rps: f64,
    pub(crate) median_ms: Option<f64>,
    pub(crate) p95_ms: Option<f64>,
    pub(crate) p99_ms: Option<f64>,
    /// From `/metrics`; absent where it gives none of it, and where replicas are asked in its place.
    pub(crate) usage: Option<Usage>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ServerModel {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) sha256: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Generator {
    pub(crate) cpu_seconds: Option<f64>,
    /// In the steady state, of the one core that its event loop can fill (0 to 1).
    pub(crate) cpu_share: Option<f64>,
    pub(crate) requests_per_cpu_second: Option<f64>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Starts {
    pub(crate) planned: u64,
    pub(crate) made: u64,
    pub(crate) dropped: u64,
    /// Made more than 10 ms after their time.
    pub(crate) late: u64,
    pub(crate) late_p99_ms: Option<f64>,
    pub(crate) late_max_ms: Option<f64>,
}

/// One `--fail-if` and what was measured in the steady state; in the whole run, where it has none.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(from = "SavedThreshold")]
pub(crate) struct Threshold {
    pub(crate) condition: String,
    /// In the condition's unit; absent where it has too few samples.
    pub(crate) measured: Option<f64>,
    pub(crate) missed: bool,
    /// `None` where the condition is one of another version.
    #[serde(skip_serializing)]
    pub(super) parsed: Option<Condition>,
}

#[derive(Deserialize)]
struct SavedThreshold {
    condition: String,
    measured: Option<f64>,
    missed: bool,
}

impl From<SavedThreshold> for Threshold {
    fn from(saved: SavedThreshold) -> Self {
        let SavedThreshold { condition, measured, missed } = saved;
        Self { parsed: condition.parse().ok(), condition, measured, missed }
    }
}

/// Where more users stop giving more throughput, among runs whose verdict is VALID or NOT-SATURATED.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Knee {
    #[serde(default)]
    pub(crate) left_out: Vec<usize>,
    /// The fewest users that give 95 % of the largest throughput.
    pub(crate) users: usize,
    #[serde(rename = "rps")]
    pub(crate) good_per_s: f64,
    #[serde(rename = "max_rps")]
    pub(crate) max_good_per_s: f64,
    /// Whether more users were tried, without more throughput; otherwise there may be no knee yet.
    pub(crate) reached: bool,
    /// (R_min + Z) / D_max, where the asymptotes of throughput cross; R_min is the response time
    /// without load, Z the think time, D_max = 1 / `max_good_per_s`.
    pub(crate) predicted_users: Option<f64>,
}
