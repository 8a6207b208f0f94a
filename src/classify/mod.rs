//! `skinclf classify`: many images in parallel, results in input order.

mod heatmaps;
mod inputs;
mod ordered;
mod truth;
mod usage;

use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use bytesize::ByteSize;
use indicatif::ProgressBar;
use skinclf::image::EXTENSIONS;
use skinclf::{Classifier, Options, Prediction, Timings, panics};

use self::heatmaps::Heatmaps;
use self::inputs::{Input, Inputs};
use self::truth::Scoring;
use crate::cli::{ClassifyArgs, Format};
use crate::destination::Destination;
use crate::output;
use crate::output::{Failure, Heatmap, Layout, Record, Sink, Subject};
use crate::process::Exit;
use crate::process::terminal::Look;
use crate::process::{interrupt, terminal};

type Outcome = Result<(Prediction, Timings), Failure>;

/// What becomes of the results.
enum Results<'s> {
    Rows(Box<dyn Sink + 's>),
    Scores(Box<Scoring<'s>>, &'s mut Destination),
}

impl Results<'_> {
    /// Writes what is left to write; `name` is where to.
    fn finish(self, layout: Layout, threads: usize, name: &str) -> anyhow::Result<()> {
        match self {
            Self::Rows(mut sink) => sink.finish().with_context(|| name.to_owned()),
            Self::Scores(scoring, out) => {
                // The command line lets only tables and JSON through.
                let look = if let Layout::Table(look) = layout { Some(look) } else { None };
                scoring.finish(look, threads, out, name)
            }
        }
    }
}

pub(crate) fn run(args: &ClassifyArgs) -> anyhow::Result<Exit> {
    usage::refuse_contradictions(args);
    let classifier = Arc::new(args.model.load()?);
    let spec = classifier.spec();
    let scoring = args
        .truth
        .as_deref()
        .map(|labels| Scoring::open(labels, args.report.as_deref(), spec, args.quiet))
        .transpose()?;
    let mut heatmaps = args.heatmap.as_deref().map(|folder| Heatmaps::open(folder, spec)).transpose()?;
    let mut out = destination(args)?;
    let (out_name, on_terminal, to_file) = (out.name.clone(), out.is_terminal, out.is_file());
    let layout = layout(args.format, on_terminal);
    let mut results = match scoring {
        None => Results::Rows(output::sink(layout, spec, Box::new(&mut out)).map_err(|e| anyhow!(e))?),
        Some(scoring) => Results::Scores(scoring.into(), &mut out),
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
            let written = heatmaps.write(&name, &png, |why| bar.suspend(|| terminal::complain(&name, why)));
            tally.without_heatmap += u64::from(written.is_none());
            written.map(Heatmap::File)
        });
        match &mut results {
            Results::Scores(scoring, _) => {
                let prediction = outcome.as_ref().ok().map(|(prediction, _)| prediction);
                scoring.add(&name, prediction);
            }
            Results::Rows(sink) => {
                let top_k = args.top_k.map(usize::from);
                let record = Record { subject: Subject::Path(&name), outcome, spec, top_k, heatmap };
                let written =
                    if on_terminal { bar.suspend(|| sink.push(&record)) } else { sink.push(&record) };
                written.with_context(|| out_name.clone())?;
            }
        }
        bar.inc(1);
    }
    let elapsed = bar.elapsed();
    bar.finish_and_clear();
    let found_none = tally.done + tally.failed == 0 && !interrupt::requested();
    if to_file && !tally.is_worth_a_file(args.format) {
        drop(results);
        out.discard();
    } else if !found_none {
        results.finish(layout, threads(args)?, &out_name)?;
        out.finish()?;
    }
    if found_none {
        return Err(anyhow!("no images found; directories are searched for {}", EXTENSIONS.join(", ")));
    }
    if !args.quiet && io::stderr().is_terminal() {
        terminal::note(tally.summary(elapsed));
    }
    Ok(tally.exit())
}

/// Rows of JSON show while the run goes on, also in a file; any other format is whole or not there.
fn destination(args: &ClassifyArgs) -> anyhow::Result<Destination> {
    match args.format {
        Format::Jsonl => Destination::stream(args.output.as_deref()),
        _ => Destination::open(args.output.as_deref()),
    }
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

    /// Whether the results are to take the place of an earlier run's: not if it was interrupted before the first, nor
    /// if a format that has no place for failures holds nothing.
    fn is_worth_a_file(&self, format: Format) -> bool {
        self.done > 0 || self.failed > 0 && format != Format::Isic
    }

    /// `340 classified, 2 failed in 3.2 s (107 images/s)`
    fn summary(&self, elapsed: Duration) -> String {
        let part =
            |count: u64, what: &str| if count == 0 { String::new() } else { format!(", {count} {what}") };
        let failed = part(self.failed, "failed");
        let without = part(self.without_heatmap, "without a heatmap");
        let rate = (self.done + self.failed) as f64 / elapsed.as_secs_f64().max(1e-9);
        let decimals = usize::from(rate < 100.0);
        let time = shown(elapsed);
        format!("{} classified{failed}{without} in {time} ({rate:.decimals$} images/s)", self.done)
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

/// `40 ms`, `3.2 s`, `2m 5s`
fn shown(time: Duration) -> String {
    match time.as_secs_f64() {
        seconds if seconds < 0.9995 => format!("{:.0} ms", (seconds * 1e3).max(1.0)),
        seconds if seconds < 59.95 => format!("{seconds:.1} s"),
        seconds => humantime::format_duration(Duration::from_secs(seconds.round() as u64)).to_string(),
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

    #[test]
    fn a_summary_has_a_time_that_fits_its_rate() {
        for (done, failed, ms, said) in [
            (9, 0, 4, "9 classified in 4 ms (2250 images/s)"),
            (1120, 3, 59_960, "1120 classified, 3 failed in 1m (18.7 images/s)"),
            (340, 0, 3_163, "340 classified in 3.2 s (107 images/s)"),
            (20_000, 0, 125_400, "20000 classified in 2m 5s (159 images/s)"),
        ] {
            let tally = Tally { done, failed, without_heatmap: 0 };
            assert_eq!(tally.summary(Duration::from_millis(ms)), said);
        }
    }
}
