//! For a terminal.

use std::io::{self, Write};

use comfy_table::Color;

use super::columns;
use super::columns::Column;
use super::describe;
use crate::bench::load::result::{Endpoint, LoadTest, Run};
use crate::process::terminal;
use crate::process::terminal::Look;
use crate::table::{Cell, Kind, Table};

/// Columns that a terminal may have no room for, those that say least beside the others first.
const SPARE_OF_ENDPOINT: [&str; 9] =
    ["p99.9", "min", "average", "p90", "max", "p99", "failures", "requests", "median"];
const SPARE_OF_RUN: [&str; 6] = ["p99", "requests", "median", "failures", "users", "p95"];

pub(super) fn write(out: &mut dyn Write, report: &LoadTest, look: Look) -> io::Result<()> {
    let out = &mut look.wrapping(out);
    writeln!(out, "{}; times in ms", report.environment.line())?;
    for run in &report.runs {
        write_run(out, run, look)?;
    }
    if report.runs.len() > 1 {
        let verdict = |run: &Run, cell: Cell| match describe::is_warning(run.verdict) {
            true => cell.bold().color(Color::Red),
            false => cell,
        };
        let table = rows(&columns::RUN, &SPARE_OF_RUN, &report.runs, look, verdict);
        writeln!(out, "\n{}\n{table}", columns::OF_RUNS)?;
    }
    if let Some(knee) = &report.knee {
        writeln!(out, "{}", describe::knee(knee))?;
    }
    out.flush()
}

fn write_run(out: &mut dyn Write, run: &Run, look: Look) -> io::Result<()> {
    writeln!(out, "\n{}", describe::heading(run))?;
    let total = |endpoint: &Endpoint, cell: Cell| if endpoint.is_total() { cell.bold() } else { cell };
    writeln!(out, "{}", rows(&columns::ENDPOINT, &SPARE_OF_ENDPOINT, &columns::rows(run), look, total))?;
    for note in columns::failures(run).into_iter().chain(columns::notes(run)) {
        writeln!(out, "{note}")?;
    }
    let word = describe::word(run.verdict);
    let word =
        if describe::is_warning(run.verdict) { terminal::alarming(word, look.colored) } else { word.into() };
    writeln!(out, "{word}: {}", describe::reasons(run))?;
    for finding in &run.findings {
        writeln!(out, "- {}", finding.text)?;
    }
    for threshold in &run.thresholds {
        writeln!(out, "{}", columns::threshold(run, threshold))?;
    }
    Ok(())
}

/// A table of names and figures.
pub(super) fn rows<T>(
    columns: &[Column<T>],
    spare: &'static [&'static str],
    rows: &[T],
    look: Look,
    paint: impl Fn(&T, Cell) -> Cell,
) -> Table {
    let kinds = std::iter::once(Kind::Name).chain(std::iter::repeat(Kind::Figure));
    let titles = columns.iter().map(|(title, _)| *title).zip(kinds);
    let mut table = Table::new(look, titles, spare);
    for row in rows {
        table.add_row(columns.iter().map(|(_, shown)| paint(row, shown(row).into())));
    }
    table
}
