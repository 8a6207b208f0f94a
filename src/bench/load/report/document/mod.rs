//! `--report FILE.md`: one document with the results of a load test, every sentence made from figures, and instructions.

mod advice;
mod attached;
mod capacity;
mod conclusions;
mod containers;
mod scenario;
mod selection;

use std::io::{self, Write};
use std::path::Path;

use super::attached::Attached;
use super::{columns, figures, words};
use crate::bench::load::result::{
    self, Capacity, Comparison, LoadTest, Run, Scenario, ServerFigures, ServerModel, notation,
};
use crate::bench::words::counted;
use crate::table::{escaped, list};

const INSTRUCTIONS: &str = include_str!("instructions.md");

/// What findings are made from.
struct Figures<'a> {
    test: &'a LoadTest,
    comparisons: &'a [Comparison],
    capacity: Option<Capacity<'a>>,
}

/// `folder` is that of the document, without symbolic links.
pub(super) fn write(
    out: &mut dyn Write,
    test: &LoadTest,
    comparisons: &[Comparison],
    attached: &[Attached],
    folder: &Path,
) -> io::Result<()> {
    let capacity = result::capacity(&test.runs, test.environment.logical_cores);
    let all = Figures { test, comparisons, capacity };
    writeln!(out, "# Load Testing with skinclf and Locust - Results and Instructions\n")?;
    writeln!(out, "## Load Test Results\n")?;
    environment(out, test)?;

    let (scenarios, mut further) = parted(&test.runs);
    // They have a table of their own.
    let is_check =
        |run: &Run| all.capacity.iter().flat_map(|c| &c.checks).any(|check| std::ptr::eq(check.run, run));
    further.retain(|run| !is_check(run));
    for (index, run) in scenarios.iter().enumerate() {
        scenario::write(out, index + 1, run)?;
    }
    if !further.is_empty() {
        further_runs(out, test, &further)?;
    }
    containers::write(out, comparisons)?;
    if let Some(capacity) = &all.capacity {
        capacity::write(out, capacity)?;
    }
    attached::sections(out, attached)?;
    key_findings(out, &all)?;
    attached::screenshots(out, attached, folder)?;
    writeln!(out, "## Conclusion\n{}\n", escaped(&conclusions::conclusion(&all)))?;
    writeln!(out, "Made by:\n\n```\n{}\n```\n\n---\n", test.command.replace("```", "'''"))?;
    write!(out, "{INSTRUCTIONS}")
}

/// The scenarios, and the other runs; without scenarios, each run counts as one.
fn parted(runs: &[Run]) -> (Vec<&Run>, Vec<&Run>) {
    let (scenarios, further): (Vec<_>, Vec<_>) =
        runs.iter().partition(|run| run.scenario != Scenario::Custom);
    if scenarios.is_empty() { (further, scenarios) } else { (scenarios, further) }
}

fn environment(out: &mut dyn Write, test: &LoadTest) -> io::Result<()> {
    let environment = &test.environment;
    let unknown = || "unknown".to_owned();
    let cores = environment.logical_cores.map_or("? cores".to_owned(), |n| counted(n, "core"));
    let memory = environment.memory_bytes.map_or_else(unknown, |b| format!("{} GiB", b.div_ceil(1 << 30)));
    let date = test.runs.first().map_or_else(unknown, |run| figures::date(&run.started_at));
    writeln!(out, "### Test Environment")?;
    writeln!(out, "- **Date**: {}", escaped(&date))?;
    writeln!(out, "- **System**: {} {}", escaped(&environment.os), escaped(&environment.arch))?;
    writeln!(out, "- **CPU**: {}, {cores}", escaped(&environment.cpu))?;
    writeln!(out, "- **RAM**: {memory}")?;
    let targets: Vec<_> = test.runs.iter().flat_map(|run| &run.targets).collect();
    writeln!(out, "- **Model**: {}", escaped(&each(&targets, model)))?;
    writeln!(out, "- **Device**: CPU (no GPU), by design; see Recommendations")?;
    writeln!(out, "- **Server**: {}", escaped(&each(&targets, server)))?;
    let here = targets.iter().all(|target| target.shares_machine);
    let generator =
        if here { "on the same machine as the server" } else { "on the machine above; servers elsewhere" };
    writeln!(out, "- **Load generator**: {}, {generator}\n\n---\n", escaped(&environment.program()))
}

/// A text about each server.
fn each(targets: &[&ServerFigures], text: fn(&ServerFigures) -> String) -> String {
    notation::each_once(targets.iter().map(|target| text(target)), "; ")
}

fn model(target: &ServerFigures) -> String {
    let known = |m: &ServerModel| format!("{} {} (sha256 {:.12})", m.name, m.version, m.sha256);
    target.model.as_ref().map_or("unknown".to_owned(), known)
}

fn server(target: &ServerFigures) -> String {
    target
        .version
        .as_ref()
        .map_or(target.url.clone(), |version| format!("skinclf {version} at {}", target.url))
}

/// Runs that are not scenarios, such as those of a sweep.
fn further_runs(out: &mut dyn Write, test: &LoadTest, runs: &[&Run]) -> io::Result<()> {
    writeln!(out, "### Further Runs\n\n{}\n", columns::OF_RUNS)?;
    columns::runs().markdown(out, runs.iter().copied())?;
    let about = |run: &&Run| {
        format!(
            "{} {}: {}",
            words::sentence(&words::plan(&run.plan)),
            words::word(run.verdict),
            words::reasons(run)
        )
    };
    list(out, &runs.iter().map(about).collect::<Vec<_>>())?;
    if let Some(knee) = &test.knee {
        writeln!(out, "\n{}", words::knee(knee))?;
    }
    writeln!(out, "\n---\n")
}

fn key_findings(out: &mut dyn Write, all: &Figures<'_>) -> io::Result<()> {
    writeln!(out, "## Key Findings")?;
    let parts = [
        ("Performance Bottlenecks", conclusions::bottlenecks(all.test)),
        ("Scalability Observations", conclusions::scalability(all)),
        ("Recommendations", advice::recommendations(all)),
    ];
    for (title, sentences) in parts {
        writeln!(out, "\n### {title}")?;
        for (index, sentence) in sentences.iter().enumerate() {
            writeln!(out, "{}. {}", index + 1, escaped(sentence))?;
        }
    }
    writeln!(out, "\n---\n")
}
