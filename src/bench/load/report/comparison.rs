//! `--compare` as text: runs beside the first of them.

use std::io::{self, Write};

use super::columns::Column;
use super::{describe, figures, markdown, table};
use crate::bench::load::result::{Comparison, Row};
use crate::process::terminal;
use crate::process::terminal::Look;

/// For people; times in ms.
pub(super) const COLUMNS: [Column<Row>; 10] = [
    ("run", |r| r.name.clone()),
    ("containers", |r| r.containers.to_string()),
    ("users", |r| r.users.to_string()),
    ("average", |r| figures::ms(r.average_ms)),
    ("p95", |r| figures::ms(r.p95_ms)),
    ("requests/s", |r| figures::rate(r.rps)),
    ("failed", |r| figures::percent(r.failure_rate)),
    ("improvement", |r| change(r.improvement)),
    ("efficiency", |r| r.efficiency.map_or("-".to_owned(), |e| format!("{e:.2}"))),
    ("verdict", |r| describe::word(r.verdict).to_owned()),
];

pub(super) const METHOD: &str = "All endpoints in steady state, times in ms. Improvement: requests/s above the first run's. \
                      Efficiency: (X_n / X_1) / n, 1 where each container adds as much as the first.";

/// What the terminal's table can do without, the least important first; warnings below it tell verdicts.
const SPARE: [&str; 7] = ["users", "average", "verdict", "failed", "efficiency", "containers", "p95"];

pub(super) fn write_table(out: &mut dyn Write, comparison: &Comparison, look: Look) -> io::Result<()> {
    let mut out = look.wrapping(out);
    writeln!(out, "{}", table::rows(&COLUMNS, &SPARE, &comparison.rows, look, |_, cell| cell))?;
    writeln!(out, "{METHOD}")?;
    for warning in &comparison.warnings {
        writeln!(out, "{} {warning}", terminal::alarming("not comparable:", look.colored))?;
    }
    out.flush()
}

pub(super) fn write_markdown(out: &mut dyn Write, comparison: &Comparison) -> io::Result<()> {
    markdown::table(out, &COLUMNS, &comparison.rows)?;
    writeln!(out, "\n{METHOD}")?;
    markdown::list(out, &comparison.warnings)
}

pub(super) fn write_csv(out: &mut dyn Write, comparison: &Comparison) -> io::Result<()> {
    let mut writer = csv::Writer::from_writer(out);
    writer.write_record([
        "run",
        "containers",
        "users",
        "duration_s",
        "requests",
        "average_ms",
        "p95_ms",
        "rps",
        "failure_rate",
        "improvement",
        "average_reduction",
        "efficiency",
        "verdict",
    ])?;
    let cell = |value: Option<f64>| value.map_or(String::new(), |v| v.to_string());
    for row in &comparison.rows {
        writer.write_record([
            row.name.clone(),
            row.containers.to_string(),
            row.users.to_string(),
            row.duration_s.to_string(),
            row.requests.to_string(),
            cell(row.average_ms),
            cell(row.p95_ms),
            row.rps.to_string(),
            row.failure_rate.to_string(),
            cell(row.improvement),
            cell(row.average_reduction),
            cell(row.efficiency),
            describe::word(row.verdict).to_owned(),
        ])?;
    }
    writer.flush()
}

/// `+82 %`, `-3.1 %`
pub(super) fn change(share: Option<f64>) -> String {
    let sign = |share| if share > 0.0 { "+" } else { "" };
    share.map_or("-".to_owned(), |s| format!("{}{}", sign(s), figures::percent(s)))
}
