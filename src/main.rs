//! `skinclf`: classifies dermoscopic images, measures its speed, and serves predictions over HTTP.

mod bench;
mod classify;
mod cli;
mod destination;
mod health;
mod html;
mod output;
mod process;
mod procfs;
mod serve;
mod table;
mod url;

use std::io::{self, Write as _};

use clap::CommandFactory;
use clap_complete::Shell;

use crate::cli::{Cli, Command};
use crate::process::Exit;
use crate::url::Target;

fn main() -> std::process::ExitCode {
    skinclf::panics::silence_caught();
    let cli = Cli::parse_or_exit();
    cli.color.apply();
    let exit = match cli.command {
        Command::Classify(args) => classify::run(&args),
        Command::Bench(args) => bench::run(&args),
        Command::Serve(args) => serve::run(&args),
        Command::Health { url, port } => health::run(&url.unwrap_or_else(|| Target::local(port))),
        Command::Completions { shell } => complete(shell),
    };
    process::report(exit)
}

fn complete(shell: Shell) -> anyhow::Result<Exit> {
    // Generated in memory, because clap_complete panics if the output pipe is closed.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "skinclf", &mut script);
    io::stdout().write_all(&script)?;
    Ok(Exit::Done)
}
