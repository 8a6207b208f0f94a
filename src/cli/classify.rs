//! The flags of `skinclf classify`.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::ModelArgs;
use super::values::{body_size, count, threads};
use crate::output::Format;

#[derive(Debug, Args)]
pub(crate) struct ClassifyArgs {
    /// Image files, directories to walk for images, or - for one image on standard input
    #[arg(value_name = "PATH", required_unless_present = "files_from", value_hint = ValueHint::AnyPath)]
    pub(crate) paths: Vec<PathBuf>,

    /// Read further paths from FILE (- for standard input), one a line or NUL-separated
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) files_from: Option<PathBuf>,

    /// How to print the results
    #[arg(short, long, value_enum, default_value_t = Format::Table, value_name = "FORMAT")]
    pub(crate) format: Format,

    /// Also list the N best classes, as the model's decision ranks them (table, json and jsonl)
    #[arg(short = 'k', long, value_name = "N", value_parser = count)]
    pub(crate) top_k: Option<NonZeroUsize>,

    /// Average over the eight ways to turn and mirror a picture, which takes eight times as long
    #[arg(long)]
    pub(crate) tta: bool,

    /// Draw where each picture spoke for its class, as DIR/NAME.png; DIR is made if need be
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) heatmap: Option<PathBuf>,

    /// Take a picture that is not usable (too small, blank, blurred, no dermoscopy) for an error
    #[arg(long)]
    pub(crate) strict: bool,

    /// Largest image file to read, and most to read from standard input
    #[arg(long, value_name = "SIZE", default_value = "256MiB", value_parser = body_size)]
    pub(crate) max_file: bytesize::ByteSize,

    /// How many images to work on at once [default: all cores]
    #[arg(short = 'j', long, value_name = "N", value_parser = threads, env = "SKINCLF_THREADS")]
    pub(crate) threads: Option<NonZeroUsize>,

    /// Write the results to FILE instead of standard output: all of them at the end, jsonl line by line
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) output: Option<PathBuf>,

    /// Print scores against the labels in FILE (- for standard input) instead of the results (table and json): a CSV
    /// with the columns image and dx, or image and one for each class as ISIC has them; lesion_id if there is one
    #[arg(long, value_name = "FILE", conflicts_with = "top_k", value_hint = ValueHint::FilePath)]
    pub(crate) truth: Option<PathBuf>,

    /// Also write the scores of --truth to FILE, an HTML page with curves
    #[arg(long, value_name = "FILE", requires = "truth", value_hint = ValueHint::FilePath)]
    pub(crate) report: Option<PathBuf>,

    /// No progress bar, no summary, no warnings
    #[arg(short, long)]
    pub(crate) quiet: bool,

    #[command(flatten)]
    pub(crate) model: ModelArgs,
}
