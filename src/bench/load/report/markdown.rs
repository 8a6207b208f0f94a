//! For a document: the tables and sentences of `table`, in Markdown.

use std::io::{self, Write};

use super::columns;
use super::columns::Column;
use super::describe;
use crate::bench::load::result::{LoadTest, Run};

pub(super) fn write(out: &mut dyn Write, report: &LoadTest) -> io::Result<()> {
    writeln!(out, "{}; times in ms", escaped(&report.environment.line()))?;
    if report.runs.len() > 1 {
        writeln!(out, "\n{}\n", columns::OF_RUNS)?;
        table(out, &columns::RUN, &report.runs)?;
    }
    if let Some(knee) = &report.knee {
        writeln!(out, "\n{}", describe::knee(knee))?;
    }
    report.runs.iter().try_for_each(|run| write_run(out, run))
}

fn write_run(out: &mut dyn Write, run: &Run) -> io::Result<()> {
    writeln!(out, "\n{}\n", escaped(&describe::heading(run)))?;
    table(out, &columns::ENDPOINT, &columns::rows(run))?;
    writeln!(out, "\n**{}**: {}", describe::word(run.verdict), escaped(&describe::reasons(run)))?;
    let notes = columns::failures(run).into_iter().chain(columns::notes(run));
    let findings = run.findings.iter().map(|f| f.text.clone());
    let all: Vec<_> = notes
        .chain(findings)
        .chain(run.thresholds.iter().map(|limit| columns::threshold(run, limit)))
        .collect();
    list(out, &all)
}

/// A table of names and figures.
pub(super) fn table<T>(out: &mut dyn Write, columns: &[Column<T>], rows: &[T]) -> io::Result<()> {
    let titles: Vec<_> = columns.iter().map(|(title, _)| *title).collect();
    writeln!(out, "| {} |", titles.join(" | "))?;
    writeln!(out, "| --- |{}", " ---: |".repeat(columns.len() - 1))?;
    for row in rows {
        let cells: Vec<_> = columns.iter().map(|(_, shown)| escaped(&shown(row))).collect();
        writeln!(out, "| {} |", cells.join(" | "))?;
    }
    Ok(())
}

/// A list after an empty line; nothing at all without items.
pub(super) fn list(out: &mut dyn Write, items: &[String]) -> io::Result<()> {
    if !items.is_empty() {
        writeln!(out)?;
    }
    items.iter().try_for_each(|item| writeln!(out, "- {}", escaped(item)))
}

/// Text from outside as text: no table cell ends, no markup begins, no line breaks.
pub(super) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            c if c.is_control() => safe.push(' '),
            '|' | '<' | '>' | '`' | '[' | ']' | '\\' => safe.extend(['\\', c]),
            '&' => safe.push_str("&amp;"),
            c => safe.push(c),
        }
    }
    safe
}
