//! The ISIC 2018 Task 3 submission: image name and seven scores in the challenge's order.
//! <https://challenge.isic-archive.com/landing/2018/47/>
//!
//! The challenge takes the largest value of a row as the class, so the values are the scores by which the
//! model's decision ranks: with `balanced-argmax` the probabilities if all classes were equally common.

use std::io::{self, Write};
use std::path::Path;

use skinclf::ModelSpec;

use super::{Record, Sink, io_error};

const COLUMNS: [&str; 7] = ["MEL", "NV", "BCC", "AKIEC", "BKL", "DF", "VASC"];

pub(super) struct Isic<W: Write> {
    writer: csv::Writer<W>,
    /// For each column, the index of its label.
    classes: [usize; 7],
    started: bool,
}

impl<W: Write> Isic<W> {
    pub(super) fn new(spec: &ModelSpec, out: W) -> Result<Self, String> {
        let mut classes = [0; 7];
        for (class, column) in classes.iter_mut().zip(COLUMNS) {
            let found = spec.labels.iter().position(|l| l.code.eq_ignore_ascii_case(column));
            *class = found.ok_or(format!("--format isic needs a class {column}, which this model lacks"))?;
        }
        Ok(Self { writer: csv::Writer::from_writer(out), classes, started: false })
    }

    fn write_header(&mut self) -> io::Result<()> {
        if !std::mem::replace(&mut self.started, true) {
            self.writer.write_record(["image"].iter().chain(&COLUMNS)).map_err(io_error)?;
        }
        Ok(())
    }
}

impl<W: Write> Sink for Isic<W> {
    fn push(&mut self, record: &Record<'_>) -> io::Result<()> {
        self.write_header()?;
        // A submission has no row for a failure; the caller has reported it.
        let Ok(prediction) = &record.outcome else {
            return Ok(());
        };
        let name = record.subject.name();
        let stem = Path::new(name).file_stem().map_or(name.into(), |s| s.to_string_lossy());
        let scores = self.classes.map(|class| prediction.scores[class].to_string());
        self.writer.write_record([stem.into_owned()].iter().chain(&scores)).map_err(io_error)
    }

    fn finish(&mut self) -> io::Result<()> {
        self.write_header()?;
        self.writer.flush()
    }
}
