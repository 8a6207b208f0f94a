//! The figures as JSON, and as tables for a terminal, as Markdown and as CSV, with the same columns.

use std::io::{self, Write};

use skinclf::stats::Summary;

use super::measure::Measured;
use crate::bench::environment::Environment;
use crate::bench::words::counted;
use crate::cli::BenchFormat;
use crate::destination::Destination;
use crate::output::{self, ModelId};
use crate::process::terminal::Look;
use crate::table::{Cell, Column, Csv, Table, Tone, escaped};

/// As `--format json` writes it.
#[derive(serde::Serialize)]
pub(super) struct LocalBenchmark<'a> {
    /// Whether runs are missing or the last one is shorter than planned.
    pub(super) interrupted: bool,
    pub(super) runs: Vec<Measured>,
    pub(super) image: BenchImage,
    pub(super) warmup: usize,
    pub(super) environment: Environment,
    pub(super) model: ModelId<'a>,
}

#[derive(serde::Serialize)]
pub(super) struct BenchImage {
    pub(super) name: String,
    pub(super) bytes: usize,
    pub(super) width: u32,
    pub(super) height: u32,
}

pub(super) fn write(
    format: BenchFormat,
    benchmark: &LocalBenchmark<'_>,
    destination: Destination,
) -> anyhow::Result<()> {
    let is_terminal = destination.is_terminal();
    destination.fill(|out| match format {
        BenchFormat::Table => write_table(out, benchmark, Look::of_output(is_terminal)),
        BenchFormat::Json => output::write_indented(out, benchmark),
        BenchFormat::Csv => write_csv(out, benchmark),
        BenchFormat::Markdown => write_markdown(out, benchmark),
    })
}

struct Row<'a> {
    measured: &'a Measured,
    stage: &'static str,
    summary: &'a Summary,
}

/// Times in ms.
fn columns<'a>() -> Table<'a, Row<'a>> {
    Table::new([
        Column::csv_only("threads", |row: &Row| Cell::number(row.measured.threads)),
        Column::csv_only("images_per_second", |row: &Row| Cell::number(row.measured.images_per_second)),
        Column::name("stage", |row: &Row| row.stage).csv("stage"),
        Column::csv_only("count", |row: &Row| Cell::number(row.summary.count)),
        time("mean", "mean_ms", |s| s.mean_ms).spare(6),
        time("stddev", "stddev_ms", |s| s.stddev_ms).spare(2),
        time("min", "min_ms", |s| s.min_ms).spare(3),
        time("p50", "p50_ms", |s| s.p50_ms),
        time("p90", "p90_ms", |s| s.p90_ms).spare(4),
        time("p95", "p95_ms", |s| s.p95_ms).spare(8),
        time("p99", "p99_ms", |s| s.p99_ms).spare(7),
        time("p99.9", "p999_ms", |s| s.p999_ms).spare(1),
        time("max", "max_ms", |s| s.max_ms).spare(5),
    ])
    .tone(|row| if row.stage == "total" { Tone::Total } else { Tone::Plain })
}

/// A dash where there are too few samples.
fn time<'a>(title: &'static str, csv: &'static str, ms: fn(&Summary) -> Option<f64>) -> Column<'a, Row<'a>> {
    let cell = move |row: &Row| {
        let ms = ms(row.summary);
        Cell::from(ms.map_or("-".to_owned(), |ms| format!("{ms:.3}"))).exactly(ms)
    };
    Column::figure(title, cell).csv(csv)
}

fn rows(measured: &Measured) -> impl Iterator<Item = Row<'_>> {
    measured.stages.named().into_iter().map(move |(stage, summary)| Row { measured, stage, summary })
}

fn write_table(out: &mut dyn Write, benchmark: &LocalBenchmark<'_>, look: Look) -> io::Result<()> {
    let mut out = look.wrapping(out);
    writeln!(out, "{}\n{}", benchmark.environment.line(), method(benchmark))?;
    for measured in &benchmark.runs {
        let rows: Vec<_> = rows(measured).collect();
        writeln!(out, "\n{}\n{}", headline(measured), columns().terminal(look, &rows))?;
    }
    out.flush()
}

fn write_markdown(out: &mut dyn Write, benchmark: &LocalBenchmark<'_>) -> io::Result<()> {
    let [environment, method] = [benchmark.environment.line(), method(benchmark)].map(|line| escaped(&line));
    writeln!(out, "{environment}\n\n{method}")?;
    for measured in &benchmark.runs {
        writeln!(out, "\n{}\n", headline(measured))?;
        columns().markdown(out, &rows(measured).collect::<Vec<_>>())?;
    }
    Ok(())
}

fn write_csv(out: &mut dyn Write, benchmark: &LocalBenchmark<'_>) -> io::Result<()> {
    columns().csv(Csv::new(out), &benchmark.runs.iter().flat_map(rows).collect::<Vec<_>>())
}

/// `2 threads: 151.3 images/s, 97 % of perfect scaling`
fn headline(measured: &Measured) -> String {
    let threads = counted(measured.threads, "thread");
    let scaling = measured.scaling_efficiency.filter(|_| measured.threads > 1);
    let scaling = scaling.map_or(String::new(), |e| format!(", {:.0} % of perfect scaling", e * 100.0));
    format!("{threads}: {:.1} images/s{scaling}", measured.images_per_second)
}

fn method(benchmark: &LocalBenchmark<'_>) -> String {
    let count = benchmark.runs.first().map_or(0, |measured| measured.stages.total.count);
    let image = &benchmark.image;
    let interrupted = if benchmark.interrupted { "interrupted: " } else { "" };
    format!(
        "{interrupted}{} of {} ({}x{}, {} bytes), after a warm-up of {} on each thread; times in ms",
        counted(count, "classification"),
        image.name,
        image.width,
        image.height,
        image.bytes,
        benchmark.warmup
    )
}
