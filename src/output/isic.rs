//! The ISIC 2018 Task 3 submission: image name and seven scores in the challenge's order.
//! <https://challenge.isic-archive.com/landing/2018/47/>
//!
//! The challenge takes the largest value of a row as the class, so the values are the scores by which the
//! model's decision ranks: with `balanced-argmax` the probabilities if all classes were equally common.

use std::io::{self, Write};
use std::path::Path;

use skinclf::ModelSpec;

use super::{Record, Sink};
use crate::table::{Cell, Column, Csv, Table};

const CODES: [&str; 7] = ["MEL", "NV", "BCC", "AKIEC", "BKL", "DF", "VASC"];

pub(super) struct IsicSink<W: Write> {
    csv: Csv<W>,
    table: Table<'static, Row>,
}

struct Row {
    image: String,
    /// By class of the model.
    scores: Vec<f32>,
}

impl<W: Write> IsicSink<W> {
    pub(super) fn new(spec: &ModelSpec, out: W) -> Result<Self, String> {
        let mut columns = vec![Column::csv_only("image", |row: &Row| row.image.clone())];
        for code in CODES {
            let class = spec.labels.iter().position(|l| l.code.eq_ignore_ascii_case(code));
            let class = class.ok_or(format!("--format isic needs a class {code}, which this model lacks"))?;
            columns.push(Column::csv_only(code, move |row: &Row| Cell::number(row.scores[class])));
        }
        Ok(Self { csv: Csv::new(out), table: Table::new(columns) })
    }
}

impl<W: Write> Sink for IsicSink<W> {
    fn push(&mut self, record: Record<'_>) -> io::Result<()> {
        // A submission has no row for a failure; the caller has reported it.
        let Ok(prediction) = record.outcome else {
            return Ok(());
        };
        let name = record.subject.name();
        let image = Path::new(name).file_stem().map_or(name.into(), |stem| stem.to_string_lossy());
        self.csv.write(&self.table, &Row { image: image.into_owned(), scores: prediction.scores })
    }

    fn finish(&mut self) -> io::Result<()> {
        self.csv.finish(&self.table)
    }
}
