//! What servers used, the replicas behind a balancer, and the containers that they run in.

use serde::{Deserialize, Serialize};

/// What a server used; means over the steady state.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Usage {
    pub(crate) cpu_mean: Option<f64>,
    pub(crate) rss_max_bytes: Option<f64>,
    pub(crate) queue_mean: Option<f64>,
    pub(crate) queue_max: Option<f64>,
    pub(crate) series: Vec<UsageSample>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct UsageSample {
    pub(crate) at_s: f64,
    /// In cores, since the sample before.
    pub(crate) cpu: Option<f64>,
    pub(crate) rss_bytes: Option<f64>,
    pub(crate) queue: Option<f64>,
    pub(crate) in_flight: Option<f64>,
}

/// A replica, asked at its own address.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ReplicaFigures {
    pub(crate) name: String,
    pub(crate) url: String,
    pub(crate) shares_machine: bool,
    /// Answered in the run by its own count, to whichever client.
    pub(crate) predictions: Option<u64>,
    /// Of the predictions of all replicas.
    pub(crate) share: Option<f64>,
    /// Its CPU counts as 0 while it was not there.
    pub(crate) usage: Option<Usage>,
}

/// Answers with one name in the header `X-Served-By`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ServedBy {
    pub(crate) name: String,
    pub(crate) requests: u64,
    /// Of the answers that have the header.
    pub(crate) share: f64,
}

/// A container as its engine counts it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ContainerFigures {
    pub(crate) name: String,
    /// In cores; absent without a cap.
    pub(crate) cpu_cap: Option<f64>,
    pub(crate) memory_limit_bytes: Option<f64>,
    /// In cores, in the steady state; 0 counts while it did not run.
    pub(crate) cpu_mean: Option<f64>,
    pub(crate) memory_max_bytes: Option<f64>,
    /// How long its CPU cap kept its threads from running, in the whole run; of several cores at once, the sum.
    pub(crate) throttled_s: Option<f64>,
    pub(crate) series: Vec<ContainerSample>,
}

/// All but the time are absent while the container does not run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ContainerSample {
    pub(crate) at_s: f64,
    /// In cores, since the sample before.
    pub(crate) cpu: Option<f64>,
    pub(crate) memory_bytes: Option<f64>,
    /// Seconds a second.
    pub(crate) throttled: Option<f64>,
}
