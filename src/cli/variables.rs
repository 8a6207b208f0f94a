//! The environment variables that set flags. Error messages name the variable where its value is wrong.

use std::ffi::OsString;

use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue};
use clap::{Arg, Command, CommandFactory as _};

use super::Cli;

const PREFIX: &str = "SKINCLF_";

/// Not a flag: the library reads it to choose its kernels.
const ISA: &str = "SKINCLF_ISA";

/// For a service named skinclf, Kubernetes sets SKINCLF_PORT=tcp://10.0.0.1:8000, and variables that begin so.
/// <https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables>
const SERVICE_LINKS: [&str; 2] = ["SKINCLF_PORT_", "SKINCLF_SERVICE_"];

const SERVICE_LINK_TIP: &str = "Kubernetes sets this variable for a service named skinclf; set it yourself in the container's \
     env, or set enableServiceLinks: false in the pod's spec";

/// In an error about a flag, names the environment variable if the wrong value came from one.
pub(crate) fn blame(error: &mut clap::Error) {
    let flag = error.get(ContextKind::InvalidArg).map(ToString::to_string);
    let variable = flag.and_then(|flag| {
        let mut cli = Cli::command();
        cli.build();
        let named = arguments(&cli).find(|argument| argument.to_string() == flag)?.get_env()?;
        // If the command line is wrong without the variable as well, the variable is not the cause.
        let still = without_variables(cli.clone()).try_get_matches().err();
        let still = still.and_then(|error| error.get(ContextKind::InvalidArg).map(ToString::to_string));
        (still.as_deref() != Some(&flag))
            .then(|| format!("{} (environment variable of {flag})", named.display()))
    });
    if let Some(variable) = variable {
        let value = error.get(ContextKind::InvalidValue).map(ToString::to_string);
        if value.is_some_and(|value| value.starts_with("tcp://")) {
            let tip = ContextValue::StyledStrs(vec![StyledStr::from(SERVICE_LINK_TIP)]);
            error.insert(ContextKind::Suggested, tip);
        }
        error.insert(ContextKind::InvalidArg, ContextValue::String(variable));
    }
}

/// Variables that begin with `SKINCLF_` and set nothing: probably misspelt.
pub(crate) fn unknown() -> Vec<OsString> {
    let cli = Cli::command();
    let known = |name: &OsString| {
        let text = name.to_string_lossy();
        name == ISA
            || SERVICE_LINKS.iter().any(|prefix| text.starts_with(prefix))
            || arguments(&cli).any(|argument| argument.get_env() == Some(name))
    };
    let ours = std::env::vars_os().map(|(name, _)| name);
    let ours = ours.filter(|name| name.to_string_lossy().starts_with(PREFIX));
    ours.filter(|name| !known(name)).collect()
}

fn arguments(cli: &Command) -> impl Iterator<Item = &Arg> {
    cli.get_subcommands().chain([cli]).flat_map(Command::get_arguments)
}

fn without_variables(cli: Command) -> Command {
    let plain = |command: Command| command.mut_args(|argument| argument.env(None::<&str>));
    plain(cli).mut_subcommands(plain)
}
