//! The results of `classify` as text: the formats, and one small file for each.

mod answer;
mod csv;
pub(crate) mod heatmap;
mod isic;
mod json;
mod record;
mod table;

use std::io::{self, Write};

use clap::ValueEnum;
use skinclf::{Label, ModelSpec};

use crate::process::terminal::Look;

pub(crate) use answer::{ModelId, OfClasses};
pub(crate) use json::write_indented;
pub(crate) use record::{Failure, Heatmap, Outcome, Record, Subject};
pub(crate) use table::{NOTICE, percent, shares, whole_percent};

/// How results are printed. The comments are the help of `--format`.
///
/// A new format is a file with its [`Sink`], and in this file a variant, what the methods below say of it, and a line of
/// [`sink`]. A format for people ends with the [`NOTICE`]. The snapshots of the help follow, and the list in `README.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For reading; the layout may change
    Table,
    /// One array of results
    Json,
    /// One object per line, streamed in input order
    Jsonl,
    /// One row per image, one column per class
    Csv,
    /// Submission file for ISIC 2018 Task 3
    Isic,
}

impl Format {
    /// As `--format` takes it.
    pub(crate) fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// Whether each result is shown as soon as it is there, also in a file. All others are whole or not there.
    pub(crate) fn streams(self) -> bool {
        match self {
            Self::Jsonl => true,
            Self::Table | Self::Json | Self::Csv | Self::Isic => false,
        }
    }

    /// Whether a later run can append its results to a file of this format.
    pub(crate) fn can_be_resumed(self) -> bool {
        match self {
            Self::Jsonl | Self::Csv => true,
            Self::Table | Self::Json | Self::Isic => false,
        }
    }

    /// Whether an image that was not classified gets a row.
    pub(crate) fn has_failures(self) -> bool {
        match self {
            Self::Table | Self::Json | Self::Jsonl | Self::Csv => true,
            Self::Isic => false,
        }
    }

    /// Whether `--top-k` can list further classes of an image. It cannot where each class has a column.
    pub(crate) fn ranks_classes(self) -> bool {
        match self {
            Self::Table | Self::Json | Self::Jsonl => true,
            Self::Csv | Self::Isic => false,
        }
    }
}

/// Writes results one after the other; holds at most a bounded number of them.
pub(crate) trait Sink {
    fn push(&mut self, record: Record<'_>) -> io::Result<()>;
    /// Writes what is left. To be called once, after the last result.
    fn finish(&mut self) -> io::Result<()>;
}

/// The writer of a format. `look` is that of a table. `coverage` is that of the results' prediction sets, if they have some.
/// `continued`: the output already has rows of the format.
///
/// # Errors
/// A sentence, if the model's labels do not fit the format.
pub(crate) fn sink<'w>(
    format: Format,
    look: Look,
    spec: &'w ModelSpec,
    coverage: Option<f32>,
    out: Box<dyn Write + 'w>,
    continued: bool,
) -> Result<Box<dyn Sink + 'w>, String> {
    Ok(match format {
        Format::Table => Box::new(table::TableSink::new(spec, coverage, out, look)),
        Format::Json => Box::new(json::Array::new(out)),
        Format::Jsonl => Box::new(json::Lines::new(out)),
        Format::Csv => Box::new(csv::CsvSink::new(spec, coverage.is_some(), out, continued)),
        Format::Isic => Box::new(isic::IsicSink::new(spec, out)?),
    })
}

fn codes<'a>(classes: &[usize], labels: &'a [Label]) -> impl Iterator<Item = &'a str> {
    classes.iter().map(|class| labels[*class].code.as_str())
}
