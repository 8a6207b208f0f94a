//! `skinclf health URL`: the probe that a container without curl needs.

use std::io::{self, Write as _};
use std::time::Duration;

use anyhow::Context as _;

use crate::cli::Target;
use crate::exit::Exit;

/// Longer than any healthy answer, shorter than an orchestrator's patience.
const TIMEOUT: Duration = Duration::from_secs(3);

pub(crate) fn run(server: &Target) -> anyhow::Result<Exit> {
    let url = format!("{}/health", server.url.trim_end_matches("/health"));
    // A proxy that the environment names is for the world outside, and cannot reach this container's own server.
    let agent = ureq::Agent::config_builder().timeout_global(Some(TIMEOUT)).proxy(None).build().new_agent();
    let body = agent.get(&url).call().and_then(|mut answer| answer.body_mut().read_to_string());
    writeln!(io::stdout(), "{}", body.with_context(|| format!("{url} is not healthy"))?.trim_end())?;
    Ok(Exit::Done)
}
