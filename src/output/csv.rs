//! CSV: one row per image, one column per class, and two columns for errors at the end.

use std::io::{self, Write};

use skinclf::ModelSpec;

use super::{Record, Sink, io_error};

pub(super) struct Csv<W: Write> {
    writer: csv::Writer<W>,
    header: Option<Vec<String>>,
}

impl<W: Write> Csv<W> {
    pub(super) fn new(spec: &ModelSpec, out: W) -> Self {
        let codes = spec.labels.iter().map(|l| l.code.as_str());
        let header = ["path", "class_name", "label", "confidence", "malignant_probability"]
            .into_iter()
            .chain(codes)
            .chain(["width", "height", "flagged", "usable", "reasons", "error_code", "error_message"]);
        Self { writer: csv::Writer::from_writer(out), header: Some(header.map(str::to_owned).collect()) }
    }

    fn write_header(&mut self) -> io::Result<()> {
        self.header.take().map_or(Ok(()), |header| self.writer.write_record(header).map_err(io_error))
    }
}

impl<W: Write> Sink for Csv<W> {
    fn push(&mut self, record: &Record<'_>) -> io::Result<()> {
        self.write_header()?;
        let labels = &record.spec.labels;
        let mut row = vec![record.subject.name().to_owned()];
        match &record.outcome {
            Ok(prediction) => {
                let label = &labels[prediction.class];
                row.extend([label.code.clone(), label.name.clone()]);
                row.push(prediction.confidence().to_string());
                row.push(prediction.malignant_probability.to_string());
                row.extend(prediction.probabilities.iter().map(ToString::to_string));
                row.extend([prediction.width.to_string(), prediction.height.to_string()]);
                row.push(prediction.flagged.map_or(String::new(), |flagged| flagged.to_string()));
                row.push(prediction.is_usable().to_string());
                let reasons: Vec<_> = prediction.reasons.iter().map(|reason| reason.code()).collect();
                row.push(reasons.join(" "));
                row.extend([String::new(), String::new()]);
            }
            Err(failure) => {
                row.resize(row.len() + 4 + labels.len() + 5, String::new());
                row.extend([failure.code.to_owned(), failure.message.clone()]);
            }
        }
        self.writer.write_record(row).map_err(io_error)
    }

    fn finish(&mut self) -> io::Result<()> {
        self.write_header()?;
        self.writer.flush()
    }
}
