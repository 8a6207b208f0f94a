//! For a terminal.

use std::io::{self, Write};

use super::{COLUMNS, headline, method, shown};
use crate::bench::local::Report;
use crate::process::terminal::Look;
use crate::table::{Cell, Kind, Table};

/// Columns that may be left out, those that say least first.
const SPARE: [&str; 8] = ["p99.9", "stddev", "min", "p90", "max", "mean", "p99", "p95"];

pub(in crate::bench::local) fn write(out: &mut dyn Write, report: &Report<'_>, look: Look) -> io::Result<()> {
    let mut out = look.wrapping(out);
    writeln!(out, "{}", report.environment.line())?;
    writeln!(out, "{}", method(report))?;
    for run in &report.runs {
        writeln!(out, "\n{}", headline(run))?;
        let figures = COLUMNS.map(|(title, _)| (title, Kind::Figure));
        let mut table = Table::new(look, [("stage", Kind::Name)].into_iter().chain(figures), &SPARE);
        for (name, summary) in run.stages.named() {
            let figures = COLUMNS.map(|(_, value)| shown(value(summary)));
            let cells = std::iter::once(name.to_owned()).chain(figures).map(Cell::from);
            table.add_row(cells.map(|cell| if name == "total" { cell.bold() } else { cell }));
        }
        writeln!(out, "{table}")?;
    }
    out.flush()
}
