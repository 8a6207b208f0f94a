//! What the rows of a format look like, to read them back.

use std::io;

use csv::{ReaderBuilder, StringRecord, Terminator};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Map, Value};
use skinclf::ModelSpec;

use super::records::Record;
use crate::output::{self, Format};
use crate::process::terminal::Look;

/// Each line of JSON begins so.
const START: &[u8] = br#"{"path":""#;

pub(super) struct Layout<'s> {
    format: Format,
    spec: &'s ModelSpec,
    /// Of the prediction sets.
    coverage: Option<f32>,
    /// Of CSV: the names of the columns, and the line that has them.
    columns: Vec<String>,
    header: Vec<u8>,
}

/// A row, as far as it shows what a later run must know.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Row {
    pub(super) path: String,
    /// The code of a row that is an error.
    pub(super) error: Option<String>,
    pub(super) is_unusable: bool,
    /// The model, which only rows of JSON name.
    pub(super) sha256: Option<String>,
    /// How many of the best classes it lists.
    pub(super) top_k: Option<usize>,
    /// Of its prediction set.
    pub(super) coverage: Option<f32>,
    /// The class shares that it is for, which only rows of JSON name.
    pub(super) prior: Option<Map<String, Value>>,
    pub(super) has_heatmap: bool,
}

impl<'s> Layout<'s> {
    pub(super) fn new(format: Format, spec: &'s ModelSpec, coverage: Option<f32>) -> anyhow::Result<Self> {
        let mut layout = Self { format, spec, coverage, columns: Vec::new(), header: Vec::new() };
        if format == Format::Csv {
            layout.header = layout.written(None)?;
            let columns = cells(&layout.header).unwrap_or_default();
            layout.columns = columns.iter().map(str::to_owned).collect();
        }
        Ok(layout)
    }

    pub(super) fn format(&self) -> Format {
        self.format
    }

    /// Whether fields can be in quotes, and have line breaks there.
    pub(super) fn quotes(&self) -> bool {
        self.format == Format::Csv
    }

    /// Whether this line names the columns, as the first one of CSV must.
    pub(super) fn is_header(&self, record: &Record) -> bool {
        self.quotes() && record.line == 1 && record.bytes == self.header
    }

    pub(super) fn has_sets(&self) -> bool {
        self.coverage.is_some()
    }

    /// Whether this line names the columns of a run with prediction sets, where this one has none, or the other way round.
    pub(super) fn is_header_of_others(&self, record: &Record) -> bool {
        let coverage = if self.has_sets() { None } else { Some(0.5) };
        let others = Self::new(self.format, self.spec, coverage);
        others.is_ok_and(|others| others.is_header(record))
    }

    /// Whether a last row without an end can be the beginning of one of this format, or the zeros that some file systems
    /// leave after a power cut.
    pub(super) fn may_begin_a_row(&self, record: &Record) -> bool {
        let bytes = &*record.bytes;
        let begins = match (self.quotes(), record.line) {
            (true, 1) => self.header.starts_with(bytes),
            // A quote too many in a damaged row takes the rows below it for a part of it.
            (true, _) => !lines(bytes).skip(1).any(|line| self.row_of_csv(line).is_some()),
            // What is complete lost its line break alone, if it is a row.
            (false, _) if serde_json::from_slice::<IgnoredAny>(bytes).is_ok() => self.row(record).is_some(),
            (false, _) => START.starts_with(&bytes[..bytes.len().min(START.len())]),
        };
        begins || bytes.iter().all(|byte| *byte == 0)
    }

    /// `None` for what is not a row of this format.
    pub(super) fn row(&self, record: &Record) -> Option<Row> {
        match self.quotes() {
            true if record.line == 1 => None,
            true => self.row_of_csv(&record.bytes),
            false => serde_json::from_slice::<Line>(&record.bytes).ok()?.row(),
        }
    }

    /// The row with all that it has, by name.
    pub(super) fn fields(&self, row: &[u8]) -> Option<Map<String, Value>> {
        if !self.quotes() {
            return serde_json::from_slice(row).ok();
        }
        let cells = cells(row)?;
        let value = |name: &str, cell: &str| match cell.parse::<f64>() {
            Ok(number) if name != "path" => Value::from(number),
            _ => Value::from(cell),
        };
        let columns = self.columns.iter().zip(cells.iter());
        Some(columns.map(|(name, cell)| (name.clone(), value(name, cell))).collect())
    }

    /// A row as this run would write it; without one, what stands above the first.
    pub(super) fn written(&self, record: Option<output::Record<'_>>) -> anyhow::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let continued = record.is_some();
        let mut sink = output::sink(
            self.format,
            Look::of_output(false),
            self.spec,
            self.coverage,
            Box::new(&mut bytes),
            continued,
        )
        .map_err(io::Error::other)?;
        record.map_or(Ok(()), |record| sink.push(record))?;
        sink.finish()?;
        drop(sink);
        Ok(bytes)
    }

    fn row_of_csv(&self, bytes: &[u8]) -> Option<Row> {
        let cells = cells(bytes).filter(|cells| cells.len() == self.columns.len())?;
        // A class may be called as one of the columns around those of the classes.
        let first = |name: &str| cells.get(self.columns.iter().position(|column| column == name)?);
        let last = |name: &str| cells.get(self.columns.iter().rposition(|column| column == name)?);
        let (class, error) = (first("class_name")?, last("error_code")?);
        (class.is_empty() != error.is_empty()).then(|| Row {
            path: first("path").unwrap_or_default().to_owned(),
            error: (!error.is_empty()).then(|| error.to_owned()),
            is_unusable: last("usable") == Some("false"),
            // Without sets, it could only be the column of a class.
            coverage: last("coverage").filter(|_| self.has_sets()).and_then(|text| text.parse().ok()),
            ..Row::default()
        })
    }
}

/// Those that are whole.
fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\n"))
}

fn cells(row: &[u8]) -> Option<StringRecord> {
    let mut reader = ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .terminator(Terminator::Any(b'\n'))
        .from_reader(row);
    reader.records().next()?.ok()
}

/// A line of JSON.
#[derive(Deserialize)]
struct Line {
    path: String,
    error: Option<Code>,
    class_name: Option<IgnoredAny>,
    usable: Option<bool>,
    model: Option<Model>,
    top_k: Option<Vec<IgnoredAny>>,
    coverage: Option<f32>,
    prior: Option<Map<String, Value>>,
    heatmap_file: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Code {
    code: String,
}

#[derive(Deserialize)]
struct Model {
    sha256: String,
}

impl Line {
    fn row(self) -> Option<Row> {
        (self.error.is_some() != self.class_name.is_some()).then(|| Row {
            path: self.path,
            error: self.error.map(|error| error.code),
            is_unusable: self.usable == Some(false),
            sha256: self.model.map(|model| model.sha256),
            top_k: self.top_k.map(|classes| classes.len()),
            coverage: self.coverage,
            prior: self.prior,
            has_heatmap: self.heatmap_file.is_some(),
        })
    }
}
