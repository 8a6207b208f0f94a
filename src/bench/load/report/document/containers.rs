//! The part of the document that compares numbers of containers.

use std::io::{self, Write};

use crate::bench::load::report::comparison::write_table;
use crate::bench::load::report::{figures, words};
use crate::bench::load::result::{Comparison, Row, Verdict, notation};
use crate::table::escaped;

pub(super) fn write(out: &mut dyn Write, comparisons: &[Comparison]) -> io::Result<()> {
    if comparisons.is_empty() {
        return Ok(());
    }
    writeln!(out, "## Docker Container Scaling Tests\n")?;
    for comparison in comparisons {
        // Where there are several series, each is a part of its own.
        let level = if comparisons.len() > 1 { "####" } else { "###" };
        if comparisons.len() > 1 {
            writeln!(out, "### {}\n", escaped(&notation::load(&comparison.plan)))?;
        }
        writeln!(out, "{}\n", escaped(&words::sentence(&words::plan(&comparison.plan))))?;
        for row in &comparison.rows {
            one(out, level, row, comparison)?;
        }
        writeln!(out, "{level} Compared\n")?;
        write_table(out, comparison)?;
        writeln!(out)?;
    }
    writeln!(out, "---\n")
}

fn one(out: &mut dyn Write, level: &str, row: &Row, comparison: &Comparison) -> io::Result<()> {
    writeln!(out, "{level} {}\n**Configuration:**", title(row.containers))?;
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
    if let Some(improvement) = improvement(row, comparison) {
        writeln!(out, "- **Improvement**: {improvement}")?;
    }
    writeln!(out, "- Verdict: {}\n", words::word(row.verdict))
}

fn title(containers: usize) -> String {
    match containers {
        1 => "Single Container Test".to_owned(),
        2 => "Two Containers Test (Load Balanced)".to_owned(),
        3 => "Three Containers Test (Load Balanced)".to_owned(),
        n => format!("{n} Containers Test (Load Balanced)"),
    }
}

/// `82 % more requests/s and an average response time 45 % shorter than a single container; efficiency 0.91`; nothing for
/// the run that the others are compared with.
pub(super) fn improvement(row: &Row, comparison: &Comparison) -> Option<String> {
    let first = comparison.rows.first()?;
    let base = match first.containers {
        1 => "a single container".to_owned(),
        n => format!("{n} containers"),
    };
    let change = |share: f64, more: &str, less: &str| {
        format!("{} {}", figures::percent(share.abs()), if share < 0.0 { less } else { more })
    };
    let requests = format!("{} requests/s", change(row.improvement?, "more", "fewer"));
    let average = row.average_reduction.map_or(String::new(), |share| {
        format!(" and an average response time {}", change(share, "shorter", "longer"))
    });
    // Where the users limit requests/s, more containers cannot add any.
    let efficiency = row.efficiency.filter(|_| row.verdict != Verdict::NotSaturated);
    let efficiency =
        efficiency.map_or(String::new(), |e| format!("; efficiency {}", figures::ratio(Some(e))));
    Some(format!("{requests}{average} than {base}{efficiency}"))
}
