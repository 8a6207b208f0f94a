//! The measuring loop.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Barrier, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::ensure;
use indicatif::ProgressBar;
use skinclf::stats::Summary;
use skinclf::{Classifier, Options, Prediction, Timings};

use crate::interrupt;

/// Answers of one build on one machine are equal; this much is left for another order of sums.
const TOLERANCE: f32 = 1e-5;

/// One number of threads.
#[derive(Debug, serde::Serialize)]
pub(super) struct Run {
    pub(super) threads: usize,
    pub(super) images_per_second: f64,
    /// Throughput per thread, relative to the run with the fewest threads; 1 is perfect scaling.
    pub(super) scaling_efficiency: Option<f64>,
    pub(super) stages: Stages,
}

/// Latency of one image, by stage.
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

    /// The stages by name, the total last.
    pub(super) fn named(&self) -> [(&'static str, &Summary); 4] {
        [
            ("decode", &self.decode),
            ("preprocess", &self.preprocess),
            ("inference", &self.inference),
            ("total", &self.total),
        ]
    }
}

/// Classifies `bytes` `iterations` times on `threads` threads, each after `warmup` classifications
/// that do not count. `None` if interrupted before anything was measured.
///
/// # Errors
/// When an answer differs from `reference`: figures of something else computed are worth nothing.
pub(super) fn measure(
    classifier: &Classifier,
    bytes: &[u8],
    reference: &Prediction,
    threads: usize,
    warmup: usize,
    iterations: usize,
    bar: &ProgressBar,
) -> anyhow::Result<Option<Run>> {
    let left = AtomicUsize::new(iterations);
    let take_one = || left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1)).is_ok();
    let start_line = Barrier::new(threads + 1);
    let measured = Mutex::new(Vec::with_capacity(iterations));

    let elapsed = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|_| {
                scope.spawn(|| -> anyhow::Result<()> {
                    let once = || -> anyhow::Result<Timings> {
                        let (prediction, timings) = classifier.classify_timed(bytes, Options::default())?;
                        check(&prediction, reference)?;
                        Ok(timings)
                    };
                    let warm = (0..warmup)
                        .take_while(|_| !interrupt::requested())
                        .try_for_each(|_| once().map(drop));
                    start_line.wait();
                    warm?;
                    let mut timings = Vec::with_capacity(iterations / threads + 1);
                    while !interrupt::requested() && take_one() {
                        timings.push(once()?);
                        bar.inc(1);
                    }
                    measured.lock().unwrap_or_else(PoisonError::into_inner).extend(timings);
                    Ok(())
                })
            })
            .collect();
        start_line.wait();
        let start = Instant::now();
        workers.into_iter().try_for_each(|worker| worker.join().expect("a worker does not panic"))?;
        anyhow::Ok(start.elapsed())
    })?;

    let timings = measured.into_inner().unwrap_or_else(PoisonError::into_inner);
    if timings.is_empty() {
        return Ok(None);
    }
    Ok(Some(Run {
        threads,
        images_per_second: timings.len() as f64 / elapsed.as_secs_f64(),
        scaling_efficiency: None,
        stages: Stages::of(&timings),
    }))
}

fn check(prediction: &Prediction, reference: &Prediction) -> anyhow::Result<()> {
    let pairs = prediction.probabilities.iter().zip(&reference.probabilities);
    let difference = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    ensure!(
        difference <= TOLERANCE,
        "an answer differs from the first one for the same image by {difference}; the figures would be worth nothing"
    );
    Ok(())
}

/// Fills in [`Run::scaling_efficiency`], which needs all runs.
pub(super) fn set_scaling_efficiency(runs: &mut [Run]) {
    let per_thread = |run: &Run| run.images_per_second / run.threads as f64;
    let Some(base) = runs.iter().min_by_key(|r| r.threads).map(per_thread).filter(|_| runs.len() > 1) else {
        return;
    };
    for run in runs {
        run.scaling_efficiency = Some(per_thread(run) / base);
    }
}
