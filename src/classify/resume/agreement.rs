//! Whether the rows of a file are those that this run would write.

use std::path::PathBuf;

use anyhow::{bail, ensure};
use serde_json::{Map, Value};
use skinclf::{Classifier, Coverage, ModelSpec, Options};

use super::layout::{Layout, Row};
use crate::classify::inputs::{Input, is_stdin};
use crate::classify::worker;
use crate::cli::ClassifyArgs;
use crate::output::{Record, Subject};

/// What the rows of this run show of its model and options.
#[derive(Default)]
pub(super) struct Expected<'a> {
    pub(super) sha256: &'a str,
    pub(super) top_k: Option<usize>,
    pub(super) coverage: Option<f32>,
    /// The share of each class by its code, with `--prior`.
    pub(super) prior: Option<Vec<(&'a str, f32)>>,
    pub(super) strict: bool,
    pub(super) heatmap: bool,
    /// Whether rows that are errors are classified again.
    pub(super) retries: bool,
}

impl<'a> Expected<'a> {
    pub(super) fn new(args: &ClassifyArgs, options: &Options, spec: &'a ModelSpec) -> Self {
        let codes = || spec.labels.iter().map(|label| &*label.code);
        Self {
            sha256: &spec.sha256,
            top_k: args.top_k.map(|k| k.get().min(spec.labels.len())),
            coverage: options.coverage.map(Coverage::share),
            prior: options.prior.as_ref().map(|prior| codes().zip(prior.shares().iter().copied()).collect()),
            strict: args.strict,
            heatmap: args.heatmap.is_some(),
            retries: args.retry_failed,
        }
    }

    /// # Errors
    /// With what the row shows to differ.
    pub(super) fn agrees(&self, row: &Row) -> anyhow::Result<()> {
        if let Some(code) = &row.error {
            let would_be_done = code == "unusable" && !self.strict && !self.retries;
            ensure!(!would_be_done, "written with --strict; use it again or choose another file");
            return Ok(());
        }
        if let Some(sha256) = row.sha256.as_deref().filter(|sha256| *sha256 != self.sha256) {
            bail!(
                "from another model (sha256 {sha256}, not {}); use that model again or choose another file",
                self.sha256
            );
        }
        ensure!(
            !(row.is_unusable && self.strict),
            "written without --strict; remove it or choose another file"
        );
        ensure!(
            !row.has_heatmap || self.heatmap,
            "written with --heatmap; use it again or choose another file"
        );
        match row.coverage {
            coverage if coverage == self.coverage => {}
            Some(coverage) => {
                bail!("written with --coverage {coverage}; use it again or choose another file")
            }
            None => bail!("written without --coverage; remove it or choose another file"),
        }
        // Rows of CSV show no shares.
        match (&row.prior, &self.prior) {
            (Some(_), None) => bail!("written with --prior; use it again or choose another file"),
            (None, Some(_)) if row.sha256.is_some() => {
                bail!("written without --prior; remove it or choose another file")
            }
            (Some(was), Some(is)) => {
                let share = |code: &str| was.get(code).and_then(Value::as_f64).map(|share| share as f32);
                let same = is.iter().all(|(code, is)| share(code) == Some(*is));
                ensure!(same, "written with other shares of --prior; use those again or choose another file");
            }
            _ => {}
        }
        match row.top_k {
            top_k if top_k == self.top_k => Ok(()),
            Some(top_k) => bail!("written with --top-k {top_k}; use it again or choose another file"),
            None => bail!("written without --top-k; remove it or choose another file"),
        }
    }
}

/// Classifies the image of a row again and compares. `false` if the image cannot be read.
///
/// # Errors
/// With the first field that differs.
pub(super) fn check(
    row: &[u8],
    layout: &Layout<'_>,
    args: &ClassifyArgs,
    options: &Options,
    classifier: &Classifier,
) -> anyhow::Result<bool> {
    let Some(earlier) = layout.fields(row) else { return Ok(false) };
    let path = earlier.get("path").and_then(Value::as_str).map(PathBuf::from).unwrap_or_default();
    if is_stdin(&path) {
        return Ok(false);
    }
    // A heatmap is not drawn again.
    let options = Options { explain: false, ..options.clone() };
    let now = worker::classify(classifier, &options, args.max_file, Input::File(path));
    if now.outcome.as_ref().is_err_and(|failure| ["read_failed", "file_too_large"].contains(&failure.code)) {
        return Ok(false);
    }
    let record = Record {
        subject: Subject::Path(&now.name),
        outcome: now.outcome,
        spec: classifier.spec(),
        top_k: args.top_k.map(usize::from),
        heatmap: None,
    };
    let written = layout.fields(&layout.written(Some(record))?).unwrap_or_default();
    if let Some((field, was, is)) = difference(&earlier, &written) {
        bail!(
            "{} is classified differently now: {field} is {is}, not {was}; use the image, model and options (such as --tta \
             or --prior) of the earlier run, or choose another file",
            now.name
        );
    }
    Ok(true)
}

/// Fields that differ from run to run, and one of files that are written beside the row.
const VARYING: [&str; 3] = ["inference_time", "timings_ms", "heatmap_file"];

/// Kernels of other processors round otherwise, by far less than this.
const TOLERANCE: f64 = 1e-4;

