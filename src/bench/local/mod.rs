//! `skinclf bench` without HTTP: how long the production path takes, stage by stage.

mod measure;
mod report;

use std::fs::File;

use anyhow::Context as _;
use bytesize::ByteSize;
use skinclf::bounded;

use self::measure::{Measured, Work, measure};
use super::environment::Environment;
use crate::cli::{BenchArgs, BenchFormat};
use crate::destination::Destination;
use crate::output::ModelId;
use crate::process::terminal::Look;
use crate::process::{Exit, interrupt, terminal};

/// 600x450, like the images of HAM10000.
const DEFAULT_IMAGE: &[u8] = include_bytes!("../../../samples/lesion-1.jpg");

/// Limit for the file of `--image`.
const MAX_IMAGE: ByteSize = ByteSize::mib(256);

/// As `--format json` writes it.
#[derive(serde::Serialize)]
struct LocalBenchmark<'a> {
    /// Whether runs are missing or the last one is shorter than planned.
    interrupted: bool,
    runs: Vec<Measured>,
    image: BenchImage,
    warmup: usize,
    environment: Environment,
    model: ModelId<'a>,
}

#[derive(serde::Serialize)]
struct BenchImage {
    name: String,
    bytes: usize,
    width: u32,
    height: u32,
}

pub(super) fn run(args: &BenchArgs) -> anyhow::Result<Exit> {
    let (name, bytes) = match &args.image {
        Some(path) => {
            let name = path.display().to_string();
            let read = File::open(path).and_then(|file| Ok(bounded::read(file, 0, MAX_IMAGE.as_u64())?));
            let bytes = read.with_context(|| format!("--image {name}"))?;
            (name, bytes)
        }
        None => ("synthetic lesion (embedded)".to_owned(), DEFAULT_IMAGE.to_vec()),
    };
    let destination = Destination::open(args.output.as_deref())?;
    let classifier = args.model.load()?;
    let reference = classifier.classify(&bytes).with_context(|| format!("--image {name}"))?;
    interrupt::on_signal(|| {})?;

    let work = Work {
        classifier: &classifier,
        bytes: &bytes,
        reference: &reference,
        warmup: args.warmup,
        iterations: args.iterations as usize,
    };
    let mut runs = Vec::new();
    for &threads in &args.threads {
        let bar = terminal::progress(false);
        terminal::set_length(&bar, args.iterations.into());
        let run = measure(&work, threads as usize, &bar);
        bar.finish_and_clear();
        runs.extend(run?);
        if interrupt::requested() {
            break;
        }
    }
    measure::set_scaling_efficiency(&mut runs);

    let benchmark = LocalBenchmark {
        interrupted: interrupt::requested(),
        runs,
        image: BenchImage { name, bytes: bytes.len(), width: reference.width, height: reference.height },
        warmup: args.warmup,
        environment: Environment::of(Some(&classifier)),
        model: ModelId::from(classifier.spec()),
    };
    write(args.format, &benchmark, destination)?;
    Ok(if benchmark.interrupted { Exit::Interrupted } else { Exit::Done })
}

fn write(
    format: BenchFormat,
    benchmark: &LocalBenchmark<'_>,
    destination: Destination,
) -> anyhow::Result<()> {
    let is_terminal = destination.is_terminal();
    destination.fill(|mut out| match format {
        BenchFormat::Table => report::write_table(out, benchmark, Look::of_output(is_terminal)),
        BenchFormat::Json => {
            serde_json::to_writer_pretty(&mut out, benchmark)?;
            writeln!(out)
        }
        BenchFormat::Csv => report::write_csv(out, benchmark),
        BenchFormat::Markdown => report::write_markdown(out, benchmark),
    })
}
