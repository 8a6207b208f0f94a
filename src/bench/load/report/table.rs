//! For a terminal.

use std::io::{self, Write};

use comfy_table::{Attribute, Cell, CellAlignment, Color};

use super::columns::{self, Column};
use super::describe;
use crate::bench::load::outcome::{Report, Run};
use crate::terminal;

pub(super) fn write(out: &mut dyn Write, report: &Report, colored: bool) -> io::Result<()> {
    writeln!(out, "{}; times in ms", report.environment.line())?;
    for run in &report.runs {
        write_run(out, run, colored)?;
    }
    if report.runs.len() > 1 {
        let verdict = |run: &Run, cell: Cell| match describe::is_warning(run.verdict) {
            true if colored => cell.add_attribute(Attribute::Bold).fg(Color::Red),
            _ => cell,
        };
        writeln!(out, "\n{}\n{}", columns::OF_RUNS, rows(&columns::RUN, &report.runs, colored, verdict))?;
    }
    if let Some(knee) = &report.knee {
        writeln!(out, "{}", describe::knee(knee))?;
    }
    Ok(())
}

fn write_run(out: &mut dyn Write, run: &Run, colored: bool) -> io::Result<()> {
    writeln!(out, "\n{}", describe::heading(run))?;
    let total = |endpoint: &_, cell: Cell| {
        let endpoint: &crate::bench::load::outcome::Endpoint = endpoint;
        if colored && endpoint.name == "Total" { cell.add_attribute(Attribute::Bold) } else { cell }
    };
    writeln!(out, "{}", rows(&columns::ENDPOINT, &columns::rows(run), colored, total))?;
    for note in columns::failures(run).into_iter().chain(columns::notes(run)) {
        writeln!(out, "{note}")?;
    }
    let word = describe::word(run.verdict);
    let word =
        if describe::is_warning(run.verdict) { terminal::alarming(word, colored) } else { word.into() };
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
    rows: &[T],
    colored: bool,
    paint: impl Fn(&T, Cell) -> Cell,
) -> comfy_table::Table {
    let mut table = terminal::table(colored);
    table.set_header(columns.iter().map(|(title, _)| title));
    for row in rows {
        table.add_row(columns.iter().map(|(_, shown)| paint(row, Cell::new(shown(row)))));
    }
    table.column_iter_mut().skip(1).for_each(|column| column.set_cell_alignment(CellAlignment::Right));
    table
}
