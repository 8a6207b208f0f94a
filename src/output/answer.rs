//! The wire format: what the command line prints as JSON and the server answers for one image.
//! `docs/output-schema.json` describes it.

use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::{Serialize, Serializer};
use skinclf::{Decision, ModelSpec, Prediction, Quality, Timings};

use super::record::{Failure, Heatmap, Record, Subject};

impl Serialize for Record<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Wire::from(self).serialize(serializer)
    }
}

/// A record in JSON. The fields are the keys, in this order.
#[derive(Serialize)]
struct Wire<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    filename: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a Failure>,
    #[serde(flatten)]
    classified: Option<Classified<'a>>,
}

#[derive(Serialize)]
struct Classified<'a> {
    predicted_class: usize,
    class_name: &'a str,
    label: &'a str,
    confidence: f32,
    probabilities: OfClasses<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prior: Option<OfClasses<'a>>,
    decision: Decision,
    most_probable: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_k: Option<Vec<Ranked<'a>>>,
    /// Codes of classes.
    #[serde(skip_serializing_if = "Option::is_none")]
    prediction_set: Option<Vec<&'a str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    coverage: Option<f32>,
    malignant_probability: f32,
    #[serde(skip_serializing_if = "Option::is_none")]
    flagged: Option<bool>,
    usable: bool,
    reasons: Vec<&'static str>,
    quality: Quality,
    width: u32,
    height: u32,
    /// All stages together, in seconds.
    inference_time: f64,
    timings_ms: TimingsMs,
    model: ModelId<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    heatmap_file: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    heatmap: Option<String>,
}

#[derive(Serialize)]
struct Ranked<'a> {
    class_name: &'a str,
    probability: f32,
}

#[derive(Serialize)]
struct TimingsMs {
    decode: f64,
    preprocess: f64,
    inference: f64,
}

/// A number of each class; by class code in JSON.
pub(crate) struct OfClasses<'a>(Vec<(&'a str, f32)>);

impl<'a> OfClasses<'a> {
    /// `numbers` are in the order of the labels.
    pub(crate) fn new(spec: &'a ModelSpec, numbers: &[f32]) -> Self {
        Self(spec.labels.iter().map(|label| &*label.code).zip(numbers.iter().copied()).collect())
    }
}

impl Serialize for OfClasses<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().copied())
    }
}

/// Identifies the weights that gave an answer.
#[derive(Debug, Serialize)]
pub(crate) struct ModelId<'a> {
    name: &'a str,
    version: &'a str,
    sha256: &'a str,
}

impl<'a> From<&'a ModelSpec> for ModelId<'a> {
    fn from(spec: &'a ModelSpec) -> Self {
        Self { name: &spec.name, version: &spec.version, sha256: &spec.sha256 }
    }
}

impl<'a> From<&'a Record<'_>> for Wire<'a> {
    fn from(record: &'a Record<'_>) -> Self {
        let (path, filename) = match record.subject {
            Subject::Path(path) => (Some(path), None),
            Subject::Filename(filename) => (None, Some(filename)),
            Subject::Unnamed => (None, None),
        };
        let classified = record.outcome.as_ref().ok().map(|prediction| Classified::of(record, prediction));
        Self { path, filename, error: record.outcome.as_ref().err(), classified }
    }
}

impl<'a> Classified<'a> {
    fn of(record: &'a Record<'_>, prediction: &Prediction) -> Self {
        let labels = &record.spec.labels;
        let label = &labels[prediction.class];
        let ranked = |class: usize| Ranked {
            class_name: &labels[class].code,
            probability: prediction.probabilities[class],
        };
        let (heatmap_file, heatmap) = match &record.heatmap {
            Some(Heatmap::File(path)) => (Some(path.as_str()), None),
            Some(Heatmap::Png(png)) => (None, Some(BASE64_STANDARD.encode(png))),
            None => (None, None),
        };
        Self {
            predicted_class: prediction.class,
            class_name: &label.code,
            label: &label.name,
            confidence: prediction.confidence(),
            probabilities: OfClasses::new(record.spec, &prediction.probabilities),
            prior: prediction.prior.as_ref().map(|prior| OfClasses::new(record.spec, prior.shares())),
            decision: prediction.decision,
            most_probable: &labels[prediction.most_probable].code,
            top_k: record.top_k.map(|k| prediction.ranked().into_iter().take(k).map(ranked).collect()),
            prediction_set: prediction.set.as_ref().map(|set| super::codes(&set.classes, labels).collect()),
            coverage: prediction.set.as_ref().map(|set| set.coverage),
            malignant_probability: prediction.malignant_probability,
            flagged: prediction.flagged,
            usable: prediction.is_usable(),
            reasons: prediction.reasons.iter().map(|reason| reason.code()).collect(),
            quality: prediction.quality,
            width: prediction.width,
            height: prediction.height,
            inference_time: rounded(prediction.timings.total().as_secs_f64(), 1e6),
            timings_ms: prediction.timings.into(),
            model: record.spec.into(),
            heatmap_file,
            heatmap,
        }
    }
}

