//! `--compare`, which can be repeated: clap's derive would lose which file belongs to which one.

use clap::builder::ValueParser;
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches, ValueHint};

use super::load_values::SavedFile;

const ID: &str = "compare";

/// The files of each `--compare`.
#[derive(Debug)]
pub(crate) struct Compared {
    pub(crate) series: Vec<Vec<SavedFile>>,
}

impl Args for Compared {
    fn augment_args(command: Command) -> Command {
        command.arg(
            Arg::new(ID)
                .long(ID)
                .value_name("[N=]FILE.json")
                .num_args(2..)
                .action(ArgAction::Append)
                .value_parser(ValueParser::new(|text: &str| text.parse::<SavedFile>()))
                .value_hint(ValueHint::FilePath)
                .conflicts_with_all(["iterations", "warmup", "image"])
                .help(
                    "Compare runs saved with --format json: the first with each of the others, e.g. one, two and \
                     three containers; repeat the flag for the same containers under another load",
                )
                .long_help(
                    "Compare runs saved with --format json: the first with each of the others, e.g. one, two and \
                     three containers; repeat the flag for the same containers under another load\n\n\
                     N=FILE gives the number of containers of a run; without it, the position of the file is used. \
                     With --url or --from, the comparison is in the reports only.",
                ),
        )
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Compared {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let series = matches.get_occurrences::<SavedFile>(ID).into_iter().flatten();
        Ok(Self { series: series.map(|files| files.cloned().collect()).collect() })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}
