//! Figures that follow from others.

use std::fmt;

use super::run::{Endpoint, Load, Run, Second, Verdict};

/// Share of all cores from which on a server counts as busy.
const BUSY_SERVER: f64 = 0.85;

impl Load {
    /// What people call a run of a scenario: `light`, or what tells one without a name from the others.
    pub(crate) fn named(&self, scenario: &str) -> String {
        if scenario == "custom" { self.to_string() } else { scenario.to_owned() }
    }
}

/// `50 users`, `100 starts/s`.
impl fmt::Display for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed { users: 1, .. } => f.write_str("1 user"),
            Self::Closed { users, .. } => write!(f, "{users} users"),
            Self::Open { rate, .. } => write!(f, "{rate} starts/s"),
        }
    }
}

impl Verdict {
    /// Whether the figures are not to be relied on.
    pub(crate) fn spoils_figures(self) -> bool {
        match self {
            Self::Valid | Self::NotSaturated => false,
            Self::ClientSaturated | Self::Unstable | Self::TooShort | Self::Failed => true,
        }
    }
}

impl Run {
    pub(crate) fn name(&self) -> String {
        self.plan.load.named(&self.scenario)
    }

    /// The endpoints and the total of the steady state; of the whole run, where it has none.
    pub(crate) fn steady_endpoints(&self) -> &[Endpoint] {
        self.steady_state.as_ref().map_or(&self.endpoints, |phase| &phase.endpoints)
    }

    pub(crate) fn steady_total(&self) -> Option<&Endpoint> {
        self.steady_endpoints().last()
    }

    /// Whole seconds of the steady state.
    pub(crate) fn steady_seconds(&self) -> impl Iterator<Item = &Second> {
        let from_s = self.steady_state.as_ref().map_or(f64::INFINITY, |phase| phase.from_s);
        let whole = move |(n, second): &(usize, &Second)| {
            // The last second may be a short one.
            second.at_s > *n as f64 + 0.99 && second.at_s - 0.99 >= from_s
        };
        self.series.iter().enumerate().filter(whole).map(|(_, second)| second)
    }

    /// Mean over the seconds of the steady state that have a value.
    pub(crate) fn mean_of_steady(&self, value: impl Fn(&Second) -> Option<f64>) -> Option<f64> {
        let values: Vec<f64> = self.steady_seconds().filter_map(value).collect();
        (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
    }

    /// Cores that the servers on this machine used in the steady state.
    pub(crate) fn local_server_cpu(&self) -> Option<f64> {
        let local = self.targets.iter().filter(|t| t.shares_machine);
        local.filter_map(|t| t.usage.as_ref()?.cpu_mean).reduce(|a, b| a + b)
    }

    /// Requests that waited for a worker in the steady state, on average; of several servers, the most.
    pub(crate) fn queue_mean(&self) -> Option<f64> {
        self.targets.iter().filter_map(|t| t.usage.as_ref()?.queue_mean).reduce(f64::max)
    }

    /// Share (0 to 1) of this machine's cores that the servers on it used in the steady state.
    pub(crate) fn busy(&self, cores: Option<usize>) -> Option<f64> {
        self.local_server_cpu().zip(cores).map(|(used, cores)| used / cores as f64)
    }

    /// Whether a server could do no more, as its queue or its CPU time shows: then this was its capacity.
    pub(crate) fn server_was_full(&self, cores: Option<usize>) -> bool {
        self.queue_mean().is_some_and(|queue| queue >= 1.0)
            || self.busy(cores).is_some_and(|busy| busy >= BUSY_SERVER)
    }

    /// Think time as planned, on average; `None` in an open loop.
    pub(crate) fn think_s(&self) -> Option<f64> {
        match self.plan.load {
            Load::Closed { think_s: [min, max], .. } => Some(self.think_mean_s.unwrap_or((min + max) / 2.0)),
            Load::Open { .. } => None,
        }
    }
}
