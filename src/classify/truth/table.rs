//! The scores as tables for people.

use std::io::{self, Write};

use super::figures;
use super::figures::{PER_CLASS, interval, value};
use super::report::Report;
use crate::output;
use crate::process::terminal::Look;
use crate::table::{Cell, Kind, Table};

/// Of the figures of each class, those that say least beside the others first.
const SPARE: [&str; 4] = ["specificity", "F1", "precision", "AUROC"];

pub(super) fn write(out: &mut dyn Write, report: &Report<'_>, look: Look) -> io::Result<()> {
    let mut out = look.wrapping(out);
    writeln!(out, "{}\n", report.summary())?;
    writeln!(out, "{}", overall(report, look))?;
    if let Some(flagged) = report.flagged() {
        writeln!(out, "{flagged}")?;
    }
    writeln!(out, "\nBy class, against all others:\n{}\n", per_class(report, look))?;
    writeln!(out, "Images by true class (rows) and decision (columns):\n{}\n", confusion(report, look))?;
    writeln!(out, "{}", report.method())?;
    writeln!(out, "{}", output::NOTICE)?;
    out.flush()
}

fn overall(report: &Report<'_>, look: Look) -> Table {
    let titles = [("", Kind::Text), ("value", Kind::Figure), ("95 % interval", Kind::Figure)];
    let mut table = Table::new(look, titles, &[]);
    for (name, estimate) in figures::overall(&report.scores) {
        table.add_row([name, value(estimate), interval(estimate)]);
    }
    table
}

/// Each figure above its interval, which side by side would be wider than most terminals.
fn per_class(report: &Report<'_>, look: Look) -> Table {
    let figures = PER_CLASS.iter().map(|(name, _)| (*name, Kind::Figure));
    let titles = [("class", Kind::Name), ("n", Kind::Figure)].into_iter().chain(figures);
    let mut table = Table::new(look, titles, &SPARE);
    for (class, (label, scores)) in report.spec.labels.iter().zip(&report.scores.per_class).enumerate() {
        let n = report.scores.confusion.occurrences(class).to_string();
        let figures = PER_CLASS.iter().map(|(_, figure)| {
            let estimate = figure(scores);
            match estimate.value {
                Some(_) => format!("{}\n{}", value(estimate), interval(estimate)),
                None => value(estimate),
            }
        });
        table.add_row([label.code.clone(), n].into_iter().chain(figures));
    }
    table
}

fn confusion(report: &Report<'_>, look: Look) -> Table {
    let codes = || report.spec.labels.iter().map(|l| l.code.as_str());
    let decisions = codes().map(|code| (code, Kind::Count));
    let mut table = Table::new(look, std::iter::once(("", Kind::Name)).chain(decisions), &[]);
    for (class, (code, row)) in codes().zip(report.scores.confusion.rows()).enumerate() {
        let counts = row.iter().enumerate().map(|(decision, count)| {
            let cell = Cell::from(count.to_string());
            if decision == class { cell.bold() } else { cell }
        });
        table.add_row(std::iter::once(code.into()).chain(counts));
    }
    table
}
