//! Tables for spreadsheets and programs.

use std::io::{self, Write};

use csv::{Terminator, Writer, WriterBuilder};

use super::{Cell, Column, Table};

/// Writes rows one by one and keeps none of them. The header is written with the first row or, if there is none, by
/// `finish`, so that a run that fails before its first row writes nothing.
pub(crate) struct Csv<W: Write> {
    writer: Writer<W>,
    has_header: bool,
}

impl<W: Write> Csv<W> {
    pub(crate) fn new(out: W) -> Self {
        Self { writer: Writer::from_writer(out), has_header: false }
    }

    /// Goes on below a header and rows that an earlier run wrote.
    pub(crate) fn continued(out: W) -> Self {
        Self { has_header: true, ..Self::new(out) }
    }

    /// Lines end in CR LF, as those of Python's `csv` do.
    pub(crate) fn with_python_lines(out: W) -> Self {
        let writer = WriterBuilder::new().terminator(Terminator::CRLF).from_writer(out);
        Self { writer, has_header: false }
    }

    pub(crate) fn write<T>(&mut self, table: &Table<'_, T>, row: &T) -> io::Result<()> {
        self.write_header(table)?;
        let cells = named(table).map(|(_, column)| (column.cell)(row).for_programs());
        self.writer.write_record(cells.collect::<Vec<_>>()).map_err(io_error)
    }

    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }

    /// To be called once, after the last row.
    pub(crate) fn finish<T>(&mut self, table: &Table<'_, T>) -> io::Result<()> {
        self.write_header(table)?;
        self.writer.flush()
    }

    fn write_header<T>(&mut self, table: &Table<'_, T>) -> io::Result<()> {
        if std::mem::replace(&mut self.has_header, true) {
            return Ok(());
        }
        self.writer.write_record(named(table).map(|(name, _)| name)).map_err(io_error)
    }
}

impl<T> Table<'_, T> {
    pub(crate) fn csv<'r, W: Write>(
        &self,
        mut csv: Csv<W>,
        rows: impl IntoIterator<Item = &'r T>,
    ) -> io::Result<()>
    where
        T: 'r,
    {
        rows.into_iter().try_for_each(|row| csv.write(self, row))?;
        csv.finish(self)
    }
}

impl Cell {
    fn for_programs(self) -> String {
        self.exact.unwrap_or(self.text)
    }
}

fn named<'t, 'a, T>(table: &'t Table<'a, T>) -> impl Iterator<Item = (&'t str, &'t Column<'a, T>)> {
    table.columns.iter().filter_map(|column| Some((column.csv.as_deref()?, column)))
}

/// The error behind one of `csv`, whose own conversion hides what kind it is: a closed pipe, say.
fn io_error(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        kind => io::Error::other(format!("{kind:?}")),
    }
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;

    use proptest::prelude::*;

    use super::*;

    type Row = (String, Option<f64>);

    fn table() -> Table<'static, Row> {
        Table::new([
            Column::name("for people", |row: &Row| row.0.clone()).csv("name"),
            Column::figure("shown", |_: &Row| "not in a file"),
            Column::figure("p95", |row: &Row| Cell::from("1.5").exactly(row.1)).csv("p95_ms"),
            Column::csv_only("more", |row: &Row| row.0.clone()),
        ])
    }

    fn written(rows: &[Row]) -> String {
        let mut out = Vec::new();
        table().csv(Csv::new(&mut out), rows).expect("memory takes all");
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn files_have_names_and_exact_figures() {
        let rows = [("a,b \"c\"".to_owned(), Some(1.4999)), ("d".to_owned(), None)];
        assert_eq!(written(&rows), "name,p95_ms,more\n\"a,b \"\"c\"\"\",1.4999,\"a,b \"\"c\"\"\"\nd,,d\n");
    }

    #[test]
    fn an_empty_table_is_its_header() {
        assert_eq!(written(&[]), "name,p95_ms,more\n");
        let mut out = Vec::new();
        table().csv(Csv::with_python_lines(&mut out), &[]).expect("memory takes all");
        assert_eq!(out, b"name,p95_ms,more\r\n");
    }

    #[test]
    fn nothing_is_written_before_a_row_or_the_end() {
        let mut out = Vec::new();
        drop(Csv::new(&mut out));
        assert!(out.is_empty());
    }

    #[test]
    fn a_closed_pipe_is_known_as_one() {
        struct Closed;
        impl Write for Closed {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let long = [("x".repeat(100_000), None)];
        let error = table().csv(Csv::new(Closed), &long).expect_err("nobody reads");
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
    }

    proptest! {
        #[test]
        fn what_is_written_can_be_read_back(text in "(?s).{0,40}") {
            let written = written(&[(text.clone(), None)]);
            let mut reader = csv::Reader::from_reader(written.as_bytes());
            let row = reader.records().next().expect("a row").expect("CSV");
            prop_assert_eq!(&row[0], text);
        }
    }
}
