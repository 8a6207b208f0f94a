//! Results as text: what every image's result looks like, and one small file a format.

mod csv;
pub(crate) mod heatmap;
mod isic;
mod json;
mod record;
mod table;

use std::io::{self, Write};

use skinclf::ModelSpec;

use crate::process::terminal::Look;

pub(crate) use record::{Failure, Heatmap, ModelId, Record, Subject};
pub(crate) use table::{NOTICE, percent};

/// Writes results one after the other; holds at most a bounded number of them.
pub(crate) trait Sink {
    /// Writes or keeps one result.
    fn push(&mut self, record: &Record<'_>) -> io::Result<()>;
    /// Writes what is left. To be called once, after the last result.
    fn finish(&mut self) -> io::Result<()>;
}

/// How results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layout {
    Table(Look),
    Json,
    JsonLines,
    Csv,
    Isic,
}

/// The writer of a layout.
///
/// # Errors
/// A sentence, if the model's labels do not fit the layout.
pub(crate) fn sink<'w>(
    layout: Layout,
    spec: &'w ModelSpec,
    out: Box<dyn Write + 'w>,
) -> Result<Box<dyn Sink + 'w>, String> {
    Ok(match layout {
        Layout::Table(look) => Box::new(table::Table::new(spec, out, look)),
        Layout::Json => Box::new(json::Array::new(out)),
        Layout::JsonLines => Box::new(json::Lines::new(out)),
        Layout::Csv => Box::new(csv::Csv::new(spec, out)),
        Layout::Isic => Box::new(isic::Isic::new(spec, out)?),
    })
}
