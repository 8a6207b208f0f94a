//! The measuring loop.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Barrier, OnceLock};
use std::thread::{Builder, ScopedJoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use indicatif::ProgressBar;
use skinclf::stats::Summary;
use skinclf::{Classifier, Prediction, Timings};

use crate::bench::words::counted;
use crate::process::interrupt;

/// Largest difference between probabilities of the same image: sums may be in another order.
const TOLERANCE: f32 = 1e-5;

/// The figures for one number of threads.
#[derive(Debug, serde::Serialize)]
pub(super) struct Measured {
    pub(super) threads: usize,
    pub(super) images_per_second: f64,
    /// Throughput per thread, relative to the run with the fewest threads; 1 is perfect scaling.
    pub(super) scaling_efficiency: Option<f64>,
    pub(super) stages: Stages,
}

/// Latency of one image by stage.
#[derive(Debug, serde::Serialize)]
pub(super) struct Stages {
    pub(super) decode: Summary,
    pub(super) preprocess: Summary,
    pub(super) inference: Summary,
    pub(super) total: Summary,
}

impl Stages {
    fn of(timings: &[Timings]) -> Self {
        let summary = |stage: fn(&Timings) -> Duration| {
            Summary::of(timings.iter().map(|t| stage(t).as_secs_f64() * 1e3).collect())
        };
        Self {
            decode: summary(|t| t.decode),
            preprocess: summary(|t| t.preprocess),
            inference: summary(|t| t.inference),
            total: summary(Timings::total),
        }
    }

    pub(super) fn named(&self) -> [(&'static str, &Summary); 4] {
        [
            ("decode", &self.decode),
            ("preprocess", &self.preprocess),
            ("inference", &self.inference),
            ("total", &self.total),
        ]
    }
}

pub(super) struct Work<'a> {
    pub(super) classifier: &'a Classifier,
    pub(super) bytes: &'a [u8],
    /// The prediction of the first classification.
    pub(super) reference: &'a Prediction,
    /// Classifications per thread that are not measured.
    pub(super) warmup: usize,
    /// Classifications that are measured, on all threads together.
    pub(super) iterations: usize,
}

impl Work<'_> {
    /// # Errors
    /// When the prediction differs from the first one, since times of wrong results mean nothing.
    fn once(&self) -> anyhow::Result<Timings> {
        let prediction = self.classifier.classify(self.bytes)?;
        let mut pairs = prediction.probabilities.iter().zip(&self.reference.probabilities);
        ensure!(
            pairs.all(|(a, b)| (a - b).abs() <= TOLERANCE),
            "the prediction differs from the first one for the same image, so nothing was measured; please report this bug"
        );
        Ok(prediction.timings)
    }
}

/// `None` if interrupted before anything was measured.
pub(super) fn measure(
    work: &Work<'_>,
    threads: usize,
    bar: &ProgressBar,
) -> anyhow::Result<Option<Measured>> {
    let left = AtomicUsize::new(work.iterations);
    let all_started = OnceLock::new();
    let start_line = Barrier::new(threads);

    let (measured, end) = std::thread::scope(|scope| {
        let start = |_| {
            let thread = || worker(work, &left, &all_started, &start_line, bar);
            Builder::new().spawn_scoped(scope, thread)
        };
        let workers: io::Result<Vec<_>> = (0..threads).map(start).collect();
        // If a thread cannot be started, the others must not wait for it at the barrier for ever.
        all_started.get_or_init(|| workers.is_ok());
        let workers = workers.with_context(|| {
            format!("{} cannot be started; try fewer --threads", counted(threads, "thread"))
        })?;
        let join = |worker: ScopedJoinHandle<'_, _>| worker.join().expect("a worker does not panic");
        let measured = workers.into_iter().map(join).collect::<anyhow::Result<Vec<_>>>()?;
        anyhow::Ok((measured, Instant::now()))
    })?;

    let start = measured.iter().map(|(start, _)| *start).min().unwrap_or(end);
    let timings: Vec<_> = measured.into_iter().flat_map(|(_, timings)| timings).collect();
    if timings.is_empty() {
        return Ok(None);
    }
    Ok(Some(Measured {
        threads,
        images_per_second: timings.len() as f64 / (end - start).as_secs_f64(),
        scaling_efficiency: None,
        stages: Stages::of(&timings),
    }))
}

/// One thread: warms up, waits for the others, then classifies until all iterations are taken. Returns when it began to
/// measure, and the timings of each image.
fn worker(
    work: &Work<'_>,
    left: &AtomicUsize,
    all_started: &OnceLock<bool>,
    start_line: &Barrier,
    bar: &ProgressBar,
) -> anyhow::Result<(Instant, Vec<Timings>)> {
    let mut timings = Vec::new();
    if !all_started.wait() {
        return Ok((Instant::now(), timings));
    }
    let mut warmup = (0..work.warmup).take_while(|_| !interrupt::requested());
    let warm = warmup.try_for_each(|_| work.once().map(drop));
    start_line.wait();
    let start = Instant::now();
    warm?;
    let take_one = || left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1)).is_ok();
    while !interrupt::requested() && take_one() {
        timings.push(work.once()?);
        bar.inc(1);
    }
    Ok((start, timings))
}

/// Needs the runs of all numbers of threads.
pub(super) fn set_scaling_efficiency(runs: &mut [Measured]) {
    let per_thread = |run: &Measured| run.images_per_second / run.threads as f64;
    let Some(base) = runs.iter().min_by_key(|r| r.threads).map(per_thread).filter(|_| runs.len() > 1) else {
        return;
    };
    for run in runs {
        run.scaling_efficiency = Some(per_thread(run) / base);
    }
}
