//! What a server says of itself at `/metrics` while it is under load.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;
use tokio::time::{sleep_until, timeout};

use crate::bench::load::client::Client;
use crate::bench::load::result::{Usage, UsageSample};

/// Between two looks; also how long one may take.
const INTERVAL: Duration = Duration::from_secs(1);

/// One look.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sample {
    at: Instant,
    cpu_seconds: Option<f64>,
    rss_bytes: Option<f64>,
    queue: Option<f64>,
    in_flight: Option<f64>,
}

/// Looks at one server.
#[derive(Clone)]
pub(crate) struct Watch {
    address: SocketAddr,
    request: Request<Full<Bytes>>,
    pub(crate) samples: Rc<RefCell<Vec<Sample>>>,
}

impl Watch {
    pub(crate) fn new(address: SocketAddr, request: Request<Full<Bytes>>) -> Self {
        Self { address, request, samples: Rc::default() }
    }

    /// Looks once a second until dropped, beginning now. A server without `/metrics` is left alone.
    pub(crate) async fn run(self) {
        let mut client = Client::new(self.address);
        let mut next = Instant::now();
        loop {
            match timeout(INTERVAL, client.ask(self.request.clone())).await {
                Ok(Ok(reply)) if reply.status == 200 => {
                    self.samples.borrow_mut().push(parse(&reply.body));
                }
                Ok(Ok(_)) => return,
                // It may come back.
                Ok(Err(_)) | Err(_) => {}
            }
            next += INTERVAL;
            sleep_until(next.into()).await;
        }
    }

    /// A last look at what was used. The load is gone, so its queue says nothing.
    pub(crate) async fn finish(&self) {
        if self.samples.borrow().is_empty() {
            return;
        }
        let reply = timeout(INTERVAL / 4, Client::new(self.address).ask(self.request.clone())).await;
        if let Ok(Ok(reply)) = reply
            && reply.status == 200
        {
            let sample = Sample { queue: None, in_flight: None, ..parse(&reply.body) };
            self.samples.borrow_mut().push(sample);
        }
    }
}

/// Reads the gauges that matter from Prometheus's text format.
fn parse(text: &[u8]) -> Sample {
    let text = String::from_utf8_lossy(text);
    let value = |name: &str| {
        let of_line = |line: &str| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse::<f64>().ok();
        text.lines().find_map(of_line).filter(|v| v.is_finite())
    };
    Sample {
        at: Instant::now(),
        cpu_seconds: value("process_cpu_seconds_total"),
        rss_bytes: value("process_resident_memory_bytes"),
        queue: value("skinclf_queue_depth"),
        in_flight: value("skinclf_in_flight"),
    }
}

/// The samples of a run that began at `start`, means and maxima from `steady_from` on. `None` if they
/// tell nothing.
pub(crate) fn usage(samples: &[Sample], start: Instant, steady_from: Instant) -> Option<Usage> {
    if samples.iter().all(|s| s.cpu_seconds.or(s.rss_bytes).or(s.queue).is_none()) {
        return None;
    }
    let mut series = Vec::with_capacity(samples.len());
    for (n, sample) in samples.iter().enumerate() {
        let since_last = n.checked_sub(1).and_then(|last| cores(&samples[last], sample));
        series.push(UsageSample {
            at_s: sample.at.saturating_duration_since(start).as_secs_f64(),
            cpu: since_last,
            rss_bytes: sample.rss_bytes,
            queue: sample.queue,
            in_flight: sample.in_flight,
        });
    }
    let steady: Vec<_> = samples.iter().filter(|s| s.at >= steady_from).collect();
    let queues: Vec<f64> = steady.iter().filter_map(|s| s.queue).collect();
    Some(Usage {
        // Counters that go back are those of a new process, or of several behind one address.
        cpu_mean: (steady.first().zip(steady.last()))
            .filter(|_| steady.iter().filter_map(|s| s.cpu_seconds).is_sorted())
            .and_then(|(first, last)| cores(first, last)),
        rss_max_bytes: samples.iter().filter_map(|s| s.rss_bytes).reduce(f64::max),
        queue_mean: (!queues.is_empty()).then(|| queues.iter().sum::<f64>() / queues.len() as f64),
        queue_max: queues.iter().copied().reduce(f64::max),
        series,
    })
}

/// Cores in use between two samples; `None` if the server was started anew between them.
fn cores(from: &Sample, to: &Sample) -> Option<f64> {
    let seconds = to.at.saturating_duration_since(from.at).as_secs_f64();
    let used = to.cpu_seconds? - from.cpu_seconds?;
    (seconds > 0.0 && used >= 0.0).then(|| used / seconds)
}
