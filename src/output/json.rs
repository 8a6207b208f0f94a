//! JSON: one array, or one object per line.

use std::io::{self, Write};

use serde::Serialize;

use super::{Record, Sink};

/// One document on several lines, for people too.
pub(crate) fn write_indented(mut out: &mut dyn Write, document: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut out, document)?;
    writeln!(out)
}

pub(super) struct Array<W> {
    out: W,
    empty: bool,
}

impl<W: Write> Array<W> {
    pub(super) fn new(out: W) -> Self {
        Self { out, empty: true }
    }
}

impl<W: Write> Sink for Array<W> {
    fn push(&mut self, record: Record<'_>) -> io::Result<()> {
        self.out.write_all(if self.empty { b"[\n" } else { b",\n" })?;
        self.empty = false;
        Ok(serde_json::to_writer(&mut self.out, &record)?)
    }

    fn finish(&mut self) -> io::Result<()> {
        self.out.write_all(if self.empty { b"[]\n" } else { b"\n]\n" })?;
        self.out.flush()
    }
}

pub(super) struct Lines<W> {
    out: W,
    line: Vec<u8>,
}

impl<W: Write> Lines<W> {
    pub(super) fn new(out: W) -> Self {
        Self { out, line: Vec::new() }
    }
}

impl<W: Write> Sink for Lines<W> {
    fn push(&mut self, record: Record<'_>) -> io::Result<()> {
        self.line.clear();
        serde_json::to_writer(&mut self.line, &record)?;
        self.line.push(b'\n');
        // In one piece, so that the last line is whole whenever the run ends.
        self.out.write_all(&self.line)?;
        self.out.flush()
    }

    fn finish(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
