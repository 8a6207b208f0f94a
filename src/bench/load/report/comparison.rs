//! `--compare` as text: runs beside the first of them.

use std::io::{self, Write};

use super::{Printed, columns};
use crate::bench::load::result::Comparison;
use crate::process::terminal;
use crate::process::terminal::Look;
use crate::table::{Csv, list};

pub(super) const METHOD: &str = "All endpoints in steady state, times in ms; requests/s count successful requests. Improvement: requests/s above the first run's. \
                      Efficiency: (X_n / X_1) / (n / n_1), 1 where each container adds as much as the first.";

impl Printed for Comparison {
    fn write_terminal(&self, out: &mut dyn Write, look: Look) -> io::Result<()> {
        let mut out = look.wrapping(out);
        writeln!(out, "{}\n{METHOD}", columns::compared().terminal(look, &self.rows))?;
        for warning in &self.warnings {
            writeln!(out, "{} {warning}", terminal::alarming("not comparable:", look.colored))?;
        }
        out.flush()
    }

    fn write_markdown(&self, out: &mut dyn Write) -> io::Result<()> {
        columns::compared().markdown(out, &self.rows)?;
        writeln!(out, "\n{METHOD}")?;
        list(out, &self.warnings)
    }

    fn write_csv(&self, out: &mut dyn Write) -> io::Result<()> {
        columns::compared().csv(Csv::new(out), &self.rows)
    }
}
