//! What loads, scenarios and runs are called.

use std::fmt;

use super::run::{Load, Measured, Scenario};

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

impl Scenario {
    pub(crate) fn purpose(&self) -> Option<&'static str> {
        match self {
            Self::Light => Some("Baseline performance"),
            Self::Medium => Some("Normal production load"),
            Self::Heavy => Some("Stress testing"),
            Self::Custom | Self::Named(_) => None,
        }
    }

    /// The scenario of a compared run, which has the name of its file, even if that is the name of another scenario.
    pub(crate) fn in_file(&self, stem: &str) -> Self {
        if *self != Self::Custom && self.as_str() == stem {
            self.clone()
        } else {
            Self::Named(stem.to_owned())
        }
    }

    /// What a run of it is called: `light`, or the load of a run without a name.
    pub(crate) fn run_name(&self, load: &Load) -> String {
        if *self == Self::Custom { load.to_string() } else { self.as_str().to_owned() }
    }
}

impl Measured {
    pub(crate) fn name(&self) -> String {
        self.scenario.run_name(&self.plan.load)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::load::result::run::Arrival;

    #[test]
    fn a_run_is_called_by_its_scenario_or_its_load() {
        let closed = |users| Load::Closed { users, spawn_rate: 1.0, think_s: [0.0, 0.0] };
        let open = Load::Open { rate: 9.5, arrival: Arrival::Constant, connections: 3 };
        for (scenario, load, name) in [
            (Scenario::Light, closed(10), "light"),
            (Scenario::Custom, closed(10), "10 users"),
            (Scenario::Custom, closed(1), "1 user"),
            (Scenario::Custom, open, "9.5 starts/s"),
            (Scenario::Named("three".to_owned()), closed(10), "three"),
        ] {
            assert_eq!(scenario.run_name(&load), name);
        }
        assert_eq!(Scenario::Medium.in_file("medium"), Scenario::Medium);
        assert_eq!(Scenario::Medium.in_file("light"), Scenario::Named("light".to_owned()));
    }
}
