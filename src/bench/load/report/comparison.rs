//! `--compare` as text: runs beside the first of their series.

use std::io::{self, Write};

use super::{Printed, columns, words};
use crate::bench::load::result::{Comparison, Comparisons};
use crate::process::terminal;
use crate::process::terminal::Look;
use crate::table::{Csv, escaped, list};

pub(super) const METHOD: &str = "All endpoints in steady state, times in ms; requests/s count successful requests. Improvement: requests/s above the first run's. \
                      Efficiency: (X_n / X_1) / (n / n_1), 1 where each container adds as much as the first.";

/// One table a series; with a title where there are several.
impl Printed for Comparisons {
    fn write_terminal(&self, out: &mut dyn Write, look: Look) -> io::Result<()> {
        let mut out = look.wrapping(out);
        for comparison in &self.0 {
            if let Some(title) = self.title(comparison) {
                writeln!(out, "{title}")?;
            }
            writeln!(out, "{}\n{METHOD}", columns::compared().terminal(look, &comparison.rows))?;
            for warning in &comparison.warnings {
                writeln!(out, "{} {warning}", terminal::alarming("not comparable:", look.colored))?;
            }
        }
        out.flush()
    }

    fn write_markdown(&self, out: &mut dyn Write) -> io::Result<()> {
        for comparison in &self.0 {
            if let Some(title) = self.title(comparison) {
                writeln!(out, "\n{}\n", escaped(&title))?;
            }
            write_table(out, comparison)?;
        }
        Ok(())
    }

    fn write_csv(&self, out: &mut dyn Write) -> io::Result<()> {
        columns::compared().csv(Csv::new(out), self.0.iter().flat_map(|comparison| &comparison.rows))
    }
}

impl Comparisons {
    fn title(&self, comparison: &Comparison) -> Option<String> {
        (self.0.len() > 1).then(|| words::sentence(&words::plan(&comparison.plan)))
    }
}

/// In Markdown.
pub(super) fn write_table(out: &mut dyn Write, comparison: &Comparison) -> io::Result<()> {
    columns::compared().markdown(out, &comparison.rows)?;
    writeln!(out, "\n{METHOD}")?;
    list(out, &comparison.warnings)
}
