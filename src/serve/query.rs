//! The query of a prediction: `name=true` or `name=false` in any of their spellings, `coverage=0.9` and
//! `prior=CODE:NUMBER,…`, joined by `&`, and nothing else.

use skinclf::{Coverage, ModelSpec, Options, Prior};

use super::error::{ApiError, ErrorCode};
use crate::cli::share;

pub(super) const PREDICT: &[&str] = &["coverage", "heatmap", "prior", "strict", "tta"];

/// What `/predict/batch` takes: heatmaps of 256 images would make an answer of more than 20 MB.
pub(super) const PREDICT_BATCH: &[&str] = &["coverage", "prior", "strict", "tta"];

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
        let refused = |why: String| bad(format!("the query parameter {name} is {value:?}; {why}"));
        let on = || truth(value).ok_or_else(|| refused("it must be true or false".to_owned()));
        match name {
            "coverage" => options.coverage = Some(coverage(value, spec).map_err(refused)?),
            // Its value may be long.
            "prior" => {
                let shares = prior(value, spec);
                options.prior = Some(shares.map_err(|e| bad(format!("the query parameter prior: {e}")))?);
            }
            "heatmap" => options.explain = on()?,
            "strict" => options.strict = on()?,
            _ => options.tta = on()?,
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

fn coverage(value: &str, spec: &ModelSpec) -> Result<Coverage, String> {
    let share = share(value).map_err(|form| format!("it {form}"))?;
    Coverage::of(spec, share)
}

/// `mel:180,nv:500,…`, percent-encoded or not.
fn prior(value: &str, spec: &ModelSpec) -> Result<Prior, String> {
    let value = decoded(value).ok_or("its percent-encoding is not valid UTF-8")?;
    let named = value.split(',').map(|pair| {
        let (code, number) = pair.rsplit_once(':')?;
        Some((code.trim(), number.trim().parse::<f64>().ok()?))
    });
    let named: Option<Vec<_>> = named.collect();
    let named =
        named.ok_or("it must be CODE:NUMBER for each class, joined by commas, such as mel:180,nv:500")?;
    Prior::new(spec, &named)
}

/// Text that is percent-encoded as forms are, where `+` is a blank.
fn decoded(text: &str) -> Option<String> {
    let mut rest = text.chars();
    let mut bytes = Vec::with_capacity(text.len());
    while let Some(c) = rest.next() {
        match c {
            '%' => {
                let [high, low] = [rest.next()?.to_digit(16)?, rest.next()?.to_digit(16)?];
                bytes.push((high * 16 + low) as u8);
            }
            '+' => bytes.push(b' '),
            c => bytes.extend(c.encode_utf8(&mut [0; 4]).bytes()),
        }
    }
    String::from_utf8(bytes).ok()
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

    /// Each character as it is, or percent-encoded where `encoded` says so.
    fn written(text: &str, encoded: &[bool]) -> String {
        let characters = text.bytes().zip(encoded.iter().cycle());
        characters
            .map(|(byte, on)| if *on { format!("%{byte:02x}") } else { char::from(byte).into() })
            .collect()
    }

    proptest! {
        #[test]
        fn shares_are_read_however_they_are_encoded(
            numbers in prop::array::uniform7(0.1..1e3),
            encoded in prop::collection::vec(any::<bool>(), 1..20),
        ) {
            let model = Model::embedded();
            let spec = model.spec();
            let named: Vec<_> = spec.labels.iter().map(|label| &*label.code).zip(numbers).collect();
            let text: Vec<_> = named.iter().rev().map(|(code, number)| format!("{code}:{number}")).collect();
            let query = format!("tta=1&prior={}", written(&text.join(","), &encoded));
            let options = options(&query, PREDICT_BATCH).map_err(|error| TestCaseError::fail(error.detail))?;
            prop_assert_eq!(options.prior, Prior::new(spec, &named).ok());
            prop_assert!(options.tta);
        }

        #[test]
        fn no_query_is_a_reason_to_panic_or_for_a_second_line(value in "(mel|nv|[:,%+0-9.e-]|\\PC|%0[aA]){0,12}") {
            if let Err(error) = options(&format!("prior={value}"), PREDICT) {
                prop_assert!(!error.detail.contains(char::is_control), "{}", error.detail);
            }
        }
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
            ("prior=", "prior: it must be CODE:NUMBER"),
            ("prior=mel", "prior: it must be CODE:NUMBER"),
            ("prior=mel:x", "prior: it must be CODE:NUMBER"),
            ("prior=mel:1,", "prior: it must be CODE:NUMBER"),
            ("prior=%zz", "prior: its percent-encoding"),
            ("prior=%ff:1", "prior: its percent-encoding"),
            ("prior=mel%+f1", "prior: its percent-encoding"),
            ("prior=mel:1", "prior: there is no number for akiec"),
            ("prior=mel:nan", "prior: the number for mel is not above 0"),
            ("prior=%0A:1", "prior: \"\" is not a class"),
        ] {
            let error = options(query, PREDICT_BATCH).expect_err(query);
            assert_eq!(error.code, ErrorCode::BadQuery);
            assert!(error.detail.contains(named), "{query}: {}", error.detail);
        }
    }
}
