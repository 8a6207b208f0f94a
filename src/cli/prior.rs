//! The class shares of `--prior`, the same for all commands that take them.

use std::fs::File;
use std::path::Path;

use anyhow::{Context as _, anyhow};
use skinclf::{ModelSpec, Prior, bounded};

/// Bytes of the file: a class takes some twenty.
const LARGEST: u64 = 64 << 10;

/// The shares in the file, if one is given.
///
/// # Errors
/// Naming the file, when it cannot be read or does not fit the model.
pub(crate) fn prior(file: Option<&Path>, spec: &ModelSpec) -> anyhow::Result<Option<Prior>> {
    let Some(path) = file else { return Ok(None) };
    let name = || format!("--prior {}", path.display());
    let json = File::open(path).map_err(anyhow::Error::from).and_then(|file| {
        // It may be a pipe.
        bounded::read(file, 0, LARGEST).map_err(anyhow::Error::from)
    });
    let json = json.context("cannot be read").with_context(name)?;
    Prior::parse(spec, &json).map(Some).map_err(|problem| anyhow!(problem)).with_context(name)
}
