//! The flags of `skinclf bench`, but for those of a load test.

use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};

use super::values::whole;
use super::{LoadArgs, ModelArgs};

#[derive(Debug, Args)]
pub(crate) struct BenchArgs {
    /// How many classifications to measure, per number of threads
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = whole::<u32>(1..=100_000_000, 1000))]
    pub(crate) iterations: u32,

    /// How many classifications to run and not measure first, on each thread
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = whole::<usize>(0..=100_000_000, 50))]
    pub(crate) warmup: usize,

    /// Image to classify [default: a synthetic 600x450 JPEG]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) image: Option<PathBuf>,

    /// Numbers of threads to measure, one run each
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

    /// How to print the figures
    #[arg(short, long, value_enum, default_value_t = BenchFormat::Table, value_name = "FORMAT")]
    pub(crate) format: BenchFormat,

    /// Write the figures to FILE instead of standard output
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
