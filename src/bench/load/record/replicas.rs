//! The replicas behind a balancer, as `--metrics-url` names them: asked for `/metrics` at their own addresses.

use anyhow::{Context as _, bail};
use tokio::time::timeout;

use super::scrape::{Scrape, Source, Span, predictions_answered, usage};
use super::servers::{PROBE_TIMEOUT, Server};
use crate::bench::load::client::{Client, get};
use crate::bench::load::result::ReplicaFigures;
use crate::cli::MetricsUrl;

const FLAG: &str = "--metrics-url";

pub(crate) struct Replica {
    name: String,
    pub(super) server: Server,
}

impl Replica {
    /// # Errors
    /// When there is no server, or none with `/metrics`: the user wants to know what it uses.
    pub(crate) async fn probe(given: &MetricsUrl, api_key: Option<&str>) -> anyhow::Result<Self> {
        let server = Server::probe(FLAG, &given.target, api_key).await?;
        let url = &server.target.url;
        let request = get(&server.target, "/metrics", api_key)?;
        let reply = timeout(PROBE_TIMEOUT, Client::new(server.addresses[0]).ask(request)).await.ok();
        let reply =
            reply.and_then(Result::ok).with_context(|| format!("{FLAG} {url}: /metrics does not answer"))?;
        match reply.status {
            200 => Ok(Self { name: given.name.clone(), server }),
            401 => bail!("{FLAG} {url}: /metrics answers 401; give the replicas' key with --api-key"),
            status => bail!(
                "{FLAG} {url}: /metrics answers {status}; give the address of a replica, not that of the balancer"
            ),
        }
    }
}

/// Of all replicas; `scrapes` are in their order.
pub(super) fn figures(replicas: &[Replica], scrapes: &[Vec<Scrape>], span: Span) -> Vec<ReplicaFigures> {
    let answered: Vec<_> = scrapes.iter().map(|scrapes| predictions_answered(scrapes)).collect();
    let all: u64 = answered.iter().flatten().sum();
    let each = replicas.iter().zip(scrapes).zip(answered);
    each.map(|((replica, scrapes), predictions)| ReplicaFigures {
        name: replica.name.clone(),
        url: replica.server.target.url.clone(),
        shares_machine: replica.server.shares_machine(),
        predictions,
        share: predictions.filter(|_| all > 0).map(|own| own as f64 / all as f64),
        usage: usage(scrapes, span, Source::Replica),
    })
    .collect()
}
