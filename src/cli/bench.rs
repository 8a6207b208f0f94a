//! The flags of `skinclf bench`; those of a load test are in `load.rs`.

use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};

use super::load::LoadArgs;
use super::model::ModelArgs;
use super::values::whole;

#[derive(Debug, Args)]
pub(crate) struct BenchArgs {
    /// Number of measured classifications, for each thread count
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = whole::<u32>(1..=100_000_000, 1000))]
    pub(crate) iterations: u32,

    /// Warm-up classifications per thread (not measured)
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = whole::<usize>(0..=100_000_000, 50))]
    pub(crate) warmup: usize,

    /// Image to classify [default: an embedded synthetic JPEG, 600x450]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) image: Option<PathBuf>,

    /// Thread counts to measure, one run each, e.g. 1,2,4
    #[arg(
        short = 'j',
        long,
        value_name = "N,…",
        value_delimiter = ',',
        default_value = "1",
        value_parser = whole::<u32>(1..=1024, 4),
        env = "SKINCLF_THREADS"
    )]
    pub(crate) threads: Vec<u32>,

    /// Output format
    #[arg(short, long, value_enum, default_value_t = BenchFormat::Table, value_name = "FORMAT")]
    pub(crate) format: BenchFormat,

    /// Write the results to FILE instead of standard output
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) output: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) model: ModelArgs,

    #[command(flatten)]
    pub(crate) load: LoadArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum BenchFormat {
    Table,
    Json,
    Csv,
    Markdown,
}
