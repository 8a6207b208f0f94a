//! When to use colour, and what tables and progress bars look like.

use std::fmt;
use std::io::{self, IsTerminal, Write as _};
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use comfy_table::{Table, presets};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// When to colour the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum ColorChoice {
    /// On a terminal, unless NO_COLOR is set.
    Auto,
    Always,
    Never,
}

static CHOICE: AtomicU8 = AtomicU8::new(ColorChoice::Auto as u8);

impl ColorChoice {
    /// Makes this the choice for the rest of the process.
    pub(crate) fn apply(self) {
        CHOICE.store(self as u8, Ordering::Relaxed);
    }
}

/// Whether to colour what goes to a stream.
pub(crate) fn colored(stream_is_terminal: bool) -> bool {
    match CHOICE.load(Ordering::Relaxed) {
        choice if choice == ColorChoice::Always as u8 => true,
        choice if choice == ColorChoice::Never as u8 => false,
        _ => stream_is_terminal && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty()),
    }
}

/// An empty table in the program's look.
pub(crate) fn table(colored: bool) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_BORDERS_ONLY);
    if colored {
        table.enforce_styling();
    } else {
        table.force_no_tty();
    }
    table
}

/// A word not to be overlooked, outside a table.
pub(crate) fn alarming(word: &str, colored: bool) -> String {
    if colored { format!("\u{1b}[1;31m{word}\u{1b}[0m") } else { word.to_owned() }
}

/// Text from outside, such as a file's name, may hold control characters that would steer the terminal.
pub(crate) fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{FFFD}' } else { c }).collect()
}

/// Says something on standard error. That nobody listens there is no reason to end, as it is for `eprintln!`.
pub(crate) fn note(text: impl fmt::Display) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// Says on standard error what became of one of many.
pub(crate) fn complain(name: &str, problem: &str) {
    note(format_args!("error: {}: {}", printable(name), printable(problem)));
}

/// A progress bar on stderr; invisible when `quiet` or when stderr is no terminal.
pub(crate) fn progress(quiet: bool) -> ProgressBar {
    let bar = ProgressBar::no_length();
    if quiet || !std::io::stderr().is_terminal() {
        bar.set_draw_target(ProgressDrawTarget::hidden());
        return bar;
    }
    bar.set_style(style("{spinner} {pos} images  {per_sec}  {elapsed}"));
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

/// Gives a progress bar its length and with it an estimate of the time left.
pub(crate) fn set_length(bar: &ProgressBar, total: u64) {
    bar.set_length(total);
    bar.set_style(style("{bar:32} {pos}/{len} images  {per_sec}  {eta} left"));
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
