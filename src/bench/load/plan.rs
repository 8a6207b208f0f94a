//! From flags to the runs that are to be done.

use std::time::Duration;

use super::generate::Upload;
use super::result::{Load, Plan};
use crate::cli::{LoadArgs, Scenario};

/// One run to do.
pub(crate) struct Planned {
    pub(crate) scenario: &'static str,
    pub(crate) purpose: Option<&'static str>,
    pub(crate) plan: Plan,
}

impl Planned {
    /// That of the run.
    pub(crate) fn name(&self) -> String {
        self.plan.load.named(self.scenario)
    }
}

/// A written test: name, purpose, users, users started per second, minutes.
type Written = (&'static str, &'static str, usize, f64, u64);

const LIGHT: Written = ("light", "Baseline performance", 10, 2.0, 2);
const MEDIUM: Written = ("medium", "Normal production load", 50, 5.0, 3);
const HEAVY: Written = ("heavy", "Stress testing", 100, 10.0, 3);

const USERS: usize = 10;
const CONNECTIONS: usize = 1000;
const DURATION: Duration = Duration::from_secs(30);

/// All runs, in order.
pub(crate) fn runs(args: &LoadArgs, images: &[Upload]) -> Vec<Planned> {
    if let Some(scenario) = args.scenario {
        let chosen: &[Written] = match scenario {
            Scenario::Light => &[LIGHT],
            Scenario::Medium => &[MEDIUM],
            Scenario::Heavy => &[HEAVY],
            Scenario::All => &[LIGHT, MEDIUM, HEAVY],
        };
        return chosen.iter().map(|written| of_scenario(args, images, *written)).collect();
    }
    let custom =
        |load| Planned { scenario: "custom", purpose: None, plan: plan(args, images, load, DURATION) };
    let users = |users: usize| custom(closed(args, users, args.spawn_rate.map_or(users as f64, |r| r.0)));
    match (&args.sweep, args.rate) {
        (Some(sweep), _) => sweep.0.iter().map(|n| users(n.get())).collect(),
        (None, Some(rate)) => {
            let connections = args.users.map_or(CONNECTIONS, usize::from);
            vec![custom(Load::Open { rate: rate.0, arrival: args.arrival, connections })]
        }
        (None, None) => vec![users(args.users.map_or(USERS, usize::from))],
    }
}

fn of_scenario(args: &LoadArgs, images: &[Upload], written: Written) -> Planned {
    let (scenario, purpose, users, spawn_rate, minutes) = written;
    let load = closed(args, users, spawn_rate);
    let plan = plan(args, images, load, Duration::from_secs(minutes * 60));
    Planned { scenario, purpose: Some(purpose), plan }
}

fn closed(args: &LoadArgs, users: usize, spawn_rate: f64) -> Load {
    let think_s = [args.think.min, args.think.max].map(|t| t.as_secs_f64());
    Load::Closed { users, spawn_rate, think_s }
}

fn plan(args: &LoadArgs, images: &[Upload], load: Load, duration: Duration) -> Plan {
    Plan {
        load,
        duration_s: args.duration.unwrap_or(duration).as_secs_f64(),
        mix: args.mix.0.clone(),
        images: images.iter().map(|i| i.name.clone()).collect(),
        timeout_s: args.timeout.as_secs_f64(),
        seed: args.seed,
        answers_checked: !args.no_check,
    }
}
