//! For a document.

use std::io::{self, Write};

use super::{COLUMNS, headline, method, shown};
use crate::bench::local::Report;

pub(in crate::bench::local) fn write(out: &mut dyn Write, report: &Report<'_>) -> io::Result<()> {
    writeln!(out, "{}\n\n{}", report.environment.line(), method(report))?;
    for run in &report.runs {
        writeln!(out, "\n{}\n", headline(run))?;
        writeln!(out, "| stage | {} |", COLUMNS.map(|c| c.0).join(" | "))?;
        writeln!(out, "|---|{}", "---:|".repeat(COLUMNS.len()))?;
        for (name, summary) in run.stages.named() {
            writeln!(out, "| {name} | {} |", COLUMNS.map(|(_, value)| shown(value(summary))).join(" | "))?;
        }
    }
    Ok(())
}
