//! The figures as text, tables and charts, one small file a format. They are pure: a report in, text out.

mod columns;
mod comparison;
mod csv;
mod describe;
mod document;
mod figures;
mod html;
mod locust;
mod markdown;
mod table;

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::{Context as _, ensure};

use super::compare::Comparison;
use super::outcome::Report;
use super::saved;
use crate::cli::{BenchArgs, BenchFormat};
use crate::output::Destination;
use crate::terminal;

/// Everything that figures are to be written to.
pub(super) struct Outputs {
    format: BenchFormat,
    figures: Destination,
    reports: Vec<(Kind, Destination)>,
    locust: Option<PathBuf>,
    compared: Option<(Report, Comparison)>,
}

/// What the ending of `--report` asks for.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Page,
    Document,
}

impl Outputs {
    /// Opens all files and reads those of `--compare`, so that a wrong name costs no measuring.
    pub(super) fn open(args: &BenchArgs) -> anyhow::Result<Self> {
        let compare = &args.load.compare;
        let compared = if compare.is_empty() { None } else { Some(saved::compared(compare)?) };
        let locust = args.load.csv.clone();
        if let Some(folder) = locust.as_ref().and_then(|prefix| prefix.parent()) {
            let exists = folder.as_os_str().is_empty() || folder.is_dir();
            ensure!(exists, "--csv: there is no folder {}", folder.display());
        }
        let report = |path: &PathBuf| {
            let kind = if path.extension().is_some_and(|e| e == "md") { Kind::Document } else { Kind::Page };
            Ok((kind, Destination::create("--report", path)?))
        };
        Ok(Self {
            format: args.format,
            figures: Destination::open(args.output.as_deref())?,
            reports: args.load.report.iter().map(report).collect::<anyhow::Result<_>>()?,
            locust,
            compared,
        })
    }

    /// Writes what was measured; what was compared goes into the reports.
    pub(super) fn write(mut self, report: &Report) -> anyhow::Result<()> {
        let comparison = self.compared.take().map(|(_, comparison)| comparison);
        self.write_files(report, comparison.as_ref())?;
        let Destination { writer: mut out, is_terminal, .. } = self.figures;
        match self.format {
            BenchFormat::Table => table::write(&mut out, report, terminal::colored(is_terminal))?,
            BenchFormat::Json => {
                serde_json::to_writer_pretty(&mut out, report)?;
                writeln!(out)?;
            }
            BenchFormat::Csv => csv::write(&mut out, report)?,
            BenchFormat::Markdown => markdown::write(&mut out, report)?,
        }
        Ok(out.flush()?)
    }

    /// Writes what was compared, if anything was.
    pub(super) fn write_compared(mut self) -> anyhow::Result<()> {
        let Some((report, comparison)) = self.compared.take() else { return Ok(()) };
        self.write_files(&report, Some(&comparison))?;
        let Destination { writer: mut out, is_terminal, .. } = self.figures;
        match self.format {
            BenchFormat::Table => {
                comparison::write_table(&mut out, &comparison, terminal::colored(is_terminal))?;
            }
            BenchFormat::Json => {
                serde_json::to_writer_pretty(&mut out, &comparison)?;
                writeln!(out)?;
            }
            BenchFormat::Csv => comparison::write_csv(&mut out, &comparison)?,
            BenchFormat::Markdown => comparison::write_markdown(&mut out, &comparison)?,
        }
        Ok(out.flush()?)
    }

    /// Files come before standard output: its reader may leave early.
    fn write_files(&mut self, report: &Report, comparison: Option<&Comparison>) -> anyhow::Result<()> {
        for (kind, Destination { writer, name, .. }) in &mut self.reports {
            let written = match kind {
                Kind::Page => html::write(writer, report, comparison),
                Kind::Document => document::write(writer, report, comparison),
            };
            written.and_then(|()| writer.flush()).with_context(|| format!("{name}: cannot be written"))?;
        }
        self.locust.as_ref().map_or(Ok(()), |prefix| locust::write_files(prefix, report))
    }
}
