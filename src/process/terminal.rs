//! Colour, the width of the terminal, progress bars, and messages on standard error.

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

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum ColorChoice {
    /// On a terminal, unless NO_COLOR is set or TERM is dumb
    Auto,
    /// Also into files and pipes
    Always,
    /// Nowhere
    Never,
}

static CHOICE: AtomicU8 = AtomicU8::new(ColorChoice::Auto as u8);

impl ColorChoice {
    /// Makes this the choice for the rest of the process.
    pub(crate) fn apply(self) {
        CHOICE.store(self as u8, Ordering::Relaxed);
    }
}

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

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Look {
    pub(crate) colored: bool,
    /// Columns that lines must fit into; `None` for no limit.
    pub(crate) width: Option<u16>,
}

impl Look {
    /// For standard output, or for a file in its place.
    pub(crate) fn of_output(is_terminal: bool) -> Self {
        Self { colored: colored(is_terminal), width: if is_terminal { width() } else { None } }
    }

    pub(crate) fn wrapping<W: Write>(self, out: W) -> Wrapping<W> {
        Wrapping::new(out, self.width)
    }
}

/// Columns of the terminal on standard output; `None` if it is no terminal, or one that does not report its size.
pub(crate) fn width() -> Option<u16> {
    columns(io::stdout())
}

fn columns(stream: impl AsFd) -> Option<u16> {
    // A terminal on a serial line reports 0.
    rustix::termios::tcgetwinsize(stream).ok().map(|size| size.ws_col).filter(|columns| *columns > 0)
}

/// Bold red, for use outside a table.
pub(crate) fn alarming(word: &str, colored: bool) -> String {
    if colored { format!("\u{1b}[1;31m{word}\u{1b}[0m") } else { word.to_owned() }
}

/// Replaces control characters: in text from outside, such as a file's name, they could control the terminal.
pub(crate) fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{FFFD}' } else { c }).collect()
}

/// Writes a line to standard error. Unlike `eprintln!`, it does not panic if nobody reads it.
pub(crate) fn note(text: impl fmt::Display) {
    let _ = writeln!(io::stderr(), "{text}");
}

pub(crate) fn complain(name: &str, problem: &str) {
    note(format_args!("error: {}: {}", printable(name), printable(problem)));
}

/// On standard error; hidden when `quiet`, or where that is no terminal, a dumb one, or one with few columns.
pub(crate) fn bar(quiet: bool) -> ProgressBar {
    let bar = ProgressBar::no_length();
    if quiet || columns(io::stderr()).is_none_or(|columns| columns < LEAST_FOR_BAR) {
        bar.set_draw_target(ProgressDrawTarget::hidden());
    }
    bar
}

pub(crate) fn progress(quiet: bool) -> ProgressBar {
    let bar = bar(quiet);
    if bar.is_hidden() {
        return bar;
    }
    bar.set_style(style("{spinner} {pos} images{msg}  {per_sec}  {elapsed}"));
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

/// With a length, the bar of [`progress`] estimates the time left.
pub(crate) fn set_length(bar: &ProgressBar, total: u64) {
    bar.set_length(total);
    let is_wide = columns(io::stderr()).is_some_and(|columns| columns >= LEAST_FOR_WIDE_BAR);
    let wide = "{wide_bar} {pos}/{len} images{msg}  {per_sec}  {eta} left";
    bar.set_style(style(if is_wide { wide } else { "{pos}/{len} images  {eta} left" }));
}

/// In the template language of `indicatif`.
pub(crate) fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// As many of the parts, from the first, as fit into a line on standard error.
pub(crate) fn fitting(parts: &[String]) -> String {
    super::text::fitting(parts, columns(io::stderr()).map_or(usize::MAX, usize::from))
}
