//! `--compare` as text: runs beside the first of them.

use std::io::{self, Write};

use super::columns;
use crate::bench::load::result::Comparison;
use crate::process::terminal;
use crate::process::terminal::Look;
use crate::table::{Csv, list};

pub(super) const METHOD: &str = "All endpoints in steady state, times in ms. Improvement: requests/s above the first run's. \
                      Efficiency: (X_n / X_1) / n, 1 where each container adds as much as the first.";

pub(super) fn write_terminal(out: &mut dyn Write, comparison: &Comparison, look: Look) -> io::Result<()> {
    let mut out = look.wrapping(out);
    writeln!(out, "{}\n{METHOD}", columns::compared().terminal(look, &comparison.rows))?;
    for warning in &comparison.warnings {
        writeln!(out, "{} {warning}", terminal::alarming("not comparable:", look.colored))?;
    }
    out.flush()
}

pub(super) fn write_markdown(out: &mut dyn Write, comparison: &Comparison) -> io::Result<()> {
    columns::compared().markdown(out, &comparison.rows)?;
    writeln!(out, "\n{METHOD}")?;
    list(out, &comparison.warnings)
}

pub(super) fn write_csv(out: &mut dyn Write, comparison: &Comparison) -> io::Result<()> {
    columns::compared().csv(Csv::new(out), &comparison.rows)
}
