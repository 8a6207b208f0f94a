//! The flags of `skinclf classify`.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::model::ModelArgs;
use super::values::{body_size, count, share, threads};
use crate::output::Format;

#[derive(Debug, Args)]
pub(crate) struct ClassifyArgs {
    /// Image files, directories (searched recursively), or - for one image on standard input
    #[arg(value_name = "PATH", required_unless_present = "files_from", value_hint = ValueHint::AnyPath)]
    pub(crate) paths: Vec<PathBuf>,

    /// Read more paths from FILE (- for standard input), separated by newlines or NUL characters
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) files_from: Option<PathBuf>,

    /// Output format
    #[arg(short, long, value_enum, default_value_t = Format::Table, value_name = "FORMAT")]
    pub(crate) format: Format,

    /// Also list the N best classes, ranked by the model's decision rule (not in formats csv and isic)
    #[arg(short = 'k', long, value_name = "N", value_parser = count)]
    pub(crate) top_k: Option<NonZeroUsize>,

    /// Also list each image's prediction set, which contains the true class for this share of lesions, e.g. 0.9 (not in
    /// format isic). With --truth, evaluate the sets
    #[arg(long, value_name = "SHARE", value_parser = share)]
    pub(crate) coverage: Option<f32>,

    /// Test-time augmentation: average over 8 rotated and mirrored views of each image; takes 8 times as long
    #[arg(long)]
    pub(crate) tta: bool,

    /// Rescale probabilities to the class shares in FILE, JSON with a share or count for each class such as
    /// {"mel":180,"nv":500,...}. Flags, and classes predicted by balanced-argmax, do not change
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) prior: Option<PathBuf>,

    /// Write a heatmap of the regions that support the predicted class to DIR/NAME.png; creates DIR
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) heatmap: Option<PathBuf>,

    /// Treat unusable images (too small, blank, blurred, not dermoscopic) as errors
    #[arg(long)]
    pub(crate) strict: bool,

    /// Maximum size of an image file, and of an image on standard input
    #[arg(long, value_name = "SIZE", default_value = "256MiB", value_parser = body_size)]
    pub(crate) max_file: bytesize::ByteSize,

    /// Number of images to classify in parallel [default: all cores]
    #[arg(short = 'j', long, value_name = "N", value_parser = threads, env = "SKINCLF_THREADS")]
    pub(crate) threads: Option<NonZeroUsize>,

    /// Write the results to FILE instead of standard output: jsonl line by line, other formats when the run ends
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) output: Option<PathBuf>,

    /// Continue an earlier run (formats jsonl and csv): keep the results in the file of --output, skip their images, and
    /// append the others
    #[arg(long, requires = "output", conflicts_with = "truth")]
    pub(crate) resume: bool,

    /// With --resume, also classify the images again whose result in the file is an error
    #[arg(long, requires = "resume")]
    pub(crate) retry_failed: bool,

    /// Evaluate against labels instead of printing results (formats table and json). FILE (- for standard input) is a
    /// CSV: image and dx, or image and one 0/1 column per class; lesion_id is optional
    #[arg(long, value_name = "FILE", conflicts_with = "top_k", value_hint = ValueHint::FilePath)]
    pub(crate) truth: Option<PathBuf>,

    /// Also write the evaluation to FILE, an HTML page with ROC and risk-coverage curves
    #[arg(long, value_name = "FILE", requires = "truth", value_hint = ValueHint::FilePath)]
    pub(crate) report: Option<PathBuf>,

    /// Print no progress bar, summary or warnings
    #[arg(short, long)]
    pub(crate) quiet: bool,

    #[command(flatten)]
    pub(crate) model: ModelArgs,
}
