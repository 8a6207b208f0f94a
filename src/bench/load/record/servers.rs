//! The servers under test: probed once before the load begins, and asked for `/metrics` while it goes on.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;
use serde::Deserialize;
use tokio::net::TcpStream;
use tokio::time::{sleep_until, timeout};

use crate::bench::load::client::{Client, get};
use crate::bench::load::result::{ServerModel, Usage, UsageSample};
use crate::url::Target;

/// Longer than any server takes that could be tested.
const PROBE_TIMEOUT: Duration = Duration::from_secs(5);

pub(crate) struct Server {
    pub(crate) target: Target,
    /// All that accept connections; users are spread over them.
    pub(crate) addresses: Vec<SocketAddr>,
    pub(crate) version: Option<String>,
    pub(crate) model: Option<ServerModel>,
}

/// What is read from `/health`; other servers may answer with less.
#[derive(Default, Deserialize)]
struct Health {
    version: Option<String>,
    model: Option<ServerModel>,
}

impl Server {
    /// # Errors
    /// When none of its addresses accepts a connection: a whole run of refused connections would show no more.
    pub(crate) async fn probe(target: &Target, api_key: Option<&str>) -> anyhow::Result<Self> {
        let url = &target.url;
        let named = tokio::net::lookup_host((target.host.as_str(), target.port)).await;
        let mut addresses = Vec::new();
        let mut refused = None;
        for address in named.with_context(|| format!("--url {url}: its host name cannot be resolved"))? {
            match timeout(PROBE_TIMEOUT, TcpStream::connect(address)).await {
                Ok(Ok(_)) => addresses.push(address),
                Ok(Err(e)) => refused = Some(anyhow!(e)),
                Err(_) => refused = Some(anyhow!("{address} does not answer")),
            }
        }
        let Some(&first) = addresses.first() else {
            let cause = refused.unwrap_or_else(|| anyhow!("the host name has no address"));
            return Err(cause.context(format!("--url {url}: no server; is `skinclf serve` running there?")));
        };
        let health = health(target, first, api_key).await.unwrap_or_default();
        Ok(Self { target: target.clone(), addresses, version: health.version, model: health.model })
    }

    pub(crate) fn shares_machine(&self) -> bool {
        self.addresses.iter().all(|a| a.ip().is_loopback())
    }
}

async fn health(target: &Target, address: SocketAddr, api_key: Option<&str>) -> Option<Health> {
    let request = get(target, "/health", api_key).ok()?;
    let reply = timeout(PROBE_TIMEOUT, Client::new(address).ask(request)).await.ok()?.ok()?;
    serde_json::from_slice(&reply.body).ok()
}

/// Between two scrapes; also how long one may take.
const INTERVAL: Duration = Duration::from_secs(1);

#[derive(Debug, Clone, Copy)]
pub(crate) struct Scrape {
    at: Instant,
    cpu_seconds: Option<f64>,
    rss_bytes: Option<f64>,
    queue: Option<f64>,
    in_flight: Option<f64>,
}

#[derive(Clone)]
pub(crate) struct Scraper {
    address: SocketAddr,
    request: Request<Full<Bytes>>,
    samples: Rc<RefCell<Vec<Scrape>>>,
}

impl Scraper {
    pub(crate) fn new(server: &Server, api_key: Option<&str>) -> anyhow::Result<Self> {
        let request = get(&server.target, "/metrics", api_key)?;
        Ok(Self { address: server.addresses[0], request, samples: Rc::default() })
    }

    /// Once a second until dropped, beginning now. A server without `/metrics` is left alone.
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

    /// The scrapes of the run, with a last one for what was used. The load is gone, so that one has no queue.
    pub(crate) async fn finish(self) -> Vec<Scrape> {
        if self.samples.borrow().is_empty() {
            return Vec::new();
        }
        let reply = timeout(INTERVAL / 4, Client::new(self.address).ask(self.request.clone())).await;
        if let Ok(Ok(reply)) = reply
            && reply.status == 200
        {
            let sample = Scrape { queue: None, in_flight: None, ..parse(&reply.body) };
            self.samples.borrow_mut().push(sample);
        }
        self.samples.take()
    }
}

fn parse(text: &[u8]) -> Scrape {
    let text = String::from_utf8_lossy(text);
    let value = |name: &str| {
        let of_line = |line: &str| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse::<f64>().ok();
        text.lines().find_map(of_line).filter(|v| v.is_finite())
    };
    Scrape {
        at: Instant::now(),
        cpu_seconds: value("process_cpu_seconds_total"),
        rss_bytes: value("process_resident_memory_bytes"),
        queue: value("skinclf_queue_depth"),
        in_flight: value("skinclf_in_flight"),
    }
}

/// Means and the maximum of the queue are those from `steady_from` on, the maximum of memory is that of the whole run. `None` where the server reports none of it.
pub(crate) fn usage(samples: &[Scrape], start: Instant, steady_from: Instant) -> Option<Usage> {
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
fn cores(from: &Scrape, to: &Scrape) -> Option<f64> {
    let seconds = to.at.saturating_duration_since(from.at).as_secs_f64();
    let used = to.cpu_seconds? - from.cpu_seconds?;
    (seconds > 0.0 && used >= 0.0).then(|| used / seconds)
}
