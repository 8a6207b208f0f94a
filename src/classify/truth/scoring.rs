//! From the results of images to their scores.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use skinclf::ModelSpec;
use skinclf::evaluation::Sample;

use super::labels::Labels;
use super::names::Names;
use super::report::{LeftOut, Report};
use super::{RESAMPLES, SEED, html};
use crate::cli::ClassifyArgs;
use crate::destination::Destination;
use crate::output::{Format, Outcome};
use crate::process::interrupt;
use crate::process::terminal::{Look, note};

/// Gathers what can be scored while the run goes on.
pub(in crate::classify) struct Scoring<'s> {
    labels: Labels,
    sample: Sample<'s>,
    spec: &'s ModelSpec,
    file: PathBuf,
    report: Option<Destination>,
    quiet: bool,
    classified: u64,
    failed: u64,
    unusable: u64,
    unlabelled: Names,
    unknown_label: u64,
    repeated: Names,
}

impl<'s> Scoring<'s> {
    /// Reads the labels and opens the report's file, so that what is wrong with them is said before the run.
    pub(in crate::classify) fn open(
        file: &Path,
        args: &ClassifyArgs,
        spec: &'s ModelSpec,
    ) -> anyhow::Result<Self> {
        let labels = Labels::read(file, spec)?;
        if !args.quiet {
            let (file, unknown) = (file.display(), labels.unknown());
            if !labels.lacking().is_empty() {
                note(format_args!("warning: {file} has no column {}", labels.lacking().join(", ")));
            }
            if !unknown.is_empty() {
                let classes: Vec<_> = spec.labels.iter().map(|l| l.code.as_str()).collect();
                let classes = classes.join(", ");
                note(format_args!(
                    "warning: no class of this model ({classes}), so not scored: {unknown} in {file}"
                ));
            }
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
            unusable: 0,
            unlabelled: Names::default(),
            unknown_label: 0,
            repeated: Names::default(),
        })
    }

    /// Takes note of one image's result.
    pub(in crate::classify) fn add(&mut self, name: &str, outcome: &Outcome) {
        let label = self.labels.of_image(name);
        let Ok(prediction) = outcome else {
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
        self.unusable += u64::from(!prediction.is_usable());
        self.sample.push(class, prediction.class, &prediction.probabilities, label.lesion);
    }

    /// Prints the scores and writes the report.
    ///
    /// # Errors
    /// When there is nothing to score, unless the run was interrupted, or something cannot be written; `name` is
    /// what `out` is called.
    pub(in crate::classify) fn finish(
        mut self,
        format: Format,
        look: Look,
        threads: usize,
        out: &mut dyn Write,
        name: &str,
    ) -> anyhow::Result<()> {
        // Once, so that all that is said agrees.
        let interrupted = interrupt::requested();
        if self.sample.is_empty() {
            return if interrupted { Ok(()) } else { Err(self.nothing_to_score()) };
        }
        if !self.quiet {
            self.warn(interrupted);
        }
        let page = self.report.take();
        let report = self.report(threads, interrupted)?;
        // If one cannot be written, the other still holds what the run found.
        let printed = report.print(format, look, out).with_context(|| name.to_owned());
        if let Some(page) = page {
            page.fill(|out| html::write(out, &report))?;
        }
        printed
    }

    fn report(self, threads: usize, interrupted: bool) -> anyhow::Result<Report<'s>> {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        let pool = pool.context("cannot start threads")?;
        Ok(Report {
            spec: self.spec,
            file: self.file.display().to_string(),
            scores: pool.install(|| self.sample.score(RESAMPLES, SEED)),
            images: self.sample.len(),
            unusable: self.unusable,
            lesions: self.labels.tell_lesions().then(|| self.sample.units()),
            interrupted,
            left_out: LeftOut {
                failed: self.failed,
                unlabelled: self.unlabelled.count(),
                unknown_label: self.unknown_label,
                repeated: self.repeated.count(),
                labels_without_image: self.labels.without_image().count(),
            },
        })
    }

    fn warn(&self, interrupted: bool) {
        let file = self.file.display();
        if !self.unlabelled.is_empty() {
            note(format_args!("warning: without a label in {file}, so not scored: {}", self.unlabelled));
        }
        if !self.repeated.is_empty() {
            note(format_args!("warning: named like an image before, so not scored: {}", self.repeated));
        }
        let missing = self.labels.without_image();
        if missing.is_empty() {
            return;
        }
        if interrupted {
            note(format_args!("warning: labels in {file} that were not reached: {}", missing.count()));
        } else {
            note(format_args!("warning: labelled in {file}, but not among the images: {missing}"));
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
            "--truth {file}: has no usable label for any of the {} classified images; names are compared without folder and \
             extension. Images: {}. Labels: {}",
            self.classified,
            self.unlabelled,
            self.labels.without_image(),
        )
    }
}
