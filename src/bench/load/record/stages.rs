//! Where the time of a prediction goes, by the server's `Server-Timing`.

use skinclf::stats::percentile;

use crate::bench::load::result::Stage;

const NAMES: [&str; 4] = ["queue", "decode", "preprocess", "inference"];

/// Above this many, a random choice of predictions stands for all.
const KEPT: usize = 200_000;

/// One prediction, in ms: from when it was sent to the end of its answer, then the parts in the order of [`NAMES`].
#[derive(Clone, Copy)]
struct Parts {
    whole: f32,
    parts: [f32; NAMES.len()],
}

impl Parts {
    /// The parts, and what they leave of the whole: network, upload, HTTP.
    fn with_rest(&self) -> [f64; NAMES.len() + 1] {
        let [queue, decode, preprocess, inference] = self.parts.map(f64::from);
        let named = queue + decode + preprocess + inference;
        [queue, decode, preprocess, inference, (f64::from(self.whole) - named).max(0.0)]
    }
}

/// Predictions of the steady state.
pub(crate) struct Stages {
    samples: Vec<Parts>,
    seen: usize,
    random: fastrand::Rng,
}

impl Stages {
    pub(crate) fn new(seed: u64) -> Self {
        Self { samples: Vec::new(), seen: 0, random: fastrand::Rng::with_seed(seed) }
    }

    /// Takes the time from sending a request to the end of its answer, and its `Server-Timing` field
    /// (<https://www.w3.org/TR/server-timing/>); one without the known names is passed over.
    pub(crate) fn record(&mut self, whole: std::time::Duration, server_timing: &str) {
        let Some(parts) = parse(server_timing) else { return };
        let sample = Parts { whole: whole.as_secs_f32() * 1e3, parts };
        self.seen += 1;
        if self.samples.len() < KEPT {
            self.samples.push(sample);
        } else if let Some(kept) = self.samples.get_mut(self.random.usize(..self.seen)) {
            *kept = sample;
        }
    }

    pub(crate) fn summary(mut self) -> Vec<Stage> {
        if self.samples.is_empty() {
            return Vec::new();
        }
        self.samples.sort_by(|a, b| a.whole.total_cmp(&b.whole));
        let count = self.samples.len();
        let typical = mean_shares(&self.samples[count * 2 / 5..(count * 3).div_ceil(5)]);
        let slowest = (count >= 100).then(|| mean_shares(&self.samples[count - count / 100..]));
        let parts: Vec<_> = self.samples.iter().map(Parts::with_rest).collect();
        let summarise = |(n, name): (usize, &str)| {
            let mut values: Vec<f64> = parts.iter().map(|p| p[n]).collect();
            values.sort_by(f64::total_cmp);
            Stage {
                name: name.to_owned(),
                mean_ms: Some(values.iter().sum::<f64>() / count as f64),
                p50_ms: percentile(&values, 500),
                p95_ms: percentile(&values, 950),
                p99_ms: percentile(&values, 990),
                share_at_p50: Some(typical[n]),
                share_at_p99: slowest.map(|shares| shares[n]),
            }
        };
        NAMES.into_iter().chain(["other"]).enumerate().map(summarise).collect()
    }
}

/// Sum of a part over some requests, of the sum of all parts. Not empty.
fn mean_shares(samples: &[Parts]) -> [f64; NAMES.len() + 1] {
    let mut sums = [0.0; NAMES.len() + 1];
    for sample in samples {
        sums.iter_mut().zip(sample.with_rest()).for_each(|(sum, part)| *sum += part);
    }
    let total: f64 = sums.iter().sum();
    sums.map(|sum| if total > 0.0 { sum / total } else { 0.0 })
}

/// `queue;dur=0.010, decode;dur=1.203, …`, in the order of [`NAMES`]; a part that is not there took
/// no time, but `inference` must be.
fn parse(field: &str) -> Option<[f32; NAMES.len()]> {
    let mut parts = [0.0; NAMES.len()];
    let mut inferred = false;
    for metric in field.split(',') {
        let mut tokens = metric.split(';').map(str::trim);
        let name = tokens.next()?;
        let Some(n) = NAMES.iter().position(|known| *known == name) else { continue };
        let duration = tokens.find_map(|t| t.strip_prefix("dur=")?.parse::<f32>().ok());
        parts[n] = duration.filter(|ms| ms.is_finite() && *ms >= 0.0)?;
        inferred |= name == "inference";
    }
    inferred.then_some(parts)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Stages;

    #[test]
    fn the_slowest_are_explained_apart_from_the_typical() {
        let mut stages = Stages::new(1);
        for n in 0..200 {
            let queue = if n < 198 { 0 } else { 90 };
            let field = format!(
                "queue;dur={queue}, decode;dur=1, preprocess;dur=1;desc=x, inference;dur=6, gc;dur=9"
            );
            stages.record(Duration::from_millis(10 + queue), &field);
        }
        stages.record(Duration::from_millis(1), "cache;dur=1");
        let summary = stages.summary();
        let share = |name: &str| {
            let stage = summary.iter().find(|s| s.name == name).expect("a stage");
            (stage.share_at_p50.expect("a share"), stage.share_at_p99.expect("a share"))
        };
        let near = |a: f64, b: f64| assert!((a - b).abs() < 1e-6, "{a} {b}");
        near(share("queue").0, 0.0);
        near(share("queue").1, 0.9);
        near(share("inference").0, 0.6);
        near(share("other").0, 0.2);
        near(share("other").1, 0.02);
        assert!(Stages::new(1).summary().is_empty());
    }
}
