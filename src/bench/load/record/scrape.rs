//! What a server's `/metrics` say, once a second, and what the server used by that.

use std::time::Instant;

use super::counter::{Reading, increase, mean_rate, rate};
use crate::bench::load::result::{PREDICT, Usage, UsageSample};

#[derive(Debug, Clone, Copy)]
pub(crate) struct Scrape {
    at: Instant,
    cpu_seconds: Option<f64>,
    rss_bytes: Option<f64>,
    queue: Option<f64>,
    in_flight: Option<f64>,
    predictions: Option<f64>,
}

impl Scrape {
    /// Of a server that does not answer.
    pub(super) fn missing() -> Self {
        let at = Instant::now();
        Self { at, cpu_seconds: None, rss_bytes: None, queue: None, in_flight: None, predictions: None }
    }

    /// In Prometheus's text format.
    pub(super) fn parse(text: &[u8]) -> Self {
        let text = String::from_utf8_lossy(text);
        let value = |name: &str| {
            let of_line = |line: &str| number(line.strip_prefix(name)?.strip_prefix(' ')?);
            text.lines().find_map(of_line)
        };
        Self {
            at: Instant::now(),
            cpu_seconds: value("process_cpu_seconds_total"),
            rss_bytes: value("process_resident_memory_bytes"),
            queue: value("skinclf_queue_depth"),
            in_flight: value("skinclf_in_flight"),
            predictions: text.contains(REQUESTS).then(|| text.lines().filter_map(predictions).sum()),
        }
    }

    /// Without what is only true while there is load.
    pub(super) fn after_the_load(self) -> Self {
        Self { queue: None, in_flight: None, ..self }
    }

    fn is_known(&self) -> bool {
        self.cpu_seconds.or(self.rss_bytes).or(self.queue).is_some()
    }

    fn cpu(&self) -> Option<Reading> {
        Some((self.at, self.cpu_seconds?))
    }
}

const REQUESTS: &str = "skinclf_http_requests_total";

/// Of a line that counts answers to `/predict` with one status.
fn predictions(line: &str) -> Option<f64> {
    let (labels, value) = line.strip_prefix(REQUESTS)?.strip_prefix('{')?.rsplit_once('}')?;
    let is_prediction = |label: &str| label.trim().strip_prefix("route=").is_some_and(is_predict);
    labels.split(',').any(is_prediction).then(|| number(value))?
}

fn is_predict(quoted: &str) -> bool {
    quoted.trim_matches('"') == PREDICT
}

fn number(text: &str) -> Option<f64> {
    text.trim().parse().ok().filter(|value: &f64| value.is_finite())
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    pub(super) start: Instant,
    pub(super) steady_from: Instant,
    pub(super) end: Instant,
}

/// Whose counters are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// Perhaps several processes behind one address.
    Address,
    /// One process, which may be started anew.
    Replica,
}

/// Means and the maximum of the queue are those of the steady state, the maximum of memory is that of the whole run. `None` where the server reports none of it.
pub(super) fn usage(samples: &[Scrape], span: Span, source: Source) -> Option<Usage> {
    if !samples.iter().any(Scrape::is_known) {
        return None;
    }
    let sample = |(n, sample): (usize, &Scrape)| {
        let last = n.checked_sub(1).and_then(|last| samples[last].cpu());
        UsageSample {
            at_s: sample.at.saturating_duration_since(span.start).as_secs_f64(),
            cpu: last.zip(sample.cpu()).and_then(|(last, this)| rate(last, this)),
            rss_bytes: sample.rss_bytes,
            queue: sample.queue,
            in_flight: sample.in_flight,
        }
    };
    let steady = || samples.iter().filter(|s| s.at >= span.steady_from);
    let queues: Vec<f64> = steady().filter_map(|s| s.queue).collect();
    let readings: Vec<Reading> = steady().filter_map(Scrape::cpu).collect();
    Some(Usage {
        cpu_mean: match source {
            Source::Replica => mean_rate(&readings, span.steady_from, span.end),
            // Counters that go back may be those of several.
            Source::Address => (readings.first().zip(readings.last()))
                .filter(|_| readings.iter().map(|reading| reading.1).is_sorted())
                .and_then(|(first, last)| rate(*first, *last)),
        },
        rss_max_bytes: samples.iter().filter_map(|s| s.rss_bytes).reduce(f64::max),
        queue_mean: (!queues.is_empty()).then(|| queues.iter().sum::<f64>() / queues.len() as f64),
        queue_max: queues.iter().copied().reduce(f64::max),
        series: samples.iter().enumerate().map(sample).collect(),
    })
}

