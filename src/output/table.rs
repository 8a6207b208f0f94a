//! The table for people.

use std::io::{self, Write};

use comfy_table::{Attribute, Cell, CellAlignment, Color, ContentArrangement};
use skinclf::{Group, ModelSpec};

use super::{Record, Sink};
use crate::terminal;

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
}

impl<'s, W: Write> Table<'s, W> {
    pub(super) fn new(spec: &'s ModelSpec, out: W, colored: bool, terminal: bool) -> Self {
        Self { spec, out, colored, terminal, rows: Vec::new(), any: false }
    }

    fn paint(&self, cell: Cell, color: Color) -> Cell {
        if self.colored { cell.fg(color) } else { cell }
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
            Ok((prediction, _)) => {
                let malignant = self.spec.malignant_probability(&prediction.probabilities);
                let shown: Vec<_> =
                    record.ranked(prediction).into_iter().take(record.top_k.unwrap_or(1)).collect();
                let lines = |of: &dyn Fn(&(usize, f32)) -> String| {
                    shown.iter().map(of).collect::<Vec<_>>().join("\n")
                };
                let class = Cell::new(lines(&|(class, _)| {
                    let label = &self.spec.labels[*class];
                    format!("{} ({})", label.name, label.code)
                }));
                let color = match self.spec.labels[prediction.class].group {
                    Group::Malignant => Color::Red,
                    Group::Benign => Color::Green,
                };
                vec![
                    name,
                    self.paint(class, color),
                    Cell::new(lines(&|(_, p)| percent(*p))),
                    Cell::new(percent(malignant)),
                ]
            }
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
        if self.any {
            writeln!(self.out, "{NOTICE}")?;
        }
        self.out.flush()
    }
}

fn percent(p: f32) -> String {
    format!("{:.1} %", p * 100.0)
}

/// A file's name may hold control characters that would steer the terminal.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{FFFD}' } else { c }).collect()
}
