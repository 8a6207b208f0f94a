//! The runs as tables with sentences below them, for a terminal and in Markdown, and as CSV without sentences.

use std::io::{self, Write};

use super::{Printed, columns, words};
use crate::bench::load::result::{LoadTest, Run};
use crate::process::terminal;
use crate::process::terminal::Look;
use crate::table::{Csv, escaped, list};

impl Printed for LoadTest {
    fn write_terminal(&self, out: &mut dyn Write, look: Look) -> io::Result<()> {
        let out = &mut look.wrapping(out);
        writeln!(out, "{}; times in ms", self.environment.line())?;
        for run in &self.runs {
            write_run_to_terminal(out, run, look)?;
        }
        if self.runs.len() > 1 {
            writeln!(out, "\n{}\n{}", columns::OF_RUNS, columns::runs().terminal(look, &self.runs))?;
        }
        if let Some(knee) = &self.knee {
            writeln!(out, "{}", words::knee(knee))?;
        }
        out.flush()
    }

    fn write_markdown(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "{}; times in ms", escaped(&self.environment.line()))?;
        if self.runs.len() > 1 {
            writeln!(out, "\n{}\n", columns::OF_RUNS)?;
            columns::runs().markdown(out, &self.runs)?;
        }
        if let Some(knee) = &self.knee {
            writeln!(out, "\n{}", words::knee(knee))?;
        }
        self.runs.iter().try_for_each(|run| write_run_as_markdown(out, run))
    }

    /// One row per run and endpoint, with figures of the whole run.
    fn write_csv(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut rows = Vec::new();
        for run in &self.runs {
            rows.extend(run.endpoints.all().map(|endpoint| (run, endpoint)));
        }
        columns::endpoints_of_runs().csv(Csv::new(out), &rows)
    }
}

fn write_run_to_terminal(out: &mut dyn Write, run: &Run, look: Look) -> io::Result<()> {
    writeln!(out, "\n{}", words::heading(run))?;
    writeln!(out, "{}", columns::endpoints().terminal(look, &columns::rows(run)))?;
    let replicas = run.replica_rows();
    if !replicas.is_empty() {
        writeln!(out, "{}\n{}", columns::replicas().terminal(look, &replicas), columns::OF_REPLICAS)?;
    }
    if !run.containers.is_empty() {
        writeln!(
            out,
            "{}\n{}",
            columns::containers().terminal(look, &run.containers),
            columns::OF_CONTAINERS
        )?;
    }
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

fn write_run_as_markdown(out: &mut dyn Write, run: &Run) -> io::Result<()> {
    writeln!(out, "\n{}\n", escaped(&words::heading(run)))?;
    columns::endpoints().markdown(out, &columns::rows(run))?;
    let replicas = run.replica_rows();
    if !replicas.is_empty() {
        writeln!(out, "\n{}\n", columns::OF_REPLICAS)?;
        columns::replicas().markdown(out, &replicas)?;
    }
    if !run.containers.is_empty() {
        writeln!(out, "\n{}\n", columns::OF_CONTAINERS)?;
        columns::containers().markdown(out, &run.containers)?;
    }
    writeln!(out, "\n**{}**: {}", words::word(run.verdict), escaped(&words::reasons(run)))?;
    let notes = words::failures(run).into_iter().chain(words::notes(run));
    let findings = run.findings.iter().map(|finding| finding.text.clone());
    let limits = run.thresholds.iter().map(|limit| words::threshold(run, limit));
    list(out, &notes.chain(findings).chain(limits).collect::<Vec<_>>())
}
