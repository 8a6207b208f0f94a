//! Reads the file of an earlier run.

use std::io::{self, BufRead, Write};

use anyhow::{Context as _, bail};

use super::agreement::Expected;
use super::done::Done;
use super::layout::{Layout, Row};
use super::records::{Record, Records};
use crate::classify::heatmaps::Heatmaps;

#[derive(Default)]
pub(super) struct Scan {
    /// The images that need not be classified any more.
    pub(super) done: Done,
    /// Rows that are errors.
    pub(super) failed: u64,
    /// How many bytes the whole rows have.
    pub(super) length: u64,
    /// A row that is no error.
    pub(super) first_classified: Option<Vec<u8>>,
    pub(super) has_heatmaps: bool,
}

/// # Errors
/// When a line is not a row of this format, or shows that it is from another model or other options.
pub(super) fn scan(
    content: impl BufRead,
    layout: &Layout<'_>,
    expected: &Expected<'_>,
    mut heatmaps: Option<&mut Heatmaps>,
) -> anyhow::Result<Scan> {
    let mut found = Scan::default();
    for record in Records::new(content, layout.quotes()) {
        let record = record.context("cannot be resumed")?;
        let row = layout.row(&record).filter(|_| record.is_whole);
        match row {
            Some(row) => {
                expected.agrees(&row).with_context(|| format!("line {}", record.line))?;
                if let Some(heatmaps) = heatmaps.as_mut().filter(|_| row.error.is_none()) {
                    heatmaps.reserve(&row.path);
                }
                found.length += record.bytes.len() as u64;
                found.add(row, record, expected.retries);
            }
            None if layout.is_header(&record) => found.length += record.bytes.len() as u64,
            None if !record.is_whole && layout.may_begin_a_row(&record) => {}
            None if layout.is_header_of_others(&record) => {
                let (was, advice) =
                    if layout.has_sets() { ("without", "remove it") } else { ("with", "use it again") };
                bail!("written {was} --coverage; {advice} or choose another file")
            }
            None => bail!(
                "line {} is not from --format {} with this model; choose another file, or remove --resume to replace this one",
                record.line,
                layout.format().name()
            ),
        }
    }
    Ok(found)
}

impl Scan {
    fn add(&mut self, row: Row, record: Record, retries: bool) {
        self.has_heatmaps |= row.has_heatmap;
        self.failed += u64::from(row.error.is_some());
        if row.error.is_none() && self.first_classified.is_none() {
            self.first_classified = Some(record.bytes);
        }
        if row.error.is_none() || !retries {
            self.done.add(&row.path);
        }
    }
}

