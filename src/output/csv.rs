//! CSV: one row per image, one column per class, two for the prediction set if one is asked for, and two for errors at the
//! end.

use std::io::{self, Write};

use skinclf::{Label, ModelSpec, Prediction};

use super::{Failure, Outcome, Record, Sink};
use crate::table::{Cell, Column, Csv, Table};

pub(super) struct CsvSink<'s, W: Write> {
    csv: Csv<W>,
    table: Table<'s, Row>,
}

struct Row {
    path: String,
    outcome: Outcome,
}

impl<'s, W: Write> CsvSink<'s, W> {
    pub(super) fn new(spec: &'s ModelSpec, with_sets: bool, out: W, continued: bool) -> Self {
        let csv = if continued { Csv::continued(out) } else { Csv::new(out) };
        Self { csv, table: columns(spec, with_sets) }
    }
}

impl<W: Write> Sink for CsvSink<'_, W> {
    fn push(&mut self, record: Record<'_>) -> io::Result<()> {
        let path = record.subject.name().to_owned();
        self.csv.write(&self.table, &Row { path, outcome: record.outcome })?;
        // A run that is killed leaves whole rows to the run that resumes it.
        self.csv.flush()
    }

    fn finish(&mut self) -> io::Result<()> {
        self.csv.finish(&self.table)
    }
}

fn columns<'s>(spec: &'s ModelSpec, with_sets: bool) -> Table<'s, Row> {
    let label = |p: &Prediction| &spec.labels[p.class];
    let first = [
        Column::csv_only("path", |row: &Row| row.path.clone()),
        of_prediction("class_name", move |p| Cell::from(&*label(p).code)),
        of_prediction("label", move |p| Cell::from(&*label(p).name)),
        of_prediction("confidence", |p| Cell::number(p.confidence())),
        of_prediction("malignant_probability", |p| Cell::number(p.malignant_probability)),
    ];
    let probability = |(class, label): (usize, &'s Label)| {
        of_prediction(&label.code, move |p| Cell::number(p.probabilities[class]))
    };
    let last = [
        of_prediction("width", |p| Cell::number(p.width)),
        of_prediction("height", |p| Cell::number(p.height)),
        of_prediction("flagged", |p| p.flagged.map_or(Cell::default(), Cell::number)),
        of_prediction("usable", |p| Cell::number(p.is_usable())),
        of_prediction("reasons", reasons),
    ];
    let set = [
        of_prediction("prediction_set", move |p| {
            let codes = p.set.iter().flat_map(|set| super::codes(&set.classes, &spec.labels));
            codes.collect::<Vec<_>>().join(" ").into()
        }),
        of_prediction("coverage", |p| {
            p.set.as_ref().map_or(Cell::default(), |set| Cell::number(set.coverage))
        }),
    ];
    let set = set.into_iter().filter(|_| with_sets);
    let errors = [
        of_failure("error_code", |failure| failure.code.into()),
        of_failure("error_message", |failure| failure.message.clone().into()),
    ];
    let classes = spec.labels.iter().enumerate().map(probability);
    Table::new(first.into_iter().chain(classes).chain(last).chain(set).chain(errors))
}

/// Empty for an image that could not be classified.
fn of_prediction<'a>(name: &'a str, cell: impl Fn(&Prediction) -> Cell + 'a) -> Column<'a, Row> {
    Column::csv_only(name, move |row: &Row| row.outcome.as_ref().map_or(Cell::default(), &cell))
}

fn of_failure<'a>(name: &'a str, cell: impl Fn(&Failure) -> Cell + 'a) -> Column<'a, Row> {
    Column::csv_only(name, move |row: &Row| row.outcome.as_ref().err().map_or(Cell::default(), &cell))
}

fn reasons(prediction: &Prediction) -> Cell {
    let codes: Vec<_> = prediction.reasons.iter().map(|reason| reason.code()).collect();
    codes.join(" ").into()
}
