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

use super::scrape::Scrape;
use crate::bench::load::client::{Client, get};
use crate::bench::load::result::ServerModel;
use crate::url::Target;

/// Longer than any server takes that could be tested.
pub(super) const PROBE_TIMEOUT: Duration = Duration::from_secs(5);

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
    /// `flag` is where its URL is from.
    ///
    /// # Errors
    /// When none of its addresses accepts a connection: a whole run of refused connections would show no more.
    pub(crate) async fn probe(flag: &str, target: &Target, api_key: Option<&str>) -> anyhow::Result<Self> {
        let url = &target.url;
        let named = tokio::net::lookup_host((target.host.as_str(), target.port)).await;
        let mut addresses = Vec::new();
        let mut refused = None;
        for address in named.with_context(|| format!("{flag} {url}: its host name cannot be resolved"))? {
            match timeout(PROBE_TIMEOUT, TcpStream::connect(address)).await {
                Ok(Ok(_)) => addresses.push(address),
                Ok(Err(e)) => refused = Some(anyhow!(e)),
                Err(_) => refused = Some(anyhow!("{address} does not answer")),
            }
        }
        let Some(&first) = addresses.first() else {
            let cause = refused.unwrap_or_else(|| anyhow!("the host name has no address"));
            return Err(cause.context(format!("{flag} {url}: no server; is `skinclf serve` running there?")));
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
pub(super) const INTERVAL: Duration = Duration::from_secs(1);

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
                    self.samples.borrow_mut().push(Scrape::parse(&reply.body));
                }
                Ok(Ok(_)) if self.samples.borrow().is_empty() => return,
                // It may come back.
                _ if self.samples.borrow().is_empty() => {}
                _ => self.samples.borrow_mut().push(Scrape::missing()),
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
            self.samples.borrow_mut().push(Scrape::parse(&reply.body).after_the_load());
        }
        self.samples.take()
    }
}