/// Copies what is no error.
pub(super) fn copy_classified(
    content: &mut dyn BufRead,
    out: &mut dyn Write,
    layout: &Layout<'_>,
) -> io::Result<()> {
    for record in Records::new(content, layout.quotes()) {
        let record = record?;
        if layout.row(&record).is_none_or(|row| row.error.is_none()) {
            out.write_all(&record.bytes)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use skinclf::{Model, ModelSpec};

    use super::*;
    use crate::output::{self, Failure, Format, Subject};

    /// Rows as a run writes them.
    fn written(format: Format, paths: &[String], spec: &ModelSpec) -> Vec<Vec<u8>> {
        let layout = Layout::new(format, spec, None).expect("a format with rows");
        let header = layout.written(None).expect("memory takes all");
        let row = |path: &String| {
            let outcome = Err(Failure::new("decode_failed", format_args!("\"{path}\", it says")));
            let record =
                output::Record { subject: Subject::Path(path), outcome, spec, top_k: None, heatmap: None };
            layout.written(Some(record)).expect("memory takes all")
        };
        [header].into_iter().filter(|header| !header.is_empty()).chain(paths.iter().map(row)).collect()
    }

    fn scanned(text: &[u8], format: Format, spec: &ModelSpec) -> anyhow::Result<Scan> {
        let expected = Expected { sha256: &spec.sha256, ..Expected::default() };
        scan(text, &Layout::new(format, spec, None)?, &expected, None)
    }

    fn formats() -> impl Strategy<Value = Format> {
        prop_oneof![Just(Format::Jsonl), Just(Format::Csv)]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        /// Of a file that ends anywhere, the whole rows are kept, so that the rest makes it whole again.
        #[test]
        fn a_file_torn_at_any_byte_is_cut_after_its_last_whole_row(
            paths in prop::collection::vec("[aä,\"\\\\\r\n ]{1,5}", 1..5),
            format in formats(),
        ) {
            let model = Model::embedded();
            let rows = written(format, &paths, model.spec());
            let whole = rows.concat();
            for torn in 0..=whole.len() {
                let found = scanned(&whole[..torn], format, model.spec()).expect("a file of a run");
                let ends = rows.iter().scan(0, |end, row| { *end += row.len(); Some(*end) });
                let kept: Vec<_> = ends.take_while(|end| *end <= torn).collect();
                prop_assert_eq!(found.length, kept.last().copied().unwrap_or(0) as u64, "torn at {}", torn);
                let headers = rows.len() - paths.len();
                prop_assert_eq!(found.done.rows(), kept.len().saturating_sub(headers) as u64);
                prop_assert_eq!(found.failed, found.done.rows());
            }
        }

        /// Zeros are what a power cut can leave of rows that were not yet on the disk.
        #[test]
        fn zeros_at_the_end_are_cut_off(format in formats(), zeros in 1_usize..5000) {
            let model = Model::embedded();
            let whole = written(format, &["a.jpg".to_owned()], model.spec()).concat();
            let found = scanned(&[&*whole, &vec![0; zeros]].concat(), format, model.spec()).expect("a file of a run");
            prop_assert_eq!(found.length, whole.len() as u64);
        }

        #[test]
        fn no_file_is_a_reason_to_panic(bytes: Vec<u8>, format in formats()) {
            let _ = scanned(&bytes, format, Model::embedded().spec());
        }
    }

    #[test]
    fn a_file_of_another_kind_is_refused_with_the_line() {
        let model = Model::embedded();
        let good = |format| String::from_utf8(written(format, &["a".to_owned()], model.spec()).concat());
        let (lines, csv) = (good(Format::Jsonl).expect("UTF-8"), good(Format::Csv).expect("UTF-8"));
        for (text, format, line) in [
            ("a note", Format::Jsonl, 1),
            ("a note", Format::Csv, 1),
            ("[\n", Format::Jsonl, 1),
            ("{\"path\":\"a.jpg\"}\n", Format::Jsonl, 1),
            ("{\"path\":\"data\",\"items\":[1]}", Format::Jsonl, 1),
            (&csv, Format::Jsonl, 1),
            (&lines, Format::Csv, 1),
            (&format!("{lines}\n"), Format::Jsonl, 2),
            (&format!("{csv}a,b\n"), Format::Csv, 3),
            (&format!("{csv}\"a\n{}", csv.lines().last().expect("a row").to_owned() + "\n"), Format::Csv, 3),
            (&format!("{lines}\0\0\n{lines}"), Format::Jsonl, 2),
            (&csv.replacen("nv", "naevus", 1), Format::Csv, 1),
        ] {
            let error = scanned(text.as_bytes(), format, model.spec()).err().expect(text);
            assert!(error.to_string().starts_with(&format!("line {line} is not from")), "{text:?}: {error}");
        }
    }

    #[test]
    fn errors_are_left_out_byte_by_byte() {
        let model = Model::embedded();
        for format in [Format::Jsonl, Format::Csv] {
            let layout = Layout::new(format, model.spec(), None).expect("a format with rows");
            let header = layout.written(None).expect("memory takes all");
            let failed = written(format, &["a\n".to_owned(), "b".to_owned()], model.spec()).concat();
            let mut kept = Vec::new();
            copy_classified(&mut &*failed, &mut kept, &layout).expect("memory can be read");
            assert_eq!(kept, header, "{format:?}");
        }
    }
}
