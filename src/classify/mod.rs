//! `skinclf classify`: many images in parallel, results in input order. [`run`] is the function to read first.

mod counts;
mod heatmaps;
mod inputs;
mod ordered;
mod results;
mod resume;
mod truth;
mod usage;
mod worker;

use std::io::{self, IsTerminal};
use std::sync::Arc;

use anyhow::{Context as _, anyhow, ensure};
use indicatif::ProgressBar;
use skinclf::image::EXTENSIONS;
use skinclf::{Coverage, Options};

use self::counts::Counts;
use self::heatmaps::Heatmaps;
use self::inputs::Inputs;
use self::results::Results;
use self::resume::Earlier;
use self::truth::Scoring;
use self::worker::Classified;
use crate::cli::{self, ClassifyArgs};
use crate::destination::Destination;
use crate::output::Heatmap;
use crate::process::{Exit, interrupt, terminal};

pub(crate) fn run(args: &ClassifyArgs) -> anyhow::Result<Exit> {
    usage::refuse_contradictions(args);
    let threads = threads(args)?;
    let classifier = Arc::new(args.model.load()?);
    let spec = classifier.spec();
    let prior = cli::prior(args.prior.as_deref(), spec)?;
    let scoring = args
        .truth
        .as_deref()
        .map(|labels| Scoring::open(labels, args.report.as_deref(), spec, args.quiet))
        .transpose()?;
    let coverage = args
        .coverage
        .map(|share| Coverage::of(spec, share).map_err(|reason| anyhow!("--coverage {share}: {reason}")));
    let coverage = coverage.transpose()?;
    let mut heatmaps = args.heatmap.as_deref().map(|folder| Heatmaps::open(folder, spec)).transpose()?;
    let options =
        Options { tta: args.tta, prior, explain: heatmaps.is_some(), strict: args.strict, coverage };
    let (mut out, earlier) = match args.resume {
        true => resume::open(args, &options, &classifier, heatmaps.as_mut())?,
        false => (destination(args)?, Earlier::default()),
    };
    let to_file = out.is_file();
    let shown = coverage.map(Coverage::share);
    let mut results = Results::new(args.format, args.top_k.map(usize::from), shown, scoring, spec, &mut out)?;

    interrupt::on_signal(|| {})?;
    let bar = terminal::progress(args.quiet);
    let skipped = heatmaps.as_ref().map(Heatmaps::resolved);
    let inputs = Inputs::new(&args.paths, args.files_from.as_deref(), skipped, args.max_file)?;
    count_in_background(&bar, &inputs, earlier.done.rows());
    let (inputs, skipped) = earlier.done.skip(inputs);
    let (worker, max_file) = (classifier.clone(), args.max_file);
    let classify = move |input| worker::classify(&worker, &options, max_file, input);
    let mut counts = collect(ordered::map(threads, inputs, classify)?, heatmaps, &mut results, &bar)?;
    counts.add_earlier(skipped.count(), earlier.failed);

    let elapsed = bar.elapsed();
    bar.finish_and_clear();
    let found_none = counts.is_empty() && !interrupt::requested();
    if found_none || to_file && !counts.is_worth_a_file(args.format) {
        drop(results);
        out.discard();
    } else {
        let page = results.finish(threads)?;
        out.finish()?;
        page?;
    }
    ensure!(!found_none, "no images found; directories are searched for {}", EXTENSIONS.join(", "));
    if !args.quiet && io::stderr().is_terminal() {
        terminal::note(counts.summary(elapsed));
    }
    Ok(counts.exit())
}

/// Takes the images as they are classified: writes their heatmaps, adds them to the results, and counts them.
fn collect(
    images: impl Iterator<Item = Classified>,
    mut heatmaps: Option<Heatmaps>,
    results: &mut Results<'_>,
    bar: &ProgressBar,
) -> anyhow::Result<Counts> {
    let mut counts = Counts::default();
    for Classified { name, outcome, png } in images {
        counts.count(&outcome);
        let heatmap = heatmaps.as_mut().zip(png).and_then(|(heatmaps, png)| {
            let written = heatmaps.write(&name, &png, |why| bar.suspend(|| terminal::complain(&name, why)));
            // The result itself is none the worse without.
            if written.is_none() {
                counts.count_without_heatmap();
            }
            written.map(Heatmap::File)
        });
        results.add(&name, outcome, heatmap, bar)?;
        bar.inc(1);
    }
    Ok(counts)
}

fn destination(args: &ClassifyArgs) -> anyhow::Result<Destination> {
    let file = args.output.as_deref();
    if args.format.streams() { Destination::stream(file) } else { Destination::open(file) }
}

fn threads(args: &ClassifyArgs) -> anyhow::Result<usize> {
    match args.threads {
        Some(n) => Ok(n.get()),
        None => Ok(std::thread::available_parallelism()
            .context("the number of CPU cores cannot be determined; set --threads")?
            .get()),
    }
}

/// The bar gets its length, and so an estimate of the time left, once all inputs are counted.
/// Counting walks the directories a second time, which is cheap beside classifying.
fn count_in_background(bar: &ProgressBar, inputs: &Inputs, done: u64) {
    if done > 0 {
        bar.set_message(format!(", {done} already done"));
    }
    if bar.is_hidden() {
        return;
    }
    if let Some(again) = inputs.reopen() {
        let bar = bar.clone();
        std::thread::spawn(move || terminal::set_length(&bar, (again.count() as u64).saturating_sub(done)));
    }
}
