//! From flags to the runs that are to be done.

use std::time::Duration;

use super::result::{Arrival, Load, Plan, Scenario, Weight};
use crate::cli::{self, LoadArgs};

pub(crate) struct Planned {
    pub(crate) scenario: Scenario,
    pub(crate) plan: Plan,
}

impl Planned {
    pub(crate) fn name(&self) -> String {
        self.scenario.run_name(&self.plan.load)
    }
}

/// A written test: users, users started per second, minutes.
type Written = (Scenario, usize, f64, u64);

const LIGHT: Written = (Scenario::Light, 10, 2.0, 2);
const MEDIUM: Written = (Scenario::Medium, 50, 5.0, 3);
const HEAVY: Written = (Scenario::Heavy, 100, 10.0, 3);

const USERS: usize = 10;
const CONNECTIONS: usize = 1000;
const DURATION: Duration = Duration::from_secs(30);

/// All runs, in order; `images` are the names of those that are posted.
pub(crate) fn runs(args: &LoadArgs, images: &[String]) -> Vec<Planned> {
    if let Some(scenario) = args.scenario {
        let chosen = match scenario {
            cli::Scenario::Light => vec![LIGHT],
            cli::Scenario::Medium => vec![MEDIUM],
            cli::Scenario::Heavy => vec![HEAVY],
            cli::Scenario::All => vec![LIGHT, MEDIUM, HEAVY],
        };
        let written = |(scenario, users, spawn_rate, minutes)| Planned {
            scenario,
            plan: plan(args, images, closed(args, users, spawn_rate), Duration::from_secs(minutes * 60)),
        };
        return chosen.into_iter().map(written).collect();
    }
    let custom = |load| Planned { scenario: Scenario::Custom, plan: plan(args, images, load, DURATION) };
    let users = |users: usize| custom(closed(args, users, args.spawn_rate.map_or(users as f64, |r| r.0)));
    match (&args.sweep, args.rate) {
        (Some(sweep), _) => sweep.0.iter().map(|n| users(n.get())).collect(),
        (None, Some(rate)) => {
            let connections = args.users.map_or(CONNECTIONS, usize::from);
            vec![custom(Load::Open { rate: rate.0, arrival: args.arrival.into(), connections })]
        }
        (None, None) => vec![users(args.users.map_or(USERS, usize::from))],
    }
}

fn closed(args: &LoadArgs, users: usize, spawn_rate: f64) -> Load {
    let think_s = [args.think.min, args.think.max].map(|t| t.as_secs_f64());
    Load::Closed { users, spawn_rate, think_s }
}

fn plan(args: &LoadArgs, images: &[String], load: Load, duration: Duration) -> Plan {
    let weight = |(endpoint, weight): &(String, u32)| Weight { endpoint: endpoint.clone(), weight: *weight };
    Plan {
        load,
        duration_s: args.duration.unwrap_or(duration).as_secs_f64(),
        mix: args.mix.0.iter().map(weight).collect(),
        images: images.to_vec(),
        timeout_s: args.timeout.as_secs_f64(),
        seed: args.seed,
        answers_checked: !args.no_check,
    }
}

impl From<cli::Arrival> for Arrival {
    fn from(arrival: cli::Arrival) -> Self {
        match arrival {
            cli::Arrival::Constant => Self::Constant,
            cli::Arrival::Poisson => Self::Poisson,
        }
    }
}
