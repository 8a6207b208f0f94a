//! What containers use, as the engine that runs them counts it, once a second.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::counter::{Reading, increase, mean_rate, rate};
use super::engine::{Engine, Limits, Stats};
use super::scrape::Span;
use super::servers::INTERVAL;
use crate::bench::load::result::{ContainerFigures, ContainerSample};

#[derive(Clone)]
pub(crate) struct Container {
    name: String,
    engine: Engine,
    limits: Limits,
}

impl Container {
    /// # Errors
    /// When there is no engine or no such container.
    pub(crate) async fn probe(name: &str) -> anyhow::Result<Self> {
        let probe = async {
            let engine = Engine::from_environment()?;
            let limits = engine.limits(name).await?;
            anyhow::Ok(Self { name: name.to_owned(), engine, limits })
        };
        probe.await.with_context(|| format!("--container {name}"))
    }
}

/// What was read, or nothing, and when.
pub(crate) type Sample = (Instant, Option<Stats>);

#[derive(Clone)]
pub(super) struct Sampler {
    container: Container,
    samples: Rc<RefCell<Vec<Sample>>>,
}

impl Sampler {
    pub(super) fn new(container: &Container) -> Self {
        Self { container: container.clone(), samples: Rc::default() }
    }

    /// Once a second until dropped, beginning now. A container that is not there may come back.
    pub(super) async fn run(self) {
        let mut seconds = interval(INTERVAL);
        // An engine may take longer for an answer.
        seconds.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            seconds.tick().await;
            self.sample(Duration::MAX).await;
        }
    }

    /// All samples of the run, with a last one for what was used, unless the engine lets it wait: the load is gone.
    pub(super) async fn finish(self) -> Vec<Sample> {
        self.sample(INTERVAL / 4).await;
        self.samples.take()
    }

    async fn sample(&self, limit: Duration) {
        let Container { engine, name, .. } = &self.container;
        let Ok(stats) = timeout(limit, engine.stats(name)).await else { return };
        let at = stats.map_or_else(Instant::now, |stats| stats.at);
        self.samples.borrow_mut().push((at, stats));
    }
}

/// Of all containers; `samples` are in their order.
pub(super) fn figures(
    containers: &[Container],
    samples: &[Vec<Sample>],
    span: Span,
) -> Vec<ContainerFigures> {
    containers.iter().zip(samples).map(|(container, samples)| one(container, samples, span)).collect()
}

fn one(Container { name, limits, .. }: &Container, samples: &[Sample], span: Span) -> ContainerFigures {
    let known: Vec<&Stats> = samples.iter().filter_map(|(_, stats)| stats.as_ref()).collect();
    let cpu: Vec<_> = known.iter().copied().map(cpu_time).collect();
    let throttled: Vec<_> = known.iter().filter_map(|stats| throttled_time(stats)).collect();
    ContainerFigures {
        name: name.clone(),
        cpu_cap: limits.cpu,
        memory_limit_bytes: limits.memory_bytes,
        cpu_mean: mean_rate(&cpu, span.steady_from, span.end),
        memory_max_bytes: known.iter().filter_map(|stats| stats.memory_bytes).reduce(f64::max),
        throttled_s: (throttled.len() > 1).then(|| increase(&throttled)),
        series: series(samples, span.start),
    }
}

fn series(samples: &[Sample], start: Instant) -> Vec<ContainerSample> {
    let since_last = |n: usize, reading: fn(&Stats) -> Option<Reading>| {
        let of = |n: usize| samples[n].1.as_ref().and_then(reading);
        n.checked_sub(1).and_then(of).zip(of(n)).and_then(|(last, this)| rate(last, this))
    };
    let sample = |(n, (at, stats)): (usize, &Sample)| ContainerSample {
        at_s: at.saturating_duration_since(start).as_secs_f64(),
        cpu: since_last(n, |stats| Some(cpu_time(stats))),
        memory_bytes: stats.and_then(|stats| stats.memory_bytes),
        throttled: since_last(n, throttled_time),
    };
    samples.iter().enumerate().map(sample).collect()
}

fn cpu_time(stats: &Stats) -> Reading {
    (stats.at, stats.cpu_seconds)
}

fn throttled_time(stats: &Stats) -> Option<Reading> {
    Some((stats.at, stats.throttled_seconds?))
}
