//! `--truth`: scores of a run against labels, in place of its results one by one.

mod figures;
mod html;
mod json;
mod labels;
mod names;
mod table;

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use skinclf::ModelSpec;
use skinclf::metrics::{Sample, Scores};

use self::labels::Labels;
use self::names::Names;
use super::Outcome;
use crate::cli::ClassifyArgs;
use crate::interrupt;
use crate::output::{Destination, Layout};

/// So many give intervals whose ends hardly move from seed to seed.
const RESAMPLES: usize = 1000;

/// Any would do; one that is fixed makes the output repeatable.
const SEED: u64 = 0x5eed;

/// Gathers what can be scored while the run goes on.
pub(super) struct Scoring<'s> {
    labels: Labels,
    sample: Sample<'s>,
    spec: &'s ModelSpec,
    file: PathBuf,
    report: Option<Destination>,
    quiet: bool,
    classified: u64,
    failed: u64,
    unlabelled: Names,
    unknown_label: u64,
    repeated: Names,
}

/// The outcome.
struct Report<'s> {
    spec: &'s ModelSpec,
    /// The labels' file as it was named.
    file: String,
    scores: Scores,
    images: usize,
    /// If the labels tell lesions.
    lesions: Option<usize>,
    left_out: LeftOut,
}

/// What is not scored, in images but for the last.
struct LeftOut {
    failed: u64,
    unlabelled: u64,
    /// With a label that is no class of the model.
    unknown_label: u64,
    /// Named like an image before them.
    repeated: u64,
    labels_without_image: u64,
}

impl<'s> Scoring<'s> {
    /// Reads the labels and makes the report's file, so that what is wrong with them is said before the run.
    pub(super) fn open(file: &Path, args: &ClassifyArgs, spec: &'s ModelSpec) -> anyhow::Result<Self> {
        let labels = Labels::read(file, spec)?;
        let unknown = labels.unknown();
        if !args.quiet && !unknown.is_empty() {
            let classes: Vec<_> = spec.labels.iter().map(|l| l.code.as_str()).collect();
            eprintln!(
                "warning: no class of this model ({}), so not scored: {unknown} in {}",
                classes.join(", "),
                file.display()
            );
        }
        Ok(Self {
            labels,
            sample: Sample::new(spec),
            spec,
            file: file.to_owned(),
            report: args.report.as_deref().map(|path| Destination::create("--report", path)).transpose()?,
            quiet: args.quiet,
            classified: 0,
            failed: 0,
            unlabelled: Names::default(),
            unknown_label: 0,
            repeated: Names::default(),
        })
    }

    /// Takes note of one image's result.
    pub(super) fn add(&mut self, name: &str, outcome: &Outcome) {
        let label = self.labels.of_image(name);
        let Ok((prediction, _)) = outcome else {
            self.failed += 1;
            return;
        };
        self.classified += 1;
        let Some(label) = label else {
            self.unlabelled.push(name);
            return;
        };
        let Some(class) = label.class else {
            self.unknown_label += 1;
            return;
        };
        if std::mem::replace(&mut label.scored, true) {
            self.repeated.push(name);
            return;
        }
        self.sample.push(class, prediction.class, &prediction.probabilities, label.lesion);
    }

    /// Prints the scores and writes the report.
    ///
    /// # Errors
    /// When there is nothing to score, unless the run was interrupted, or something cannot be written; `name` is
    /// what `out` is called.
    pub(super) fn finish(
        mut self,
        layout: Layout,
        threads: usize,
        out: &mut dyn Write,
        name: &str,
    ) -> anyhow::Result<()> {
        if self.sample.is_empty() {
            return if interrupt::requested() { Ok(()) } else { Err(self.nothing_to_score()) };
        }
        if !self.quiet {
            self.warn();
        }
        let page = self.report.take();
        let report = self.report(threads)?;
        if let Some(mut page) = page {
            html::write(&mut page.writer, &report).with_context(|| page.name.clone())?;
        }
        report.print(layout, out).with_context(|| name.to_owned())
    }

    fn report(self, threads: usize) -> anyhow::Result<Report<'s>> {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        let pool = pool.context("cannot start threads")?;
        Ok(Report {
            spec: self.spec,
            file: self.file.display().to_string(),
            scores: pool.install(|| self.sample.score(RESAMPLES, SEED)),
            images: self.sample.len(),
            lesions: self.labels.tell_lesions().then(|| self.sample.units()),
            left_out: LeftOut {
                failed: self.failed,
                unlabelled: self.unlabelled.count(),
                unknown_label: self.unknown_label,
                repeated: self.repeated.count(),
                labels_without_image: self.labels.without_image().count(),
            },
        })
    }

    fn warn(&self) {
        let file = self.file.display();
        if !self.unlabelled.is_empty() {
            eprintln!("warning: without a label in {file}, so not scored: {}", self.unlabelled);
        }
        if !self.repeated.is_empty() {
            eprintln!("warning: named like an image before, so not scored: {}", self.repeated);
        }
        let missing = self.labels.without_image();
        // After an interruption, most images were not come to.
        if !missing.is_empty() && !interrupt::requested() {
            eprintln!("warning: labelled in {file}, but not among the images: {missing}");
        }
    }

    fn nothing_to_score(&self) -> anyhow::Error {
        let file = self.file.display();
        if self.classified == 0 {
            return anyhow!("nothing to score: no image could be classified");
        }
        if self.unlabelled.is_empty() {
            return anyhow!("--truth {file}: no label of a classified image is a class of this model");
        }
        anyhow!(
            "--truth {file}: has no label for any of the {} classified images; names are compared without folder and \
             extension. Images: {}. Labels: {}",
            self.classified,
            self.unlabelled,
            self.labels.without_image(),
        )
    }
}

impl Report<'_> {
    fn print(&self, layout: Layout, out: &mut dyn Write) -> io::Result<()> {
        match layout {
            Layout::Table { colored, .. } => table::write(out, self, colored)?,
            // The command line lets no other through.
            _ => json::write(out, self)?,
        }
        out.flush()
    }

    /// `6 images of 5 lesions scored against labels.csv; 1 failed`
    fn summary(&self) -> String {
        let count = |n: u64, what: &str| (n > 0).then(|| format!("{n} {what}"));
        let left_out = [
            count(self.left_out.failed, "failed"),
            count(self.left_out.unlabelled, "without a label"),
            count(self.left_out.unknown_label, "labelled as another class"),
            count(self.left_out.repeated, "named like another"),
        ];
        let left_out: Vec<_> = left_out.into_iter().flatten().collect();
        let images = if self.images == 1 { "image" } else { "images" };
        let lesions = match self.lesions {
            Some(1) => " of 1 lesion".to_owned(),
            Some(n) => format!(" of {n} lesions"),
            None => String::new(),
        };
        let rest = if left_out.is_empty() { String::new() } else { format!("; {}", left_out.join(", ")) };
        format!("{} {images}{lesions} scored against {}{rest}", self.images, self.file)
    }

    /// How the intervals are made.
    fn method(&self) -> String {
        let units = if self.lesions.is_some() { "lesions" } else { "images" };
        format!("Intervals are 95 % percentile intervals of {RESAMPLES} bootstrap resamples of {units}.")
    }
}
