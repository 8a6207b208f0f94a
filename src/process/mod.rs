//! What every command needs of its process: exit status, signals, terminal.
//! Of the program's other modules it imports `procfs` alone.

mod exit;
pub(crate) mod interrupt;
pub(crate) mod terminal;
mod text;

pub(crate) use self::exit::{Exit, is_broken_pipe, report};
pub(crate) use self::text::{Wrapping, elided};
