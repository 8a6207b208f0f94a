//! The query of a prediction: `name=true` or `name=false` in any of their spellings, joined by `&`, and nothing else.

use skinclf::Options;

use super::error::{ApiError, ErrorCode};

pub(super) const PREDICT: &[&str] = &["heatmap", "strict", "tta"];

/// What `/predict/batch` takes: heatmaps of 256 images would make an answer of more than 20 MB.
pub(super) const PREDICT_BATCH: &[&str] = &["strict", "tta"];

/// Parameters that the query does not name are off.
pub(super) fn options(query: &str, allowed: &[&str]) -> Result<Options, ApiError> {
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
    use super::*;

    #[test]
    fn what_is_named_is_on_or_off() {
        let parsed = |query| options(query, PREDICT).ok();
        assert_eq!(parsed(""), Some(Options::default()));
        let wanted = Options { tta: true, explain: false, strict: true };
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
    fn anything_else_is_refused_by_its_name() {
        for (query, named) in [
            ("tta", "tta is \"\""),
            ("tta=2", "tta is \"2\""),
            ("tta=maybe", "tta is \"maybe\""),
            ("tta=true&tta=true", "tta is given twice"),
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
