//! The part of the document that compares numbers of containers.

use std::io::{self, Write};

use crate::bench::load::report::{Printed as _, figures, words};
use crate::bench::load::result::{Comparison, Row};
use crate::table::escaped;

pub(super) fn write(out: &mut dyn Write, comparison: &Comparison) -> io::Result<()> {
    writeln!(out, "## Docker Container Scaling Tests\n")?;
    for (index, row) in comparison.rows.iter().enumerate() {
        one(out, row, index == 0)?;
    }
    writeln!(out, "### Compared\n")?;
    comparison.write_markdown(out)?;
    writeln!(out, "\n---\n")
}

fn one(out: &mut dyn Write, row: &Row, is_first: bool) -> io::Result<()> {
    let count = match row.containers {
        1 => "Single Container Test".to_owned(),
        2 => "Two Containers Test (Load Balanced)".to_owned(),
        3 => "Three Containers Test (Load Balanced)".to_owned(),
        n => format!("{n} Containers Test (Load Balanced)"),
    };
    writeln!(out, "### {count}\n**Configuration:**")?;
    writeln!(out, "- Containers: {}\n- Users: {}", row.containers, row.users)?;
    writeln!(
        out,
        "- Duration: {}\n- Run: {}\n\n**Results:**",
        figures::duration(row.duration_s),
        escaped(&row.name)
    )?;
    writeln!(out, "- Average Response Time: {}", figures::latency(row.average_ms))?;
    writeln!(out, "- 95th Percentile: {}", figures::latency(row.p95_ms))?;
    writeln!(out, "- Requests/sec: {}", figures::rate(row.good_per_s))?;
    writeln!(out, "- Failure Rate: {}", figures::percent(row.failure_rate))?;
    if !is_first {
        writeln!(out, "- **Improvement**: {}", improvement(row))?;
    }
    writeln!(out, "- Verdict: {}\n", words::word(row.verdict))
}

/// `82 % more requests/s than the first, average response time 45 % shorter; efficiency 0.91`
pub(super) fn improvement(row: &Row) -> String {
    let change = |share: Option<f64>, more: &str, less: &str| {
        share.map_or("-".to_owned(), |s| {
            format!("{} {}", figures::percent(s.abs()), if s < 0.0 { less } else { more })
        })
    };
    format!(
        "{} requests/s than the first, average response time {}; efficiency {}",
        change(row.improvement, "more", "fewer"),
        change(row.average_reduction, "shorter", "longer"),
        figures::ratio(row.efficiency)
    )
}
