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

/// A predefined test. Help and documents repeat its numbers in words: a test here holds them together.
struct Predefined {
    scenario: Scenario,
    users: usize,
    started_per_s: f64,
    duration: Duration,
}

const LIGHT: Predefined = Predefined {
    scenario: Scenario::Light,
    users: 10,
    started_per_s: 2.0,
    duration: Duration::from_secs(120),
};
const MEDIUM: Predefined = Predefined {
    scenario: Scenario::Medium,
    users: 50,
    started_per_s: 5.0,
    duration: Duration::from_secs(180),
};
const HEAVY: Predefined = Predefined {
    scenario: Scenario::Heavy,
    users: 100,
    started_per_s: 10.0,
    duration: Duration::from_secs(180),
};

const USERS: usize = 10;
const CONNECTIONS: usize = 1000;
const DURATION: Duration = Duration::from_secs(30);

/// All runs, in order; `images` are the names of those that are posted.
pub(crate) fn runs(args: &LoadArgs, images: &[String]) -> Vec<Planned> {
    let predefined = |test: Predefined| Planned {
        scenario: test.scenario,
        plan: plan(args, images, closed(args, test.users, test.started_per_s), test.duration),
    };
    let custom = |load| Planned { scenario: Scenario::Custom, plan: plan(args, images, load, DURATION) };
    let with_users = |users: usize| {
        let all_in_one_second = users as f64;
        custom(closed(args, users, args.spawn_rate.map_or(all_in_one_second, |rate| rate.0)))
    };
    match (args.scenario, &args.sweep, args.rate) {
        (Some(cli::Scenario::Light), ..) => vec![predefined(LIGHT)],
        (Some(cli::Scenario::Medium), ..) => vec![predefined(MEDIUM)],
        (Some(cli::Scenario::Heavy), ..) => vec![predefined(HEAVY)],
        (Some(cli::Scenario::All), ..) => [LIGHT, MEDIUM, HEAVY].map(predefined).into(),
        (None, Some(sweep), _) => sweep.0.iter().map(|users| with_users(users.get())).collect(),
        (None, None, Some(rate)) => {
            let connections = args.users.map_or(CONNECTIONS, usize::from);
            vec![custom(Load::Open { rate: rate.0, arrival: args.arrival.into(), connections })]
        }
        (None, None, None) => vec![with_users(args.users.map_or(USERS, usize::from))],
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

#[cfg(test)]
mod tests {
    use clap::{Parser as _, ValueEnum as _};

    use super::*;
    use crate::cli::{Cli, Command};

    /// What flags plan: scenario, load, seconds.
    fn planned(flags: &[&str]) -> Vec<(String, String, f64)> {
        let typed = ["skinclf", "bench", "--url", "localhost"];
        let cli = Cli::try_parse_from(typed.iter().chain(flags)).expect("flags");
        let Command::Bench(args) = cli.command else { panic!("another command") };
        let runs = runs(&args.load, &["a.jpg".to_owned()]);
        let shown = |run: &Planned| {
            (run.scenario.as_str().to_owned(), format!("{:?}", run.plan.load), run.plan.duration_s)
        };
        runs.iter().map(shown).collect()
    }

    #[test]
    fn flags_become_runs() {
        let closed = |users: usize, rate: f64, think: &str| {
            format!("Closed {{ users: {users}, spawn_rate: {rate:?}, think_s: {think} }}")
        };
        let custom = |load: String, seconds: f64| ("custom".to_owned(), load, seconds);
        let think = "[1.0, 3.0]";
        assert_eq!(planned(&[]), [custom(closed(10, 10.0, think), 30.0)]);
        assert_eq!(
            planned(&["-u", "3", "-r", "2.5", "-t", "2m", "--think", "0"]),
            [custom(closed(3, 2.5, "[0.0, 0.0]"), 120.0)]
        );
        assert_eq!(
            planned(&["--sweep", "users=4,1"]),
            [custom(closed(1, 1.0, think), 30.0), custom(closed(4, 4.0, think), 30.0)]
        );
        let open = |rest: &str| custom(format!("Open {{ rate: 50.0, {rest} }}"), 30.0);
        assert_eq!(planned(&["--rate", "50"]), [open("arrival: Constant, connections: 1000")]);
        assert_eq!(
            planned(&["--rate", "50/s", "--arrival", "poisson", "-u", "5"]),
            [open("arrival: Poisson, connections: 5")]
        );
        let written =
            |name: &str, users, rate, seconds| (name.to_owned(), closed(users, rate, think), seconds);
        let all = [
            written("light", 10, 2.0, 120.0),
            written("medium", 50, 5.0, 180.0),
            written("heavy", 100, 10.0, 180.0),
        ];
        assert_eq!(planned(&["--scenario", "all"]), all);
        assert_eq!(planned(&["--scenario", "heavy"]), all[2..]);
        assert_eq!(planned(&["--scenario", "light", "-t", "1s"]), [written("light", 10, 2.0, 1.0)]);
    }

    #[test]
    fn help_and_instructions_repeat_the_numbers() {
        let instructions = include_str!("report/document/instructions.md");
        for (typed, test) in
            [(cli::Scenario::Light, LIGHT), (cli::Scenario::Medium, MEDIUM), (cli::Scenario::Heavy, HEAVY)]
        {
            let Predefined { scenario, users, started_per_s, duration } = test;
            let minutes = duration.as_secs() / 60;
            let purpose = scenario.purpose().expect("a purpose");
            let value = typed.to_possible_value().expect("a value of --scenario");
            let help = value.get_help().expect("a help text").to_string();
            let wanted =
                format!("{users} users, {started_per_s} started per second, {minutes} minutes: {purpose}");
            assert_eq!(help.to_lowercase(), wanted.to_lowercase());
            let wanted = format!(
                "({users} concurrent users)\n- Users: {users}\n- Spawn rate: {started_per_s}/s\n- Duration: {minutes} minutes\n- Purpose: {purpose}\n"
            );
            assert!(instructions.contains(&wanted), "{wanted}");
        }
    }
}