/// Predictions that a replica answered in the run, by its own count.
pub(super) fn predictions_answered(samples: &[Scrape]) -> Option<u64> {
    let readings: Vec<Reading> = samples.iter().filter_map(|s| Some((s.at, s.predictions?))).collect();
    (readings.len() > 1).then(|| increase(&readings) as u64)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const METRICS: &str = "\
# HELP skinclf_http_requests_total Requests answered.
# TYPE skinclf_http_requests_total counter
skinclf_http_requests_total{code=\"200\",route=\"/health\"} 100
skinclf_http_requests_total{code=\"200\",route=\"/predict\"} 40
skinclf_http_requests_total{route=\"/predict\",code=\"503\"} 2
skinclf_http_requests_total{code=\"200\",route=\"/predict/batch\"} 1000
skinclf_queue_depth 3
skinclf_in_flight 5
process_cpu_seconds_total 12.5
process_resident_memory_bytes 62914560
";

    #[test]
    fn answers_to_predict_are_summed_over_their_statuses() {
        let scrape = Scrape::parse(METRICS.as_bytes());
        assert_eq!(scrape.predictions, Some(42.0));
        assert_eq!((scrape.queue, scrape.in_flight), (Some(3.0), Some(5.0)));
        assert_eq!((scrape.cpu_seconds, scrape.rss_bytes), (Some(12.5), Some(62_914_560.0)));
        // A server that has answered nothing yet has no line of it.
        assert_eq!(
            Scrape::parse(b"skinclf_http_requests_total{code=\"200\",route=\"/health\"} 1\n").predictions,
            Some(0.0)
        );
        for other in ["", "skinclf_queue_depth NaN\n", "\u{0}\u{1}", "process_cpu_seconds_total"] {
            let scrape = Scrape::parse(other.as_bytes());
            assert!(!scrape.is_known() && scrape.predictions.is_none(), "{other:?}");
        }
    }

    fn scrape(at: Instant, cpu_seconds: Option<f64>, predictions: f64) -> Scrape {
        Scrape { at, cpu_seconds, predictions: Some(predictions), ..Scrape::missing() }
    }

    #[test]
    fn a_replica_that_was_started_anew_has_its_usage_and_an_address_has_none() {
        let start = Instant::now();
        let at = |s: u64| start + Duration::from_secs(s);
        let span = Span { start, steady_from: at(2), end: at(6) };
        let samples = [
            scrape(at(0), Some(9.0), 100.0),
            scrape(at(2), Some(10.0), 110.0),
            scrape(at(3), Some(11.0), 120.0),
            Scrape { at: at(4), ..Scrape::missing() },
            scrape(at(5), Some(0.5), 4.0),
            scrape(at(6), Some(1.0), 9.0),
        ];
        let of = |source| usage(&samples, span, source).expect("usage");
        assert_eq!((of(Source::Replica).cpu_mean, of(Source::Address).cpu_mean), (Some(0.5), None));
        let series: Vec<_> = of(Source::Replica).series.iter().map(|sample| sample.cpu).collect();
        assert_eq!(series, [None, Some(0.5), Some(1.0), None, None, Some(0.5)], "a gap");
        assert_eq!(predictions_answered(&samples), Some(29));
        assert_eq!((predictions_answered(&samples[..1]), predictions_answered(&[])), (None, None));
        assert!(usage(&samples[3..4], span, Source::Replica).is_none());
    }
}
