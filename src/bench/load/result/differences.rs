//! In what two runs are not the same test, or not of the same thing.

use super::notation;
use super::run::{Load, Run, ServerFigures};
use crate::bench::environment::Environment;

/// A run that is compared.
pub(crate) struct Side<'a> {
    pub(crate) containers: usize,
    pub(crate) run: &'a Run,
    pub(crate) environment: &'a Environment,
}

/// Longer values are not shown.
const LONGEST: usize = 80;

/// A name, and what a run has of it.
type Aspect = (&'static str, fn(&Side<'_>) -> String);

const ASPECTS: [Aspect; 12] = [
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
    ("machine of the generator", |side| side.environment.machine()),
    ("generator", |side| side.environment.program()),
];

/// `users (20, not 10)` each.
pub(crate) fn differences(own: &Side<'_>, first: &Side<'_>) -> Vec<String> {
    let differs = |(name, of): Aspect| {
        let (own, first) = (of(own), of(first));
        let is_shown = own.len().max(first.len()) <= LONGEST;
        (own != first)
            .then(|| if is_shown { format!("{name} ({own}, not {first})") } else { name.to_owned() })
    };
    ASPECTS.into_iter().filter_map(differs).collect()
}

fn arrival(run: &Run) -> String {
    match run.plan.load {
        Load::Closed { .. } => "closed".to_owned(),
        Load::Open { rate, arrival, .. } => format!("{rate} starts/s, {arrival:?}").to_lowercase(),
    }
}

fn spawn_rate(run: &Run) -> String {
    match run.plan.load {
        Load::Closed { users, spawn_rate, .. } if spawn_rate < users as f64 => format!("{spawn_rate}/s"),
        _ => "all at once".to_owned(),
    }
}

fn think(run: &Run) -> String {
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

/// What is said of the servers, once.
fn each(run: &Run, of: fn(&ServerFigures) -> Option<String>) -> String {
    let mut all: Vec<_> =
        run.targets.iter().map(|target| of(target).unwrap_or("unknown".to_owned())).collect();
    all.sort();
    all.dedup();
    all.join(" and ")
}
