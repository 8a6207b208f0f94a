//! For a terminal.

use std::io::{self, Write};

use comfy_table::{Attribute, Cell, CellAlignment};

use super::{COLUMNS, headline, method, shown};
use crate::bench::local::Report;
use crate::terminal;

pub(in crate::bench::local) fn write(
    out: &mut dyn Write,
    report: &Report<'_>,
    colored: bool,
) -> io::Result<()> {
    writeln!(out, "{}", report.environment.line())?;
    writeln!(out, "{}", method(report))?;
    for run in &report.runs {
        writeln!(out, "\n{}", headline(run))?;
        let mut table = terminal::table(colored);
        table.set_header(["stage"].into_iter().chain(COLUMNS.map(|c| c.0)));
        for (name, summary) in run.stages.named() {
            let total = name == "total";
            let cells =
                std::iter::once(name.to_owned()).chain(COLUMNS.map(|(_, value)| shown(value(summary))));
            let bold = |cell: Cell| if colored && total { cell.add_attribute(Attribute::Bold) } else { cell };
            table.add_row(cells.map(|text| bold(Cell::new(text))));
        }
        table.column_iter_mut().skip(1).for_each(|column| column.set_cell_alignment(CellAlignment::Right));
        writeln!(out, "{table}")?;
    }
    Ok(())
}
