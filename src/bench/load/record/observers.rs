//! What is under test, and those who watch it while a run goes on.

use tokio::task::JoinSet;

use super::containers::{Container, Sample, Sampler};
use super::replicas::Replica;
use super::scrape::Scrape;
use super::servers::{Scraper, Server};

/// What users ask, and what is behind it.
#[derive(Default)]
pub(crate) struct Tested {
    pub(crate) servers: Vec<Server>,
    pub(crate) replicas: Vec<Replica>,
    pub(crate) containers: Vec<Container>,
}

pub(crate) struct Observers {
    servers: Vec<Scraper>,
    replicas: Vec<Scraper>,
    containers: Vec<Sampler>,
}

/// In the order of what is under test.
#[derive(Default)]
pub(crate) struct Observed {
    pub(super) servers: Vec<Vec<Scrape>>,
    pub(super) replicas: Vec<Vec<Scrape>>,
    pub(super) containers: Vec<Vec<Sample>>,
}

impl Observers {
    /// Each is a task. Where replicas are named, a server is taken for their balancer, whose `/metrics` would be those of any
    /// of them.
    pub(crate) fn start(
        tested: &Tested,
        api_key: Option<&str>,
        tasks: &mut JoinSet<()>,
    ) -> anyhow::Result<Self> {
        let servers: &[Server] = if tested.replicas.is_empty() { &tested.servers } else { &[] };
        let mut scrape = |server: &Server| {
            let scraper = Scraper::new(server, api_key)?;
            tasks.spawn_local(scraper.clone().run());
            anyhow::Ok(scraper)
        };
        let servers = servers.iter().map(&mut scrape).collect::<anyhow::Result<_>>()?;
        let replicas =
            tested.replicas.iter().map(|replica| scrape(&replica.server)).collect::<anyhow::Result<_>>()?;
        let containers: Vec<_> = tested.containers.iter().map(Sampler::new).collect();
        for sampler in &containers {
            tasks.spawn_local(sampler.clone().run());
        }
        Ok(Self { servers, replicas, containers })
    }

    /// After the load, and after the tasks.
    pub(crate) async fn finish(self) -> Observed {
        let mut observed = Observed::default();
        for scraper in self.servers {
            observed.servers.push(scraper.finish().await);
        }
        for scraper in self.replicas {
            observed.replicas.push(scraper.finish().await);
        }
        for sampler in self.containers {
            observed.containers.push(sampler.finish().await);
        }
        observed
    }
}
