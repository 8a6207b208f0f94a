//! The exit status of the process.

use std::io;
use std::process::ExitCode;

use super::terminal::{note, printable};

/// How a command ended, if not in an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    Done,
    /// Some input or request failed; the rest was done and printed.
    SomeFailed,
    ThresholdMissed,
    /// Interrupted; what was finished is printed.
    Interrupted,
}

/// The status of a command that ends in an error: a model that cannot be used, an output that cannot be written, no
/// images found.
const NOTHING_DONE: u8 = 4;

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        match exit {
            Exit::Done => Self::SUCCESS,
            Exit::SomeFailed => Self::from(1),
            Exit::ThresholdMissed => Self::from(3),
            Exit::Interrupted => Self::from(130),
        }
    }
}

/// Prints an error and turns the outcome into the process's exit status.
///
/// A closed output pipe (`skinclf … | head`) means that the reader has enough, and is not a failure.
pub(crate) fn report(outcome: anyhow::Result<Exit>) -> ExitCode {
    match outcome {
        Ok(exit) => {
            if exit == Exit::Interrupted {
                note("interrupted: the results are incomplete");
            }
            exit.into()
        }
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            // It may quote a file.
            note(format_args!("error: {}", printable(&format!("{error:#}"))));
            NOTHING_DONE.into()
        }
    }
}

/// Whether the reader of the output has left.
pub(crate) fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let io_error = |cause: &(dyn std::error::Error + 'static)| {
        let direct = cause.downcast_ref::<io::Error>().map(io::Error::kind);
        direct
            .or_else(|| cause.downcast_ref::<serde_json::Error>().and_then(serde_json::Error::io_error_kind))
    };
    error.chain().any(|cause| io_error(cause) == Some(io::ErrorKind::BrokenPipe))
}
