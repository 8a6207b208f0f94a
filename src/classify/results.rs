//! What becomes of the results: a row for each image, or scores at the end.

use anyhow::{Context as _, anyhow};
use indicatif::ProgressBar;
use skinclf::ModelSpec;

use super::truth::Scoring;
use crate::destination::Destination;
use crate::output::{self, Format, Heatmap, Outcome, Record, Sink, Subject};
use crate::process::terminal::{Look, complain};

pub(super) struct Results<'s> {
    spec: &'s ModelSpec,
    format: Format,
    look: Look,
    top_k: Option<usize>,
    /// What the destination is called in errors.
    name: String,
    on_terminal: bool,
    kind: Kind<'s>,
}

enum Kind<'s> {
    Rows(Box<dyn Sink + 's>),
    Scores(Box<Scoring<'s>>, &'s mut Destination),
}

impl<'s> Results<'s> {
    /// `coverage` is that of the prediction sets. `scoring` is that of `--truth`, whose scores are printed instead of rows.
    pub(super) fn new(
        format: Format,
        top_k: Option<usize>,
        coverage: Option<f32>,
        scoring: Option<Scoring<'s>>,
        spec: &'s ModelSpec,
        out: &'s mut Destination,
    ) -> anyhow::Result<Self> {
        let (name, on_terminal, continued) = (out.name().to_owned(), out.is_terminal(), out.is_continued());
        let look = Look::of_output(on_terminal);
        let kind = match scoring {
            None => Kind::Rows(
                output::sink(format, look, spec, coverage, Box::new(out), continued)
                    .map_err(|e| anyhow!(e))?,
            ),
            Some(scoring) => Kind::Scores(scoring.into(), out),
        };
        Ok(Self { spec, format, look, top_k, name, on_terminal, kind })
    }

    /// `bar` is hidden while something is written to the terminal.
    pub(super) fn add(
        &mut self,
        image: &str,
        outcome: Outcome,
        heatmap: Option<Heatmap>,
        bar: &ProgressBar,
    ) -> anyhow::Result<()> {
        if let Err(failure) = &outcome
            && !self.has_failures()
        {
            bar.suspend(|| complain(image, &failure.message));
        }
        match &mut self.kind {
            Kind::Scores(scoring, _) => scoring.add(image, outcome.as_ref().ok()),
            Kind::Rows(sink) => {
                let (spec, top_k) = (self.spec, self.top_k);
                let record = Record { subject: Subject::Path(image), outcome, spec, top_k, heatmap };
                let written =
                    if self.on_terminal { bar.suspend(|| sink.push(record)) } else { sink.push(record) };
                written.with_context(|| self.name.clone())?;
            }
        }
        Ok(())
    }

    /// Writes the end of the rows, or the scores; the inner error is that of the page of the scores.
    pub(super) fn finish(self, threads: usize) -> anyhow::Result<anyhow::Result<()>> {
        match self.kind {
            Kind::Rows(mut sink) => sink.finish().context(self.name).map(Ok),
            Kind::Scores(scoring, out) => {
                // The command line lets only tables and JSON through.
                let look = (self.format == Format::Table).then_some(self.look);
                scoring.finish(look, threads, out, &self.name)
            }
        }
    }

    fn has_failures(&self) -> bool {
        self.format.has_failures() && matches!(self.kind, Kind::Rows(_))
    }
}
