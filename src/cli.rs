//! The command line; no logic. A doc comment is the flag's help: a sentence, without a full stop
//! unless there are two, naming the default only where clap does not.

mod load;
mod tips;
mod values;

use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};

pub(crate) use self::load::{LoadArgs, Scenario};
pub(crate) use self::values::{Target, duration};
use self::values::{body_size, count, listening_host, origin, positive_duration, threads, whole};
use crate::terminal::ColorChoice;
use crate::variables;

/// What is printed below the help; lines fit a terminal of 80 columns, since clap does not indent what it breaks.
const EXIT_STATUS: &str = "\
Exit status:
  0    all done, or the reader of the output has left
  1    some image or request failed; the rest was done and printed
  2    wrong usage
  3    a threshold of --fail-if was missed, or its figure is not known
  4    nothing could be done: unusable model, unwritable output, no images
  130  interrupted; what was finished is printed";

static LONG_VERSION: LazyLock<String> = LazyLock::new(|| {
    let model = skinclf::Model::embedded();
    let skinclf::ModelSpec { name, version, .. } = model.spec();
    format!("{}\nmodel {name} {version}", env!("CARGO_PKG_VERSION"))
});

/// Classify dermoscopic images of skin lesions, on a CPU, offline
///
/// Research software, not a medical device: its output is not a diagnosis.
#[derive(Debug, Parser)]
#[command(version, long_version = LONG_VERSION.as_str(), max_term_width = 100, after_help = EXIT_STATUS)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,

    /// When to use colour
    #[arg(long, global = true, value_enum, default_value_t = ColorChoice::Auto, value_name = "WHEN")]
    pub(crate) color: ColorChoice,
}

impl Cli {
    /// The command line, or the end of the process with what is wrong with it.
    pub(crate) fn parse_or_exit() -> Self {
        Self::try_parse().unwrap_or_else(|mut error| {
            tips::add_to(&mut error);
            variables::blame(&mut error);
            error.exit()
        })
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Classify images: files, directories, or standard input
    #[command(after_long_help = EXIT_STATUS)]
    Classify(ClassifyArgs),
    /// Measure how long classifying takes, stage by stage; or, with --url, put load on a server
    #[command(after_long_help = EXIT_STATUS)]
    Bench(Box<BenchArgs>),
    /// Serve predictions over HTTP
    Serve(ServeArgs),
    /// Ask a server's /health; exit status 0 if it is healthy (a container's probe)
    Health {
        /// Server to ask, for example http://localhost:8000 [default: 127.0.0.1 at --port]
        #[arg(value_hint = ValueHint::Url)]
        url: Option<Target>,

        /// Port to ask on this machine, without a URL
        #[arg(short, long, default_value_t = 8000, value_parser = whole::<u16>(1..=65535, 8000), env = "SKINCLF_PORT")]
        port: u16,
    },
    /// Print a completion script for a shell
    Completions { shell: clap_complete::Shell },
}

#[derive(Debug, Args)]
pub(crate) struct ModelArgs {
    /// ONNX model to use instead of the embedded one, its spec beside it as NAME.json
    #[arg(long, value_name = "FILE", env = "SKINCLF_MODEL", value_hint = ValueHint::FilePath)]
    pub(crate) model: Option<PathBuf>,
}

impl ModelArgs {
    /// The files that are read.
    pub(crate) fn files(&self) -> impl Iterator<Item = PathBuf> {
        self.model.iter().flat_map(|onnx| [onnx.clone(), onnx.with_extension("json")])
    }

    pub(crate) fn load(&self) -> anyhow::Result<skinclf::Classifier> {
        let model = match &self.model {
            Some(path) => skinclf::Model::open(path)?,
            None => skinclf::Model::embedded(),
        };
        Ok(skinclf::Classifier::load(model)?)
    }
}

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

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people; its look may change
    Table,
    /// One array
    Json,
    /// One object a line, each as soon as it is known, in input order
    Jsonl,
    /// One row an image, a column for each class
    Csv,
    /// ISIC 2018 Task 3 submission
    Isic,
}

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

#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// Address or host name to listen on; 0.0.0.0 listens on all addresses
    #[arg(long, default_value = "127.0.0.1", value_parser = listening_host, env = "SKINCLF_HOST")]
    pub(crate) host: IpAddr,

    /// Port to listen on; 0 picks a free one
    #[arg(short, long, default_value_t = 8000, value_parser = whole::<u16>(0..=65535, 8000), env = "SKINCLF_PORT")]
    pub(crate) port: u16,

    /// How many predictions to work on at once [default: SKINCLF_THREADS, or all cores]
    #[arg(short, long, value_name = "N", value_parser = threads, env = "SKINCLF_WORKERS")]
    pub(crate) workers: Option<NonZeroUsize>,

    /// For the variable, which is the number of threads to every command; only bench takes a list
    #[arg(long, hide = true, value_parser = threads, env = "SKINCLF_THREADS")]
    pub(crate) threads: Option<NonZeroUsize>,

    /// Largest request body, for example 16MiB
    #[arg(long, value_name = "SIZE", default_value = "16MiB", value_parser = body_size, env = "SKINCLF_MAX_BODY")]
    pub(crate) max_body: bytesize::ByteSize,

    /// How many predictions may wait for a worker; more are refused with 503 and Retry-After
    #[arg(long, value_name = "N", default_value_t = NonZeroUsize::MIN.saturating_add(255), value_parser = count, env = "SKINCLF_QUEUE")]
    pub(crate) queue: NonZeroUsize,

    /// How many connections may be open; idle ones give way to new ones
    #[arg(long, value_name = "N", default_value_t = NonZeroUsize::MIN.saturating_add(2047), value_parser = count, env = "SKINCLF_MAX_CONNECTIONS")]
    pub(crate) max_connections: NonZeroUsize,

    /// Time for a request's head to arrive whole
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = positive_duration, env = "SKINCLF_HEADER_TIMEOUT")]
    pub(crate) header_timeout: Duration,

    /// Time for a request's body to arrive whole
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = positive_duration, env = "SKINCLF_BODY_TIMEOUT")]
    pub(crate) body_timeout: Duration,

    /// Time to finish what has begun when told to stop
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration, env = "SKINCLF_SHUTDOWN_TIMEOUT")]
    pub(crate) shutdown_timeout: Duration,

    /// Key that /predict and /metrics ask for, as Authorization: Bearer KEY or X-API-Key: KEY
    #[arg(long, value_name = "KEY", env = "SKINCLF_API_KEY", hide_env_values = true)]
    pub(crate) api_key: Option<String>,

    /// Origin whose pages may call the service from a browser, for example https://example.com, or * for any
    #[arg(long, value_name = "ORIGIN", value_parser = origin, env = "SKINCLF_CORS_ORIGIN")]
    pub(crate) cors_origin: Option<String>,

    /// How to log requests on standard error
    #[arg(long, value_enum, default_value_t = LogFormat::Text, value_name = "FORMAT", env = "SKINCLF_LOG")]
    pub(crate) log: LogFormat,

    #[command(flatten)]
    pub(crate) model: ModelArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    Text,
    /// One object a line
    Json,
    Off,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_definition_holds() {
        super::Cli::command().debug_assert();
    }
}