impl From<Timings> for TimingsMs {
    fn from(timings: Timings) -> Self {
        let ms = |d: Duration| rounded(d.as_secs_f64() * 1e3, 1e3);
        let Timings { decode, preprocess, inference } = timings;
        Self { decode: ms(decode), preprocess: ms(preprocess), inference: ms(inference) }
    }
}

/// To so many parts of a unit: a clock's nanoseconds are noise.
fn rounded(value: f64, parts: f64) -> f64 {
    (value * parts).round() / parts
}

#[cfg(test)]
mod tests {
    use skinclf::{Model, PredictionSet, Prior, Reason};

    use super::*;

    fn prediction() -> Prediction {
        let ms = Duration::from_micros;
        Prediction {
            class: 4,
            probabilities: vec![0.0, 0.0, 0.0, 0.0, 0.25, 0.75, 0.0],
            prior: None,
            scores: vec![0.0, 0.0, 0.0, 0.0, 0.875, 0.125, 0.0],
            decision: Decision::BalancedArgmax,
            most_probable: 5,
            set: None,
            malignant_probability: 0.25,
            flagged: Some(true),
            reasons: vec![Reason::Blurred],
            quality: Quality { side: 450, contrast: 29.5, sharpness: 0.5, dermoscopy: None },
            width: 600,
            height: 450,
            timings: Timings { decode: ms(1500), preprocess: ms(250), inference: ms(4250) },
            explanation: None,
        }
    }

    fn json(subject: Subject<'_>, outcome: Result<Prediction, Failure>, heatmap: Option<Heatmap>) -> String {
        let mut spec = Model::embedded().spec().clone();
        (spec.version, spec.sha256) = ("1".to_owned(), "ab".to_owned());
        let top_k = heatmap.as_ref().map(|_| 2);
        serde_json::to_string(&Record { subject, outcome, spec: &spec, top_k, heatmap }).expect("JSON")
    }

    #[test]
    fn a_result_has_these_keys_in_this_order() {
        let start =
            r#"{"path":"a.jpg","predicted_class":4,"class_name":"mel","label":"Melanoma","confidence":0.25,"#;
        let probabilities =
            r#""probabilities":{"akiec":0.0,"bcc":0.0,"bkl":0.0,"df":0.0,"mel":0.25,"nv":0.75,"vasc":0.0},"#;
        let decision = r#""decision":"balanced-argmax","most_probable":"nv","#;
        let top_k =
            r#""top_k":[{"class_name":"mel","probability":0.25},{"class_name":"nv","probability":0.75}],"#;
        let rest = r#""malignant_probability":0.25,"flagged":true,"usable":false,"reasons":["blurred"],"quality":{"side":450,"contrast":29.5,"sharpness":0.5},"width":600,"height":450,"inference_time":0.006,"timings_ms":{"decode":1.5,"preprocess":0.25,"inference":4.25},"model":{"name":"mobilenetv2-ham10000","version":"1","sha256":"ab"}"#;
        let plain = json(Subject::Path("a.jpg"), Ok(prediction()), None);
        assert_eq!(plain, [start, probabilities, decision, rest, "}"].concat());
        let counts = [
            ("akiec", 1.0),
            ("bcc", 1.0),
            ("bkl", 1.0),
            ("df", 1.0),
            ("mel", 3.0),
            ("nv", 8.0),
            ("vasc", 1.0),
        ];
        let prior = Prior::new(Model::embedded().spec(), &counts).ok();
        let rescaled = json(Subject::Path("a.jpg"), Ok(Prediction { prior, ..prediction() }), None);
        let prior = r#""prior":{"akiec":0.0625,"bcc":0.0625,"bkl":0.0625,"df":0.0625,"mel":0.1875,"nv":0.5,"vasc":0.0625},"#;
        assert_eq!(rescaled, [start, probabilities, prior, decision, rest, "}"].concat());
        let set = r#""prediction_set":["nv","mel"],"coverage":0.9,"#;
        let full =
            Prediction { set: Some(PredictionSet { coverage: 0.9, classes: vec![5, 4] }), ..prediction() };
        let full = json(Subject::Path("a.jpg"), Ok(full), Some(Heatmap::Png(vec![1, 2, 3])));
        assert_eq!(
            full,
            [start, probabilities, decision, top_k, set, rest, r#","heatmap":"AQID"}"#].concat()
        );
    }

    #[test]
    fn a_failure_has_a_name_and_an_error() {
        let failure = || Err(Failure::new("timeout", "too late"));
        let error = r#""error":{"code":"timeout","message":"too late"}}"#;
        for (subject, start) in [
            (Subject::Path("a.jpg"), r#"{"path":"a.jpg","#),
            (Subject::Filename(""), r#"{"filename":"","#),
            (Subject::Unnamed, "{"),
        ] {
            assert_eq!(json(subject, failure(), None), [start, error].concat());
        }
    }
}
