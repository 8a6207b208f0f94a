//! `skinclf classify`: many images in parallel, results in input order.

mod heatmaps;
mod inputs;
mod ordered;
mod truth;
mod usage;

use std::io::{self, IsTerminal, Write};
use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use bytesize::ByteSize;
use indicatif::{HumanCount, HumanDuration, ProgressBar};
use skinclf::image::EXTENSIONS;
use skinclf::{Classifier, Options, Prediction, Timings, panics};

use self::heatmaps::Heatmaps;
use self::inputs::{Input, Inputs};
use self::truth::Scoring;
use crate::cli::{ClassifyArgs, Format};
use crate::exit::Exit;
use crate::output::{self, Destination, Failure, Heatmap, Layout, Record, Sink, Subject};
use crate::terminal::Look;
use crate::{interrupt, terminal};

type Outcome = Result<(Prediction, Timings), Failure>;

/// What becomes of the results.
enum Results<'s> {
    Rows(Box<dyn Sink + 's>),
    Scores(Box<Scoring<'s>>, Box<dyn Write>),
}

pub(crate) fn run(args: &ClassifyArgs) -> anyhow::Result<Exit> {
    usage::refuse_contradictions(args);
    let classifier = Arc::new(args.model.load()?);
    let spec = classifier.spec();
    let scoring = args.truth.as_deref().map(|labels| Scoring::open(labels, args, spec)).transpose()?;
    let mut heatmaps = args.heatmap.as_deref().map(|folder| Heatmaps::open(folder, spec)).transpose()?;
    let out = Destination::open(args.output.as_deref())?;
    let on_terminal = out.is_terminal;
    let layout = layout(args.format, on_terminal);
    let mut results = match scoring {
        None => Results::Rows(output::sink(layout, spec, out.writer).map_err(|e| anyhow!(e))?),
        Some(scoring) => Results::Scores(scoring.into(), out.writer),
    };

    interrupt::on_signal(|| {})?;
    let bar = terminal::progress(args.quiet);
    let skipped = heatmaps.as_ref().map(Heatmaps::resolved);
    let inputs = Inputs::new(&args.paths, args.files_from.as_deref(), skipped, args.max_file)?;
    count_in_background(&bar, &inputs);
    let worker = classifier.clone();
    let options = Options { tta: args.tta, explain: heatmaps.is_some(), strict: args.strict };
    let max_file = args.max_file;
    let classify = move |input| classify_one(&worker, options, max_file, input);
    let outcomes = ordered::map(threads(args)?, inputs, classify)?;

    let mut tally = Tally::default();
    for (name, outcome, png) in outcomes {
        tally.count(&outcome);
        if let Err(failure) = &outcome
            && (args.format == Format::Isic || args.truth.is_some())
        {
            bar.suspend(|| terminal::complain(&name, &failure.message));
        }
        let heatmap = heatmaps.as_mut().zip(png).and_then(|(heatmaps, png)| {
            // The result itself is none the worse without.
            let written = heatmaps.write(&name, &png).inspect_err(|e| {
                bar.suspend(|| terminal::complain(&name, &format!("{e:#}")));
                tally.without_heatmap += 1;
            });
            written.ok().map(Heatmap::File)
        });
        match &mut results {
            Results::Scores(scoring, _) => scoring.add(&name, &outcome),
            Results::Rows(sink) => {
                let top_k = args.top_k.map(usize::from);
                let record = Record { subject: Subject::Path(&name), outcome, spec, top_k, heatmap };
                let written =
                    if on_terminal { bar.suspend(|| sink.push(&record)) } else { sink.push(&record) };
                written.with_context(|| out.name.clone())?;
            }
        }
        bar.inc(1);
    }
    let elapsed = bar.elapsed();
    bar.finish_and_clear();
    if tally.done + tally.failed == 0 && !interrupt::requested() {
        return Err(anyhow!("no images found; directories are searched for {}", EXTENSIONS.join(", ")));
    }
    match results {
        Results::Rows(mut sink) => sink.finish().with_context(|| out.name.clone())?,
        Results::Scores(scoring, mut writer) => {
            scoring.finish(layout, threads(args)?, &mut writer, &out.name)?;
        }
    }
    if !args.quiet && io::stderr().is_terminal() {
        terminal::note(tally.summary(elapsed));
    }
    Ok(tally.exit())
}

fn layout(format: Format, on_terminal: bool) -> Layout {
    match format {
        Format::Table => Layout::Table(Look::of_output(on_terminal)),
        Format::Json => Layout::Json,
        Format::Jsonl => Layout::JsonLines,
        Format::Csv => Layout::Csv,
        Format::Isic => Layout::Isic,
    }
}

fn threads(args: &ClassifyArgs) -> anyhow::Result<usize> {
    match args.threads {
        Some(n) => Ok(n.get()),
        None => Ok(std::thread::available_parallelism()
            .context("how many cores there are; give --threads")?
            .get()),
    }
}

/// Name, outcome and the PNG of the heatmap, if that is wanted.
fn classify_one(
    classifier: &Classifier,
    options: Options,
    max_file: ByteSize,
    input: Input,
) -> (String, Outcome, Option<Vec<u8>>) {
    let name = input.name();
    let classified = guarded(|| {
        let (mut prediction, timings) = classifier.classify_timed(&input.read(max_file)?, options)?;
        let explanation = prediction.explanation.take();
        let png = explanation.map(|explanation| output::heatmap::png(&explanation));
        Ok((prediction, timings, png))
    });
    match classified {
        Ok((prediction, timings, png)) => (name, Ok((prediction, timings)), png),
        Err(failure) => (name, Err(failure), None),
    }
}

/// A panic, which is a bug, costs the image that met it and not the run.
fn guarded<T>(work: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    panics::catch(work).unwrap_or_else(|panic| {
        Err(Failure::new("internal", format_args!("internal error: {panic}; please report this bug")))
    })
}

/// The bar gets its length, and so an estimate of the time left, once all inputs are counted.
/// Counting walks the directories a second time, which is cheap beside classifying.
fn count_in_background(bar: &ProgressBar, inputs: &Inputs) {
    if bar.is_hidden() {
        return;
    }
    if let Some(again) = inputs.reopen() {
        let bar = bar.clone();
        std::thread::spawn(move || terminal::set_length(&bar, again.count() as u64));
    }
}

#[derive(Default)]
struct Tally {
    done: u64,
    failed: u64,
    /// Of those done, how many lack the heatmap that was asked for.
    without_heatmap: u64,
}

impl Tally {
    fn count(&mut self, outcome: &Outcome) {
        match outcome {
            Ok(_) => self.done += 1,
            Err(_) => self.failed += 1,
        }
    }

    fn summary(&self, elapsed: std::time::Duration) -> String {
        let rate = (self.done + self.failed) as f64 / elapsed.as_secs_f64().max(1e-9);
        let failed =
            if self.failed == 0 { String::new() } else { format!(", {} failed", HumanCount(self.failed)) };
        let without = match self.without_heatmap {
            0 => String::new(),
            n => format!(", {} without a heatmap", HumanCount(n)),
        };
        let stopped = if interrupt::requested() { "interrupted: " } else { "" };
        format!(
            "{stopped}{} classified{failed}{without} in {} ({rate:.1} images/s)",
            HumanCount(self.done),
            HumanDuration(elapsed)
        )
    }

    fn exit(&self) -> Exit {
        if interrupt::requested() {
            Exit::Interrupted
        } else if self.failed + self.without_heatmap > 0 {
            Exit::SomeFailed
        } else {
            Exit::Done
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_costs_its_image_and_no_other() {
        let work = |n| guarded(|| if n == 1 { panic!("this panic is part of a test") } else { Ok(n) });
        let results: Vec<_> = ordered::map(2, 0..3, work).expect("threads").collect();
        assert_eq!([&results[0], &results[2]], [&Ok(0), &Ok(2)]);
        let failure = results[1].as_ref().expect_err("a panic is a failure");
        assert_eq!(failure.code, "internal");
        assert!(failure.message.contains("this panic is part of a test"), "{}", failure.message);
    }
}
