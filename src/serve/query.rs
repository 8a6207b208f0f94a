//! The query of a prediction: `name=true` or `name=false` in any of their spellings and `coverage=0.9`, joined by `&`, and
//! nothing else.

use skinclf::{Coverage, ModelSpec, Options};

use super::error::{ApiError, ErrorCode};
use crate::cli::share;

pub(super) const PREDICT: &[&str] = &["coverage", "heatmap", "strict", "tta"];

/// What `/predict/batch` takes: heatmaps of 256 images would make an answer of more than 20 MB.
pub(super) const PREDICT_BATCH: &[&str] = &["coverage", "strict", "tta"];

/// Parameters that the query does not name are off. The coverage must be one of the model's.
pub(super) fn options(query: &str, allowed: &[&str], spec: &ModelSpec) -> Result<Options, ApiError> {
    let bad = |detail: String| ApiError::new(ErrorCode::BadQuery, detail);
    let mut options = Options::default();
    let mut seen = Vec::new();
    for parameter in query.split('&').filter(|_| !query.is_empty()) {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        if !allowed.contains(&name) {
            let known = allowed.join(", ");
            return Err(bad(format!("unknown query parameter {name:?}; the parameters are {known}")));
        }
        if seen.contains(&name) {
            return Err(bad(format!("the query parameter {name} is given twice")));
        }
        seen.push(name);
        if name == "coverage" {
            let share = share(value).map_err(|form| format!("it {form}"));
            let coverage = share.and_then(|share| Coverage::of(spec, share));
            let refused = |why| bad(format!("the query parameter {name} is {value:?}; {why}"));
            options.coverage = Some(coverage.map_err(refused)?);
            continue;
        }
        let Some(on) = truth(value) else {
            return Err(bad(format!("the query parameter {name} is {value:?}; it must be true or false")));
        };
        match name {
            "heatmap" => options.explain = on,
            "strict" => options.strict = on,
            _ => options.tta = on,
        }
    }
    Ok(options)
}

/// The spellings that FastAPI accepts.
fn truth(value: &str) -> Option<bool> {
    match value.to_ascii_lowercase().as_str() {
        "true" | "1" | "on" | "yes" | "t" | "y" => Some(true),
        "false" | "0" | "off" | "no" | "f" | "n" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use skinclf::{Conformal, Model};

    use super::*;

    fn options(query: &str, allowed: &[&str]) -> Result<Options, ApiError> {
        let conformal =
            Conformal { coverages: vec![0.8, 0.9], malignant: vec![0.2, 0.1], benign: vec![0.2, 0.1] };
        let spec = ModelSpec { conformal: Some(conformal), ..Model::embedded().spec().clone() };
        super::options(query, allowed, &spec)
    }

    #[test]
    fn what_is_named_is_on_or_off() {
        let parsed = |query| options(query, PREDICT).ok();
        assert_eq!(parsed(""), Some(Options::default()));
        let wanted = Options { tta: true, strict: true, ..Options::default() };
        assert_eq!(parsed("tta=true&heatmap=false&strict=true"), Some(wanted));
        assert_eq!(parsed("heatmap=true"), Some(Options { explain: true, ..Options::default() }));
    }

    #[test]
    fn other_spellings_of_true_and_false_are_read() {
        let tta = |value| options(&format!("tta={value}"), PREDICT).ok().map(|options| options.tta);
        for value in ["1", "yes", "on", "True", "TRUE", "t", "Y"] {
            assert_eq!(tta(value), Some(true), "{value}");
        }
        for value in ["0", "no", "off", "False", "FALSE", "f", "N"] {
            assert_eq!(tta(value), Some(false), "{value}");
        }
    }

    #[test]
    fn a_coverage_is_one_of_the_models() {
        let share = |query| options(query, PREDICT_BATCH).ok()?.coverage.map(Coverage::share);
        assert_eq!(
            [share("coverage=0.9"), share("tta=1&coverage=.80"), share("")],
            [Some(0.9), Some(0.8), None]
        );
        let none = super::options(
            "coverage=0.9",
            PREDICT,
            &ModelSpec { conformal: None, ..Model::embedded().spec().clone() },
        );
        assert!(none.is_err_and(|error| error.detail.contains("has no thresholds for prediction sets")));
    }

    proptest! {
        #[test]
        fn no_query_is_a_reason_to_panic(query in "(coverage|tta|[a-z]{0,3})=[-0-9.einfNa&=%]{0,12}") {
            if let Err(error) = options(&query, PREDICT) {
                prop_assert_eq!(error.code, ErrorCode::BadQuery);
                prop_assert!(!error.detail.contains('\n'));
            }
        }
    }

    #[test]
    fn anything_else_is_refused_by_its_name() {
        for (query, named) in [
            ("tta", "tta is \"\""),
            ("tta=2", "tta is \"2\""),
            ("tta=maybe", "tta is \"maybe\""),
            ("tta=true&tta=true", "tta is given twice"),
            ("coverage", "coverage is \"\"; it must be a share"),
            ("coverage=90", "coverage is \"90\"; it must be a share above 0 and below 1"),
            ("coverage=0.85", "coverage is \"0.85\"; the model has thresholds for 0.8 and 0.9"),
            ("coverage=0.8&coverage=0.8", "coverage is given twice"),
            ("size=3", "unknown query parameter \"size\""),
            ("tta=true&", "unknown query parameter \"\""),
            ("heatmap=true", "unknown query parameter \"heatmap\""),
        ] {
            let error = options(query, PREDICT_BATCH).expect_err(query);
            assert_eq!(error.code, ErrorCode::BadQuery);
            assert!(error.detail.contains(named), "{query}: {}", error.detail);
        }
    }
}
