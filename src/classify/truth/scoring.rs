//! Collects the predictions of a run and evaluates them.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use skinclf::evaluation::Sample;
use skinclf::{ModelSpec, Prediction, Prior};

use super::evaluation::{Evaluation, LeftOut, RESAMPLES};
use super::labels::Labels;
use super::names::Names;
use super::{json, page, tables};
use crate::destination::Destination;
use crate::process::interrupt;
use crate::process::terminal::{Look, note};

/// Fixed, so that the output is repeatable.
const SEED: u64 = 0x5eed;

pub(in crate::classify) struct Scoring<'s> {
    labels: Labels,
    sample: Sample<'s>,
    spec: &'s ModelSpec,
    /// The class shares that the probabilities are for, with `--prior`.
    prior: Option<Prior>,
    file: PathBuf,
    page: Option<Destination>,
    quiet: bool,
    classified: u64,
    failed: u64,
    unusable: u64,
    unlabelled: Names,
    unknown_label: u64,
    repeated: Names,
}

impl<'s> Scoring<'s> {
    /// Reads the labels and opens the file of the page before the run, so that a mistake in either is found at once.
    pub(in crate::classify) fn open(
        file: &Path,
        page: Option<&Path>,
        spec: &'s ModelSpec,
        quiet: bool,
    ) -> anyhow::Result<Self> {
        let labels = Labels::read(file, spec)?;
        if !quiet {
            let (file, unknown) = (file.display(), labels.unknown());
            if !labels.lacking().is_empty() {
                note(format_args!("warning: {file} has no column {}", labels.lacking().join(", ")));
            }
            if !unknown.is_empty() {
                let classes: Vec<_> = spec.labels.iter().map(|l| l.code.as_str()).collect();
                let classes = classes.join(", ");
                note(format_args!(
                    "warning: not scored, because the label in {file} is not a class of this model ({classes}): {unknown}"
                ));
            }
        }
        Ok(Self {
            labels,
            sample: Sample::new(spec),
            spec,
            prior: None,
            file: file.to_owned(),
            page: page.map(|path| Destination::create("--report", path)).transpose()?,
            quiet,
            classified: 0,
            failed: 0,
            unusable: 0,
            unlabelled: Names::default(),
            unknown_label: 0,
            repeated: Names::default(),
        })
    }

    /// Adds one image; without a prediction, if it could not be classified.
    pub(in crate::classify) fn add(&mut self, name: &str, prediction: Option<&Prediction>) {
        let label = self.labels.of_image(name);
        let Some(prediction) = prediction else {
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
        self.prior.clone_from(&prediction.prior);
        let Prediction { class: decision, probabilities, set, .. } = prediction;
        let flagged = prediction.flagged == Some(true);
        self.sample.push(class, *decision, probabilities, flagged, set.as_ref(), label.lesion);
    }

    /// Prints the scores, as tables if there is a look and as JSON otherwise, and writes the page.
    ///
    /// # Errors
    /// When there is nothing to score, unless the run was interrupted, or when an output cannot be written. `name` is
    /// the name of `out` in that error. The inner error is that of the page, without which the scores are worth having.
    pub(in crate::classify) fn finish(
        mut self,
        look: Option<Look>,
        threads: usize,
        out: &mut dyn Write,
        name: &str,
    ) -> anyhow::Result<anyhow::Result<()>> {
        // Asked once, so that all outputs agree.
        let interrupted = interrupt::requested();
        if self.sample.is_empty() {
            return if interrupted { Ok(Ok(())) } else { Err(self.nothing_to_score()) };
        }
        if !self.quiet {
            self.warn(interrupted);
        }
        let page = self.page.take();
        let evaluation = self.evaluation(threads, interrupted)?;
        // If one of them cannot be written, the other still is.
        let printed = match look {
            Some(look) => tables::write(out, &evaluation, look),
            None => json::write(out, &evaluation),
        };
        let page = page.map_or(Ok(()), |page| page.fill(|out| page::write(out, &evaluation)));
        printed.with_context(|| name.to_owned())?;
        Ok(page)
    }

    fn evaluation(self, threads: usize, interrupted: bool) -> anyhow::Result<Evaluation<'s>> {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        let pool = pool.context("cannot start threads")?;
        Ok(Evaluation {
            spec: self.spec,
            prior: self.prior,
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
            note(format_args!(
                "warning: not scored, because there is no label in {file}: {}",
                self.unlabelled
            ));
        }
        if !self.repeated.is_empty() {
            note(format_args!(
                "warning: not scored, because an earlier image has the same name: {}",
                self.repeated
            ));
        }
        let missing = self.labels.without_image();
        if missing.is_empty() {
            return;
        }
        if interrupted {
            note(format_args!(
                "warning: labels in {file} whose images were not reached: {}",
                missing.count()
            ));
        } else {
            note(format_args!("warning: labels in {file} without an image: {missing}"));
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
