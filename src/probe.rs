//! `skinclf health URL`: the probe that a container without curl needs.

use std::time::Duration;

use anyhow::Context as _;

use crate::exit::Exit;

/// Longer than any healthy answer, shorter than an orchestrator's patience.
const TIMEOUT: Duration = Duration::from_secs(3);

pub(crate) fn run(url: &str) -> anyhow::Result<Exit> {
    let url = format!("{}/health", url.trim_end_matches('/').trim_end_matches("/health"));
    let agent = ureq::Agent::config_builder().timeout_global(Some(TIMEOUT)).build().new_agent();
    let body = agent.get(&url).call().and_then(|mut answer| answer.body_mut().read_to_string());
    println!("{}", body.with_context(|| format!("{url} is not healthy"))?.trim_end());
    Ok(Exit::Done)
}
