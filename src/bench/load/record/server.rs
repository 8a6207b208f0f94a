//! The servers under test, met once before the load begins.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use serde::Deserialize;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::bench::load::client::Client;
use crate::bench::load::generate::get;
use crate::bench::load::result::ServerModel;
use crate::cli::Target;

/// Longer than any server takes that could be tested.
const PATIENCE: Duration = Duration::from_secs(5);

/// A target that accepts connections.
pub(crate) struct Server {
    pub(crate) target: Target,
    /// Where its name leads, each address proven; users are spread over them.
    pub(crate) addresses: Vec<SocketAddr>,
    pub(crate) version: Option<String>,
    pub(crate) model: Option<ServerModel>,
}

/// What is read of `/health`; other servers may say less.
#[derive(Default, Deserialize)]
struct Health {
    version: Option<String>,
    model: Option<ServerModel>,
}

impl Server {
    /// # Errors
    /// When no address of it accepts a connection: a whole run of refused connections says no more.
    pub(crate) async fn meet(target: &Target, api_key: Option<&str>) -> anyhow::Result<Self> {
        let url = &target.url;
        let named = tokio::net::lookup_host((target.host.as_str(), target.port)).await;
        let mut addresses = Vec::new();
        let mut refused = None;
        for address in named.with_context(|| format!("--url {url}: the name leads nowhere"))? {
            match timeout(PATIENCE, TcpStream::connect(address)).await {
                Ok(Ok(_)) => addresses.push(address),
                Ok(Err(e)) => refused = Some(anyhow!(e)),
                Err(_) => refused = Some(anyhow!("{address} does not answer")),
            }
        }
        let Some(&first) = addresses.first() else {
            let cause = refused.unwrap_or_else(|| anyhow!("the name has no address"));
            return Err(cause.context(format!("--url {url}: no server; is `skinclf serve` running there?")));
        };
        let health = health(target, first, api_key).await.unwrap_or_default();
        Ok(Self { target: target.clone(), addresses, version: health.version, model: health.model })
    }

    /// Whether it runs beside the generator.
    pub(crate) fn shares_machine(&self) -> bool {
        self.addresses.iter().all(|a| a.ip().is_loopback())
    }
}

/// What the server says of itself, if it does.
async fn health(target: &Target, address: SocketAddr, api_key: Option<&str>) -> Option<Health> {
    let request = get(target, "/health", api_key).ok()?;
    let reply = timeout(PATIENCE, Client::new(address).ask(request)).await.ok()?.ok()?;
    serde_json::from_slice(&reply.body).ok()
}