/// The first field that differs, with its two values.
fn difference(earlier: &Map<String, Value>, now: &Map<String, Value>) -> Option<(String, Value, Value)> {
    let fields = earlier.keys().chain(now.keys().filter(|name| !earlier.contains_key(*name)));
    let mut compared = fields.filter(|name| !VARYING.contains(&name.as_str())).map(|name| {
        let value = |row: &Map<String, Value>| row.get(name).cloned().unwrap_or_default();
        (name.clone(), value(earlier), value(now))
    });
    compared.find(|(_, earlier, now)| !is_close(earlier, now))
}

fn is_close(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Object(a), Value::Object(b)) => difference(a, b).is_none(),
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| is_close(a, b))
        }
        _ => match (a.as_f64(), b.as_f64()) {
            (Some(a), Some(b)) => (a - b).abs() <= TOLERANCE * a.abs().max(1.0),
            _ => a == b,
        },
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn rounding_and_timings_are_no_difference() {
        let map = |value: &Value| value.as_object().cloned().expect("an object");
        let row = json!({"path": "a", "width": 600, "p": {"mel": 0.5}, "top_k": [{"p": 0.5}], "timings_ms": {"decode": 1}});
        let differing = |other: &Value| difference(&map(&row), &map(other)).map(|(name, ..)| name);
        let changed = |name: &str, value: Value| {
            let mut other = row.clone();
            other[name] = value;
            differing(&other)
        };
        assert_eq!(differing(&row), None);
        for (name, value) in [
            ("timings_ms", json!({"decode": 2})),
            ("heatmap_file", json!("a.png")),
            ("p", json!({"mel": 0.50001})),
            ("top_k", json!([{"p": 0.49999}])),
        ] {
            assert_eq!(changed(name, value), None, "{name}");
        }
        for (name, value) in [
            ("path", json!("b")),
            ("width", json!(601)),
            ("p", json!({"mel": 0.501})),
            ("p", json!({"mel": 0.5, "nv": 0.5})),
            ("top_k", json!([])),
            ("flagged", json!(true)),
        ] {
            assert_eq!(changed(name, value).as_deref(), Some(name));
        }
    }

    #[test]
    fn a_row_shows_the_options_that_it_can() {
        let expected = |change: fn(&mut Expected<'_>)| {
            let mut expected = Expected { sha256: "ab", ..Expected::default() };
            change(&mut expected);
            expected
        };
        let done = || Row { path: "a".to_owned(), sha256: Some("ab".to_owned()), ..Row::default() };
        let with_prior = |share: f64| Row { prior: json!({ "mel": share }).as_object().cloned(), ..done() };
        let failed =
            |code: &str| Row { path: "a".to_owned(), error: Some(code.to_owned()), ..Row::default() };
        for (row, expected, word) in [
            (done(), expected(|_| ()), None),
            (done(), expected(|e| e.strict = true), None),
            (done(), expected(|e| e.heatmap = true), None),
            (done(), expected(|e| e.sha256 = "cd"), Some("another model")),
            (done(), expected(|e| e.top_k = Some(3)), Some("without --top-k")),
            (Row { top_k: Some(3), ..done() }, expected(|e| e.top_k = Some(2)), Some("with --top-k 3")),
            (Row { top_k: Some(3), ..done() }, expected(|_| ()), Some("with --top-k 3")),
            (done(), expected(|e| e.coverage = Some(0.9)), Some("without --coverage")),
            (Row { coverage: Some(0.9), ..done() }, expected(|e| e.coverage = Some(0.9)), None),
            (
                Row { coverage: Some(0.9), ..done() },
                expected(|e| e.coverage = Some(0.8)),
                Some("with --coverage 0.9"),
            ),
            (Row { coverage: Some(0.9), ..done() }, expected(|_| ()), Some("with --coverage 0.9")),
            (with_prior(0.1), expected(|e| e.prior = Some(vec![("mel", 0.1)])), None),
            (
                with_prior(0.1),
                expected(|e| e.prior = Some(vec![("mel", 0.2)])),
                Some("other shares of --prior"),
            ),
            (with_prior(0.1), expected(|_| ()), Some("with --prior")),
            (done(), expected(|e| e.prior = Some(vec![("mel", 0.1)])), Some("without --prior")),
            (Row { sha256: None, ..done() }, expected(|e| e.prior = Some(vec![("mel", 0.1)])), None),
            (Row { is_unusable: true, ..done() }, expected(|e| e.strict = true), Some("without --strict")),
            (Row { has_heatmap: true, ..done() }, expected(|_| ()), Some("with --heatmap")),
            (failed("unusable"), expected(|_| ()), Some("with --strict")),
            (failed("unusable"), expected(|e| e.strict = true), None),
            (failed("unusable"), expected(|e| e.retries = true), None),
            (failed("read_failed"), expected(|e| e.top_k = Some(3)), None),
        ] {
            let refused = expected.agrees(&row).err().map(|error| error.to_string());
            assert_eq!(refused.is_some(), word.is_some(), "{row:?}: {refused:?}");
            assert!(refused.as_deref().unwrap_or_default().contains(word.unwrap_or_default()), "{refused:?}");
        }
    }
}
