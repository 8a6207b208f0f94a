//! Figures that follow from others.

use super::{Endpoint, Load, Run, Second};

impl Run {
    /// The total of the steady state; of the whole run, where it has none.
    pub(crate) fn steady_total(&self) -> Option<&Endpoint> {
        self.steady_state.as_ref().map_or(&self.endpoints, |phase| &phase.endpoints).last()
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

    /// Think time as planned, on average; `None` in an open loop.
    pub(crate) fn think_s(&self) -> Option<f64> {
        match self.plan.load {
            Load::Closed { think_s: [min, max], .. } => Some(self.think_mean_s.unwrap_or((min + max) / 2.0)),
            Load::Open { .. } => None,
        }
    }
}
