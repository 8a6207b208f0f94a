//! `skinclf bench` without HTTP: how long the production path takes, stage by stage.

mod measure;
mod report;

use std::fs::File;

use anyhow::Context as _;
use bytesize::ByteSize;
use skinclf::bounded;

use self::measure::{Work, measure};
use self::report::{BenchImage, LocalBenchmark};
use super::environment::Environment;
use crate::cli::BenchArgs;
use crate::destination::Destination;
use crate::output::ModelId;
use crate::process::{Exit, interrupt, terminal};

/// 600x450, like the images of HAM10000.
const DEFAULT_IMAGE: &[u8] = include_bytes!("../../../samples/lesion-1.jpg");

/// Limit for the file of `--image`.
const MAX_IMAGE: ByteSize = ByteSize::mib(256);

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
    report::write(args.format, &benchmark, destination)?;
    Ok(if benchmark.interrupted { Exit::Interrupted } else { Exit::Done })
}
