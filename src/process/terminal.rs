//! When to use colour, how wide the terminal is, and what progress bars look like.

use std::fmt;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::text::Wrapping;

/// A terminal with fewer columns gets no bar.
const LEAST_FOR_BAR: u16 = 20;

/// With fewer columns, a bar is only its figures.
const LEAST_FOR_WIDE_BAR: u16 = 50;

/// When to colour the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum ColorChoice {
    /// On a terminal, unless NO_COLOR is set or TERM is dumb.
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
fn colored(stream_is_terminal: bool) -> bool {
    match CHOICE.load(Ordering::Relaxed) {
        choice if choice == ColorChoice::Always as u8 => true,
        choice if choice == ColorChoice::Never as u8 => false,
        _ => {
            let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
            stream_is_terminal && !is_dumb && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty())
        }
    }
}

/// How to write for people: with colours or without, and how wide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Look {
    pub(crate) colored: bool,
    /// Columns that lines are to fit into; without, they are as long as they need.
    pub(crate) width: Option<u16>,
}

impl Look {
    /// The look of standard output, or of a file in its place.
    pub(crate) fn of_output(is_terminal: bool) -> Self {
        Self { colored: colored(is_terminal), width: if is_terminal { width() } else { None } }
    }

    /// Writes lines that fit.
    pub(crate) fn wrapping<W: Write>(self, out: W) -> Wrapping<W> {
        Wrapping::new(out, self.width)
    }
}

/// Columns of the terminal that standard output is; `None` if it is none, or one that does not say.
pub(crate) fn width() -> Option<u16> {
    columns(io::stdout())
}

fn columns(stream: impl AsFd) -> Option<u16> {
    // A terminal on a serial line says 0.
    rustix::termios::tcgetwinsize(stream).ok().map(|size| size.ws_col).filter(|columns| *columns > 0)
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

/// A bar on standard error; invisible when `quiet`, or where that is no terminal, a dumb one, or one with few columns.
pub(crate) fn bar(quiet: bool) -> ProgressBar {
    let bar = ProgressBar::no_length();
    if quiet || columns(io::stderr()).is_none_or(|columns| columns < LEAST_FOR_BAR) {
        bar.set_draw_target(ProgressDrawTarget::hidden());
    }
    bar
}

/// A bar that counts images.
pub(crate) fn progress(quiet: bool) -> ProgressBar {
    let bar = bar(quiet);
    if bar.is_hidden() {
        return bar;
    }
    bar.set_style(style("{spinner} {pos} images  {per_sec}  {elapsed}"));
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

/// Gives a bar that counts images its length and with it an estimate of the time left.
pub(crate) fn set_length(bar: &ProgressBar, total: u64) {
    bar.set_length(total);
    let is_wide = columns(io::stderr()).is_some_and(|columns| columns >= LEAST_FOR_WIDE_BAR);
    let wide = "{wide_bar} {pos}/{len} images  {per_sec}  {eta} left";
    bar.set_style(style(if is_wide { wide } else { "{pos}/{len} images  {eta} left" }));
}

/// The look of a bar, in the language of `indicatif`.
pub(crate) fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// As many of the parts of a line on standard error, from the first, as fit side by side.
pub(crate) fn fitting(parts: &[String]) -> String {
    super::text::fitting(parts, columns(io::stderr()).map_or(usize::MAX, usize::from))
}
