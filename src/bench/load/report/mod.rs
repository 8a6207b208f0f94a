//! A load test as text, tables and charts: one small file per format, all of them pure functions of what is saved.
//!
//! `columns` has the columns of every table: a new figure is a line there. `tables`, `comparison`, `document` and `page`
//! write them, with sentences from `words` and figures from `figures`; `locust` has columns of its own.

mod attached;
mod columns;
mod comparison;
mod document;
mod figures;
mod live;
mod locust;
mod page;
mod tables;
mod words;

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::Serialize;

use self::attached::Attached;
pub(super) use self::live::Live;
use super::result::{Comparison, LoadTest};
use crate::cli::{BenchArgs, BenchFormat, wrong_usage};
use crate::destination::{Destination, is_document};
use crate::output;
use crate::process::terminal::Look;

/// What `--format` prints: a load test, or the comparison of several.
pub(super) trait Printed: Serialize {
    fn write_terminal(&self, out: &mut dyn Write, look: Look) -> io::Result<()>;
    fn write_markdown(&self, out: &mut dyn Write) -> io::Result<()>;
    fn write_csv(&self, out: &mut dyn Write) -> io::Result<()>;
}

pub(super) struct Outputs {
    format: BenchFormat,
    figures: Destination,
    reports: Vec<(ReportKind, Destination)>,
    attached: Vec<Attached>,
    /// By run.
    csv: Vec<locust::Files>,
}

/// By the extension of the file of `--report`.
#[derive(Clone)]
enum ReportKind {
    Page,
    /// Its folder, without symbolic links, where links start.
    Document(PathBuf),
}

impl Outputs {
    /// Opens all files, so that a wrong name is an error before the load and not after it. `runs` are the names of runs.
    pub(super) fn open(args: &BenchArgs, runs: &[String]) -> anyhow::Result<Self> {
        let load = &args.load;
        if !load.attach.is_empty() && !load.report.iter().any(|path| is_document(path)) {
            wrong_usage("bench", "--attach needs a report that ends in .md, e.g. --report report.md");
        }
        // Before a report is opened: an attachment may be a report of before.
        let attached = load.attach.iter().map(attached::read).collect::<anyhow::Result<_>>()?;
        let report = |path: &PathBuf| {
            let file = Destination::create("--report", path)?;
            let kind = if is_document(path) {
                ReportKind::Document(folder(path).with_context(|| format!("--report {}", path.display()))?)
            } else {
                ReportKind::Page
            };
            Ok((kind, file))
        };
        Ok(Self {
            format: args.format,
            figures: Destination::open(args.output.as_deref())?,
            reports: load.report.iter().map(report).collect::<anyhow::Result<_>>()?,
            attached,
            csv: load.csv.as_ref().map_or(Ok(Vec::new()), |prefix| locust::open(prefix, runs))?,
        })
    }

    /// Prints the figures, and writes the reports, which have the comparisons, too. Each is tried if another fails.
    pub(super) fn write(
        mut self,
        figures: &impl Printed,
        test: &LoadTest,
        comparisons: &[Comparison],
    ) -> anyhow::Result<()> {
        let files = self.write_files(test, comparisons);
        files.and(self.write_figures(figures))
    }

    fn write_figures(self, figures: &impl Printed) -> anyhow::Result<()> {
        let is_terminal = self.figures.is_terminal();
        self.figures.fill(|out| match self.format {
            BenchFormat::Table => figures.write_terminal(out, Look::of_output(is_terminal)),
            BenchFormat::Json => output::write_indented(out, figures),
            BenchFormat::Csv => figures.write_csv(out),
            BenchFormat::Markdown => figures.write_markdown(out),
        })
    }

    /// Files come before standard output: its reader may leave early. Each is tried, because measuring again takes
    /// minutes; the first error is returned.
    fn write_files(&mut self, test: &LoadTest, comparisons: &[Comparison]) -> anyhow::Result<()> {
        let mut outcome = Ok(());
        for (kind, file) in std::mem::take(&mut self.reports) {
            let written = file.fill(|out| match &kind {
                ReportKind::Page => page::write(out, test, comparisons),
                ReportKind::Document(folder) => {
                    document::write(out, test, comparisons, &self.attached, folder)
                }
            });
            outcome = outcome.and(written);
        }
        for (files, run) in std::mem::take(&mut self.csv).into_iter().zip(&test.runs) {
            for (file, content) in files {
                outcome = outcome.and(file.fill(|out| content(out, run)));
            }
        }
        outcome
    }
}

/// Of a file that may not be there yet.
fn folder(path: &Path) -> io::Result<PathBuf> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    std::fs::canonicalize(folder.unwrap_or(Path::new(".")))
}
