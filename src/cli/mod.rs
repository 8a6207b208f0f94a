//! The command line, without logic. The doc comment of a flag is its help text: it names what the flag sets, in the
//! terms of the field, without a full stop unless there are two sentences, and names the default only where clap does not.

mod attachment;
mod bench;
mod classify;
mod compared;
mod condition;
mod load;
mod load_values;
mod model;
mod prior;
mod serve;
mod tips;
mod values;
pub(crate) mod variables;

use std::sync::LazyLock;

use clap::error::ErrorKind;
use clap::{CommandFactory as _, Parser, Subcommand, ValueHint};

pub(crate) use self::attachment::{Attachment, AttachmentKind};
pub(crate) use self::bench::{BenchArgs, BenchFormat};
pub(crate) use self::classify::ClassifyArgs;
pub(crate) use self::condition::{Condition, Direction, Figure};
pub(crate) use self::load::{LoadArgs, Scenario};
pub(crate) use self::load_values::{Arrival, ContainerName, MetricsUrl, SavedFile};
pub(crate) use self::prior::prior;
pub(crate) use self::serve::{LogFormat, ServeArgs};
pub(crate) use self::values::share;
use self::values::whole;
use crate::process::terminal::ColorChoice;
use crate::url::Target;

/// Printed below the help. Lines fit a terminal of 80 columns, because clap does not indent the lines that it wraps.
const EXIT_STATUS: &str = "\
Exit status:
  0    success, also if the reader closes the output pipe early
  1    some images or requests failed; the others were processed
  2    invalid command line
  3    a condition of --fail-if holds or cannot be evaluated
  4    nothing could be done: unusable model, unwritable output, no images
  130  interrupted; the results so far were printed";

static LONG_VERSION: LazyLock<String> = LazyLock::new(|| {
    let model = skinclf::Model::embedded();
    let skinclf::ModelSpec { name, version, .. } = model.spec();
    format!("{}\nmodel {name} {version}", env!("CARGO_PKG_VERSION"))
});

/// Classify dermoscopic images of skin lesions on a CPU, offline. Research software, not a medical device: the output is
/// not a diagnosis.
#[derive(Debug, Parser)]
#[command(version, long_version = LONG_VERSION.as_str(), max_term_width = 100, after_help = EXIT_STATUS)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,

    /// When to print in colour
    #[arg(long, global = true, value_enum, default_value_t = ColorChoice::Auto, value_name = "WHEN", display_order = 900)]
    pub(crate) color: ColorChoice,
}

impl Cli {
    /// Ends the process with an error message if the command line is invalid.
    pub(crate) fn parse_or_exit() -> Self {
        Self::try_parse().unwrap_or_else(|mut error| {
            tips::add_to(&mut error);
            variables::blame(&mut error);
            error.exit()
        })
    }
}

/// Ends the process as clap does when flags do not go together, for what clap cannot express.
pub(crate) fn wrong_usage(command: &str, message: &str) -> ! {
    let mut cli = Cli::command();
    cli.build();
    let command = cli.find_subcommand_mut(command).expect("the name of a command");
    command.error(ErrorKind::ArgumentConflict, message).exit()
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Classify images: files, directories or standard input
    ///
    /// Research software, not a medical device: the output is not a diagnosis.
    #[command(after_long_help = EXIT_STATUS)]
    Classify(ClassifyArgs),
    /// Measure classification speed stage by stage or, with --url, run a load test against a server
    #[command(after_long_help = EXIT_STATUS)]
    Bench(Box<BenchArgs>),
    /// Serve predictions over HTTP
    ///
    /// Research software, not a medical device: the output is not a diagnosis.
    Serve(ServeArgs),
    /// Check a server's /health: exit status 0 if it is healthy, otherwise 1 (a probe for containers)
    Health {
        /// Server to check, e.g. http://localhost:8000 [default: 127.0.0.1 and --port]
        #[arg(value_hint = ValueHint::Url)]
        url: Option<Target>,

        /// Port of the server on this machine, if no URL is given
        #[arg(short, long, default_value_t = 8000, value_parser = whole::<u16>(1..=65535, 8000), env = "SKINCLF_PORT")]
        port: u16,
    },
    /// Print a shell completion script
    Completions {
        /// Shell that will load the script
        shell: clap_complete::Shell,
    },
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_definition_holds() {
        super::Cli::command().debug_assert();
    }
}
