//! The table for people.

use std::io::{self, Write};

use comfy_table::{Attribute, Cell, CellAlignment, Color, ContentArrangement};
use skinclf::{Group, ModelSpec, Prediction};

use super::{Record, Sink};
use crate::terminal::{self, printable};

pub(crate) const NOTICE: &str =
    "Research software, not a medical device: this is not a diagnosis. See a doctor about a skin change.";

/// Rows to a table: a long run prints several, so that memory stays bounded.
const ROWS: usize = 1000;

pub(super) struct Table<'s, W> {
    spec: &'s ModelSpec,
    out: W,
    colored: bool,
    terminal: bool,
    rows: Vec<Vec<Cell>>,
    any: bool,
    any_flagged: bool,
}

impl<'s, W: Write> Table<'s, W> {
    pub(super) fn new(spec: &'s ModelSpec, out: W, colored: bool, terminal: bool) -> Self {
        Self { spec, out, colored, terminal, rows: Vec::new(), any: false, any_flagged: false }
    }

    fn paint(&self, cell: Cell, color: Color) -> Cell {
        if self.colored { cell.fg(color) } else { cell }
    }

    fn row(&mut self, name: Cell, record: &Record<'_>, prediction: &Prediction) -> Vec<Cell> {
        let shown: Vec<_> = record.ranked(prediction).into_iter().take(record.top_k.unwrap_or(1)).collect();
        let lines =
            |of: &dyn Fn(&(usize, f32)) -> String| shown.iter().map(of).collect::<Vec<_>>().join("\n");
        let mut class = lines(&|(class, _)| {
            let label = &self.spec.labels[*class];
            format!("{} ({})", label.name, label.code)
        });
        let mut color = match self.spec.labels[prediction.class].group {
            Group::Malignant => Color::Red,
            Group::Benign => Color::Green,
        };
        if !prediction.is_usable() {
            let reasons: Vec<_> = prediction.reasons.iter().map(|reason| reason.words()).collect();
            class = format!("{class}\nnot usable: {}", reasons.join(", "));
            color = Color::Yellow;
        }
        let malignant = self.spec.malignant_probability(&prediction.probabilities);
        let flagged = self.spec.is_flagged(malignant) == Some(true);
        self.any_flagged |= flagged;
        let mark = if flagged { " flagged" } else { "" };
        let malignant = Cell::new(format!("{}{mark}", percent(malignant)));
        let malignant = if flagged { self.paint(malignant, Color::Red) } else { malignant };
        vec![name, self.paint(Cell::new(class), color), Cell::new(lines(&|(_, p)| percent(*p))), malignant]
    }

    fn write_rows(&mut self) -> io::Result<()> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let mut table = terminal::table(self.colored);
        let dynamic = if self.terminal { ContentArrangement::Dynamic } else { ContentArrangement::Disabled };
        table.set_content_arrangement(dynamic);
        let header = ["image", "class", "probability", "malignant"].map(|title| {
            let cell = Cell::new(title);
            if self.colored { cell.add_attribute(Attribute::Bold) } else { cell }
        });
        table.set_header(header);
        table.add_rows(self.rows.drain(..));
        for column in 2..4 {
            table.column_mut(column).expect("four columns").set_cell_alignment(CellAlignment::Right);
        }
        writeln!(self.out, "{table}")
    }
}

impl<W: Write> Sink for Table<'_, W> {
    fn push(&mut self, record: &Record<'_>) -> io::Result<()> {
        let name = Cell::new(printable(record.subject.name()));
        let row = match &record.outcome {
            Ok((prediction, _)) => self.row(name, record, prediction),
            Err(failure) => {
                let message = format!("error: {}", failure.message);
                vec![
                    name,
                    self.paint(Cell::new(printable(&message)), Color::Yellow),
                    Cell::new(""),
                    Cell::new(""),
                ]
            }
        };
        self.rows.push(row);
        self.any = true;
        if self.rows.len() == ROWS { self.write_rows() } else { Ok(()) }
    }

    fn finish(&mut self) -> io::Result<()> {
        self.write_rows()?;
        if let Some(threshold) = self.spec.malignancy_threshold.filter(|_| self.any_flagged) {
            let threshold = percent(threshold);
            writeln!(
                self.out,
                "flagged: a malignant probability of at least {threshold}, as 95 % of malignant lesions have that the model had not seen"
            )?;
        }
        if self.any {
            writeln!(self.out, "{NOTICE}")?;
        }
        self.out.flush()
    }
}

fn percent(p: f32) -> String {
    format!("{:.1} %", p * 100.0)
}
