//! The scores as tables for people.

use std::io::{self, Write};

use comfy_table::{Attribute, Cell, CellAlignment, Table};

use super::figures::{OVERALL, PER_CLASS, interval, value};
use super::report::Report;
use crate::{output, terminal};

pub(super) fn write(out: &mut dyn Write, report: &Report<'_>, colored: bool) -> io::Result<()> {
    writeln!(out, "{}\n", report.summary())?;
    writeln!(out, "{}\n", overall(report, colored))?;
    writeln!(out, "By class, against all others:\n{}\n", per_class(report, colored))?;
    writeln!(out, "Images by true class (rows) and decision (columns):\n{}\n", confusion(report, colored))?;
    writeln!(out, "{}", report.method())?;
    writeln!(out, "{}", output::NOTICE)
}

fn overall(report: &Report<'_>, colored: bool) -> Table {
    let mut table = with_header(colored, ["", "value", "95 % interval"].map(str::to_owned));
    for (name, figure) in &OVERALL {
        let estimate = figure(&report.scores.overall);
        table.add_row([name.to_string(), value(estimate), interval(estimate)]);
    }
    to_the_right(table)
}

/// Each figure above its interval, which side by side would be wider than most terminals.
fn per_class(report: &Report<'_>, colored: bool) -> Table {
    let titles = ["class", "n"].into_iter().chain(PER_CLASS.iter().map(|(name, _)| *name));
    let mut table = with_header(colored, titles.map(str::to_owned));
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
    to_the_right(table)
}

fn confusion(report: &Report<'_>, colored: bool) -> Table {
    let codes = || report.spec.labels.iter().map(|l| l.code.clone());
    let mut table = with_header(colored, std::iter::once(String::new()).chain(codes()));
    for (class, (code, row)) in codes().zip(report.scores.confusion.rows()).enumerate() {
        let counts = row.iter().enumerate().map(|(decision, count)| {
            let cell = Cell::new(count);
            if colored && decision == class { cell.add_attribute(Attribute::Bold) } else { cell }
        });
        table.add_row(std::iter::once(Cell::new(code)).chain(counts));
    }
    to_the_right(table)
}

fn with_header(colored: bool, titles: impl IntoIterator<Item = String>) -> Table {
    let mut table = terminal::table(colored);
    table.set_header(titles.into_iter().map(|title| {
        let cell = Cell::new(title);
        if colored { cell.add_attribute(Attribute::Bold) } else { cell }
    }));
    table
}

/// All columns but the first.
fn to_the_right(mut table: Table) -> Table {
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}
