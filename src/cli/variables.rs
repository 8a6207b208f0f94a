//! The environment variables that stand for flags: mistakes in them are told by their names.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue};
use clap::{Arg, Command, CommandFactory as _};

use super::Cli;

/// What ours begin with.
const PREFIX: &str = "SKINCLF_";

/// Read by the library: which kernels to use.
const ISA: &str = "SKINCLF_ISA";

/// Names the variable that a wrong value came from, if it came from one, in an error about the flag.
pub(crate) fn blame(error: &mut clap::Error) {
    let flag = error.get(ContextKind::InvalidArg).map(ToString::to_string);
    let variable = flag.and_then(|flag| {
        let mut cli = Cli::command();
        cli.build();
        let named = arguments(&cli).find(|argument| argument.to_string() == flag)?.get_env()?;
        // Where the command line alone is wrong as well, the variable is not to blame.
        let still = without_variables(cli.clone()).try_get_matches().err();
        let still = still.and_then(|error| error.get(ContextKind::InvalidArg).map(ToString::to_string));
        (still.as_deref() != Some(&flag))
            .then(|| format!("{} (environment variable of {flag})", named.display()))
    });
    if let Some(variable) = variable {
        error.insert(ContextKind::InvalidArg, ContextValue::String(variable));
    }
}

/// Variables with our prefix that nothing reads.
pub(crate) fn unknown() -> Vec<OsString> {
    let cli = Cli::command();
    let known =
        |name: &OsString| name == ISA || arguments(&cli).any(|argument| argument.get_env() == Some(name));
    let ours = std::env::vars_os().map(|(name, _)| name);
    let ours = ours.filter(|name| name.to_string_lossy().starts_with(PREFIX));
    ours.filter(|name| !known(name)).collect()
}

/// Of all commands.
fn arguments(cli: &Command) -> impl Iterator<Item = &Arg> {
    cli.get_subcommands().chain([cli]).flat_map(Command::get_arguments)
}

fn without_variables(cli: Command) -> Command {
    let plain = |command: Command| command.mut_args(|argument| argument.env(None::<&str>));
    plain(cli).mut_subcommands(plain)
}
