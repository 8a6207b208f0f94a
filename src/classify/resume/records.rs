//! The rows of a file as bytes.

use std::io::{self, BufRead, ErrorKind, Read as _};

/// Far more than a row has: a file without line breaks is not a file of results.
const LONGEST: u64 = 1 << 20;

/// One row with the line break that ends it.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) bytes: Vec<u8>,
    /// Number of its first line, from 1.
    pub(super) line: u64,
    /// Whether its end is there. Only the last row can be torn.
    pub(super) is_whole: bool,
}

/// Rows end in line breaks, which are also in the quoted fields of CSV.
pub(super) struct Records<R> {
    reader: R,
    quotes: bool,
    line: u64,
}

impl<R: BufRead> Records<R> {
    pub(super) fn new(reader: R, quotes: bool) -> Self {
        Self { reader, quotes, line: 1 }
    }

    fn read(&mut self) -> io::Result<Record> {
        let mut record = Record { bytes: Vec::new(), line: self.line, is_whole: false };
        let mut within_quotes = false;
        while !record.is_whole {
            let known = record.bytes.len();
            let room = LONGEST.saturating_sub(known as u64);
            if self.reader.by_ref().take(room).read_until(b'\n', &mut record.bytes)? == 0 && room > 0 {
                break;
            }
            let line = &record.bytes[known..];
            let ended = line.ends_with(b"\n");
            if !ended && record.bytes.len() as u64 >= LONGEST {
                let what = format!("the row that begins in line {} is too long for a result", record.line);
                return Err(io::Error::new(ErrorKind::InvalidData, what));
            }
            // A quote within quotes is doubled.
            within_quotes ^= self.quotes && line.iter().filter(|byte| **byte == b'"').count() % 2 == 1;
            self.line += u64::from(ended);
            record.is_whole = ended && !within_quotes;
        }
        Ok(record)
    }
}

impl<R: BufRead> Iterator for Records<R> {
    type Item = io::Result<Record>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read().map(|record| (!record.bytes.is_empty()).then_some(record)).transpose()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn records(text: &[u8], quotes: bool) -> Vec<(String, u64, bool)> {
        let records = Records::new(text, quotes).map(|record| record.expect("memory can be read"));
        let shown = |r: Record| (String::from_utf8_lossy(&r.bytes).into_owned(), r.line, r.is_whole);
        records.map(shown).collect()
    }

    #[test]
    fn rows_of_csv_can_have_line_breaks_in_quotes() {
        let text = b"a,\"b\nc\"\n\"\"\"\n\",d\ne";
        let row = |text: &str, line, whole| (text.to_owned(), line, whole);
        let wanted = [row("a,\"b\nc\"\n", 1, true), row("\"\"\"\n\",d\n", 3, true), row("e", 5, false)];
        assert_eq!(records(text, true), wanted);
        assert_eq!(records(text, false).len(), 5);
        assert_eq!(records(b"\"a\n", true), [row("\"a\n", 1, false)]);
        assert!(records(b"", true).is_empty());
    }

    #[test]
    fn a_file_without_line_breaks_is_not_read_whole() {
        let endless = io::BufReader::new(io::repeat(b'x'));
        let error = Records::new(endless, true).next().expect("a row").expect_err("it is too long");
        assert!(error.to_string().contains("line 1 is too long"), "{error}");
    }

    proptest! {
        #[test]
        fn rows_put_together_are_the_file(text in "[a\"\n]{0,60}", quotes: bool) {
            let records = records(text.as_bytes(), quotes);
            prop_assert_eq!(records.iter().map(|(text, ..)| text.as_str()).collect::<String>(), text);
            prop_assert!(records.iter().rev().skip(1).all(|(.., whole)| *whole));
        }
    }
}
