//! The runs as tables with sentences below them, for a terminal and in Markdown, and as CSV without sentences.

use std::io::{self, Write};

use super::{columns, words};
use crate::bench::load::result::{LoadTest, Run};
use crate::process::terminal;
use crate::process::terminal::Look;
use crate::table::{Csv, escaped, list};

pub(super) fn write_terminal(out: &mut dyn Write, test: &LoadTest, look: Look) -> io::Result<()> {
    let out = &mut look.wrapping(out);
    writeln!(out, "{}; times in ms", test.environment.line())?;
    for run in &test.runs {
        write_run_to_terminal(out, run, look)?;
    }
    if test.runs.len() > 1 {
        writeln!(out, "\n{}\n{}", columns::OF_RUNS, columns::runs().terminal(look, &test.runs))?;
    }
    if let Some(knee) = &test.knee {
        writeln!(out, "{}", words::knee(knee))?;
    }
    out.flush()
}

fn write_run_to_terminal(out: &mut dyn Write, run: &Run, look: Look) -> io::Result<()> {
    writeln!(out, "\n{}", words::heading(run))?;
    writeln!(out, "{}", columns::endpoints().terminal(look, &columns::rows(run)))?;
    for note in words::failures(run).into_iter().chain(words::notes(run)) {
        writeln!(out, "{note}")?;
    }
    let word = words::word(run.verdict);
    let word =
        if run.verdict.spoils_figures() { terminal::alarming(word, look.colored) } else { word.into() };
    writeln!(out, "{word}: {}", words::reasons(run))?;
    for finding in &run.findings {
        writeln!(out, "- {}", finding.text)?;
    }
    for threshold in &run.thresholds {
        writeln!(out, "{}", words::threshold(run, threshold))?;
    }
    Ok(())
}

pub(super) fn write_markdown(out: &mut dyn Write, test: &LoadTest) -> io::Result<()> {
    writeln!(out, "{}; times in ms", escaped(&test.environment.line()))?;
    if test.runs.len() > 1 {
        writeln!(out, "\n{}\n", columns::OF_RUNS)?;
        columns::runs().markdown(out, &test.runs)?;
    }
    if let Some(knee) = &test.knee {
        writeln!(out, "\n{}", words::knee(knee))?;
    }
    test.runs.iter().try_for_each(|run| write_run_as_markdown(out, run))
}

fn write_run_as_markdown(out: &mut dyn Write, run: &Run) -> io::Result<()> {
    writeln!(out, "\n{}\n", escaped(&words::heading(run)))?;
    columns::endpoints().markdown(out, &columns::rows(run))?;
    writeln!(out, "\n**{}**: {}", words::word(run.verdict), escaped(&words::reasons(run)))?;
    let notes = words::failures(run).into_iter().chain(words::notes(run));
    let findings = run.findings.iter().map(|finding| finding.text.clone());
    let limits = run.thresholds.iter().map(|limit| words::threshold(run, limit));
    list(out, &notes.chain(findings).chain(limits).collect::<Vec<_>>())
}

/// One row per run and endpoint, with figures of the whole run.
pub(super) fn write_csv(out: &mut dyn Write, test: &LoadTest) -> io::Result<()> {
    let mut rows = Vec::new();
    for run in &test.runs {
        rows.extend(run.endpoints.all().map(|endpoint| (run, endpoint)));
    }
    columns::endpoints_of_runs().csv(Csv::new(out), &rows)
}
