//! Tables.

mod terminal;

pub(crate) use self::terminal::{Cell, Kind, Table};
