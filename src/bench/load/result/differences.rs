//! In what two runs are not the same test, or not of the same thing.

use super::notation;
use super::run::{Load, Measured, Run, ServerFigures};
use crate::bench::environment::Environment;

pub(super) struct Side<'a> {
    pub(super) containers: usize,
    pub(super) run: &'a Run,
    pub(super) environment: &'a Environment,
}

/// Longer values are not shown.
const LONGEST: usize = 80;

/// A name, and what a run has of it.
type Aspect = (&'static str, fn(&Side<'_>) -> String);

const ASPECTS: [Aspect; 13] = [
    ("users", |side| side.run.plan.users().to_string()),
    ("loop", |side| arrival(side.run)),
    ("spawn rate", |side| spawn_rate(side.run)),
    ("think time", |side| think(side.run)),
    ("duration", |side| notation::duration(side.run.plan.duration_s)),
    ("mix", |side| notation::mix(&side.run.plan)),
    ("images", |side| side.run.plan.images.join(", ")),
    ("model", |side| each(side.run, model)),
    ("server version", |side| each(side.run, |target| target.version.clone())),
    ("place of the servers", |side| each(side.run, |target| Some(place(target).to_owned()))),
    ("CPU cap of a container", |side| caps(side.run)),
    ("machine of the generator", |side| side.environment.machine()),
    ("generator", |side| side.environment.program()),
];

/// `users (20, not 10)` each.
pub(super) fn differences(own: &Side<'_>, first: &Side<'_>) -> Vec<String> {
    let differs = |(name, of): Aspect| {
        let (own, first) = (of(own), of(first));
        let is_shown = own.len().max(first.len()) <= LONGEST;
        (own != first)
            .then(|| if is_shown { format!("{name} ({own}, not {first})") } else { name.to_owned() })
    };
    ASPECTS.into_iter().filter_map(differs).collect()
}

fn arrival(run: &Measured) -> String {
    match run.plan.load {
        Load::Closed { .. } => "closed".to_owned(),
        Load::Open { rate, arrival, .. } => format!("{rate} starts/s, {arrival:?}").to_lowercase(),
    }
}

fn spawn_rate(run: &Measured) -> String {
    match run.plan.load {
        Load::Closed { users, spawn_rate, .. } if spawn_rate < users as f64 => format!("{spawn_rate}/s"),
        _ => "all at once".to_owned(),
    }
}

fn think(run: &Measured) -> String {
    match run.plan.load {
        Load::Closed { think_s, .. } => notation::think(think_s),
        Load::Open { .. } => "none".to_owned(),
    }
}

fn model(target: &ServerFigures) -> Option<String> {
    target.model.as_ref().map(|m| format!("{} {} {:.12}", m.name, m.version, m.sha256))
}

fn place(target: &ServerFigures) -> &'static str {
    if target.shares_machine { "the generator's machine" } else { "elsewhere" }
}

/// Whatever the number of containers.
fn caps(run: &Measured) -> String {
    let cap = |cap: Option<f64>| cap.map_or("none".to_owned(), |cap| cap.to_string());
    notation::each_once(run.containers.iter().map(|container| cap(container.cpu_cap)), " and ")
}

fn each(run: &Measured, of: fn(&ServerFigures) -> Option<String>) -> String {
    notation::each_once(run.targets.iter().map(|target| of(target).unwrap_or("unknown".to_owned())), " and ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::load::result::fixture;
    use crate::bench::load::result::run::Arrival;

    type Change = fn(&mut Measured, &mut Environment);

    fn differing(change: Change) -> Vec<String> {
        let (run, environment) = (fixture::run(), fixture::load_test().environment);
        let (mut other, mut other_environment) = (run.clone(), environment.clone());
        change(&mut other.measured, &mut other_environment);
        let first = Side { containers: 1, run: &run, environment: &environment };
        differences(&Side { run: &other, environment: &other_environment, ..first }, &first)
    }

    #[test]
    fn each_aspect_of_a_test_is_compared() {
        assert_eq!(differing(|run, _| run.interrupted = true), Vec::<String>::new());
        let cases: [(Change, &str); 10] = [
            (
                |run, _| run.containers = fixture::balanced().containers,
                "CPU cap of a container (0.5, not unknown)",
            ),
            (
                |_, environment| environment.logical_cores = Some(1),
                "machine of the generator (Test CPU, 1 core, 8 GiB,",
            ),
            (
                |_, environment| environment.build = "debug".to_owned(),
                "generator (skinclf 0.1.0, debug build, not ",
            ),
            (|run, _| run.targets[0].version = None, "server version (unknown, not 0.1.0)"),
            (|run, _| run.targets[0].model = None, "model (unknown, not mobilenetv2-ham10000 0.1.0 "),
            (
                |run, _| run.targets[0].shares_machine = false,
                "place of the servers (elsewhere, not the generator's machine)",
            ),
            (|run, _| run.plan.duration_s = 60.0, "duration (1m, not 5s)"),
            (|run, _| run.plan.mix[0].weight = 1, "mix (predict=1,health=1, not predict=4,health=1)"),
            (|run, _| run.plan.images = vec!["a.jpg".to_owned()], "images (a.jpg, not lesion-1.jpg)"),
            (|run, _| run.plan.images = vec!["a".repeat(100)], "images"),
        ];
        for (change, wanted) in cases {
            let differences = differing(change);
            let [difference] = &differences[..] else { panic!("{wanted}: {differences:?}") };
            assert!(difference.starts_with(wanted), "{wanted}: {difference}");
        }
    }

    #[test]
    fn loops_differ_in_what_starts_requests() {
        let closed = |users, spawn_rate| Load::Closed { users, spawn_rate, think_s: [0.0, 0.0] };
        let mut run = fixture::measured();
        run.plan.load = closed(50, 5.0);
        assert_eq!(
            (spawn_rate(&run), think(&run), arrival(&run)),
            ("5/s".into(), "0".into(), "closed".into())
        );
        run.plan.load = closed(50, 50.0);
        assert_eq!(spawn_rate(&run), "all at once");
        run.plan.load = Load::Open { rate: 9.0, arrival: Arrival::Poisson, connections: 50 };
        assert_eq!((think(&run), arrival(&run)), ("none".into(), "9 starts/s, poisson".into()));
    }

    #[test]
    fn servers_that_are_alike_are_named_once() {
        let mut run = fixture::measured();
        run.targets.push(run.targets[0].clone());
        assert_eq!(each(&run, |server| server.version.clone()), "0.1.0");
        run.targets[1].version = Some("0.2.0".to_owned());
        assert_eq!(each(&run, |server| server.version.clone()), "0.1.0 and 0.2.0");
    }
}
