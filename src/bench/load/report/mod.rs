//! The figures as text, tables and charts, one small file a format. They are pure: a report in, text out.

mod columns;
mod comparison;
mod document;
mod figures;
mod live;
mod locust;
mod page;
mod tables;
mod words;

use std::path::PathBuf;

pub(super) use self::live::Live;
use super::result::{Comparison, LoadTest};
use crate::cli::{BenchArgs, BenchFormat};
use crate::destination::Destination;
use crate::process::terminal::Look;

/// Everything that figures are to be written to.
pub(super) struct Outputs {
    format: BenchFormat,
    figures: Destination,
    reports: Vec<(Kind, Destination)>,
    /// By run.
    csv: Vec<locust::Files>,
}

/// What the ending of `--report` asks for.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Page,
    Document,
}

impl Outputs {
    /// Opens the files of runs with these names, all of them, so that a wrong name costs no measuring.
    pub(super) fn open(args: &BenchArgs, runs: &[String]) -> anyhow::Result<Self> {
        let report = |path: &PathBuf| {
            let is_document = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("md"));
            let kind = if is_document { Kind::Document } else { Kind::Page };
            Ok((kind, Destination::create("--report", path)?))
        };
        Ok(Self {
            format: args.format,
            figures: Destination::open(args.output.as_deref())?,
            reports: args.load.report.iter().map(report).collect::<anyhow::Result<_>>()?,
            csv: args.load.csv.as_ref().map_or(Ok(Vec::new()), |prefix| locust::open(prefix, runs))?,
        })
    }

    /// Writes what was measured, whatever becomes of the files; what was compared goes into the reports.
    pub(super) fn write(mut self, report: &LoadTest, comparison: Option<&Comparison>) -> anyhow::Result<()> {
        let files = self.write_files(report, comparison);
        files.and(self.write_figures(report))
    }

    /// Writes what was compared, and into the reports the runs that were.
    pub(super) fn write_compared(mut self, report: &LoadTest, comparison: &Comparison) -> anyhow::Result<()> {
        let files = self.write_files(report, Some(comparison));
        files.and(self.write_comparison(comparison))
    }

    fn write_figures(self, report: &LoadTest) -> anyhow::Result<()> {
        let is_terminal = self.figures.is_terminal();
        self.figures.fill(|mut out| match self.format {
            BenchFormat::Table => tables::write_terminal(out, report, Look::of_output(is_terminal)),
            BenchFormat::Json => {
                serde_json::to_writer_pretty(&mut out, report)?;
                writeln!(out)
            }
            BenchFormat::Csv => tables::write_csv(out, report),
            BenchFormat::Markdown => tables::write_markdown(out, report),
        })
    }

    fn write_comparison(self, comparison: &Comparison) -> anyhow::Result<()> {
        let is_terminal = self.figures.is_terminal();
        self.figures.fill(|mut out| match self.format {
            BenchFormat::Table => comparison::write_terminal(out, comparison, Look::of_output(is_terminal)),
            BenchFormat::Json => {
                serde_json::to_writer_pretty(&mut out, comparison)?;
                writeln!(out)
            }
            BenchFormat::Csv => comparison::write_csv(out, comparison),
            BenchFormat::Markdown => comparison::write_markdown(out, comparison),
        })
    }

    /// Files come before standard output: its reader may leave early. Each is tried, because measuring again takes
    /// minutes; the first error is returned.
    fn write_files(&mut self, report: &LoadTest, comparison: Option<&Comparison>) -> anyhow::Result<()> {
        let mut outcome = Ok(());
        for (kind, file) in std::mem::take(&mut self.reports) {
            let written = file.fill(|out| match kind {
                Kind::Page => page::write(out, report, comparison),
                Kind::Document => document::write(out, report, comparison),
            });
            outcome = outcome.and(written);
        }
        for (files, run) in std::mem::take(&mut self.csv).into_iter().zip(&report.runs) {
            for (file, content) in files {
                outcome = outcome.and(file.fill(|out| content(out, run)));
            }
        }
        outcome
    }
}
