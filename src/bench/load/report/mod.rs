//! The figures as text, one small file a format.

use std::io::Write as _;

use anyhow::bail;

use super::outcome::Report;
use crate::cli::BenchFormat;
use crate::output::Destination;

/// Writes the figures where `--format` and `--output` say.
pub(super) fn write(format: BenchFormat, report: &Report, destination: Destination) -> anyhow::Result<()> {
    let Destination { writer: mut out, .. } = destination;
    match format {
        BenchFormat::Json => {
            serde_json::to_writer_pretty(&mut out, report)?;
            writeln!(out)?;
        }
        BenchFormat::Table | BenchFormat::Csv | BenchFormat::Markdown => {
            bail!("--format {format:?} is not written yet")
        }
    }
    Ok(out.flush()?)
}
