//! The wire format: what the command line prints and the server answers for one image.

use std::fmt::Display;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::ser::{Serialize, SerializeMap, Serializer};
use skinclf::{ClassifyError, ModelSpec, Prediction, Quality, Timings};

/// One image's result. Serialised, it is the same on the command line and over HTTP.
pub(crate) struct Record<'a> {
    pub(crate) subject: Subject<'a>,
    pub(crate) outcome: Result<(Prediction, Timings), Failure>,
    pub(crate) spec: &'a ModelSpec,
    /// How many of the best classes to list, if at all.
    pub(crate) top_k: Option<usize>,
    pub(crate) heatmap: Option<Heatmap>,
}

/// The picture of where the network found the predicted class, and by which key.
#[derive(Debug)]
pub(crate) enum Heatmap {
    /// `heatmap_file`: where it was written.
    File(String),
    /// `heatmap`: the bytes of a PNG, in Base64.
    Png(Vec<u8>),
}

/// What an image is called, and by which key.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Subject<'a> {
    /// `path`: a file or an uploaded file's name.
    Path(&'a str),
    /// `filename`: a part of a batch.
    Filename(&'a str),
    /// An upload without a name.
    Unnamed,
}

impl<'a> Subject<'a> {
    pub(crate) fn name(self) -> &'a str {
        match self {
            Self::Path(name) | Self::Filename(name) => name,
            Self::Unnamed => "",
        }
    }
}

/// Why there is no prediction: a stable code and a sentence.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Failure {
    pub(crate) code: &'static str,
    pub(crate) message: String,
}

impl Failure {
    /// The message becomes one line of at most 300 characters: what a decoder or an operating system says may be any
    /// text, and may quote the file.
    pub(crate) fn new(code: &'static str, message: impl Display) -> Self {
        Self { code, message: one_line(&message.to_string()) }
    }
}

impl From<ClassifyError> for Failure {
    fn from(error: ClassifyError) -> Self {
        Self::new(error.code(), error)
    }
}

fn one_line(text: &str) -> String {
    const LONGEST: usize = 300;
    let breaks = |c: char| c.is_whitespace() || c.is_control();
    let words: Vec<&str> = text.split(breaks).filter(|word| !word.is_empty()).collect();
    let line = words.join(" ");
    match line.char_indices().nth(LONGEST) {
        None => line,
        Some(_) => line.chars().take(LONGEST - 1).chain(['…']).collect(),
    }
}

/// Which weights gave an answer.
#[derive(Debug, serde::Serialize)]
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

impl Record<'_> {
    /// Class indices and probabilities as the model's decision ranks them, the predicted class first;
    /// ties in the order of the labels.
    pub(crate) fn ranked(&self, prediction: &Prediction) -> Vec<(usize, f32)> {
        let scores = self.spec.scores(&prediction.probabilities);
        let mut ranked: Vec<_> = prediction.probabilities.iter().copied().enumerate().collect();
        ranked.sort_by(|(a, _), (b, _)| scores[*b].total_cmp(&scores[*a]));
        ranked
    }
}

impl Serialize for Record<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        match self.subject {
            Subject::Path(path) => map.serialize_entry("path", path)?,
            Subject::Filename(name) => map.serialize_entry("filename", name)?,
            Subject::Unnamed => {}
        }
        let (prediction, timings) = match &self.outcome {
            Ok(ok) => ok,
            Err(failure) => {
                map.serialize_entry("error", failure)?;
                return map.end();
            }
        };
        let spec = self.spec;
        let label = &spec.labels[prediction.class];
        map.serialize_entry("predicted_class", &prediction.class)?;
        map.serialize_entry("class_name", &label.code)?;
        map.serialize_entry("label", &label.name)?;
        map.serialize_entry("confidence", &prediction.probabilities[prediction.class])?;
        map.serialize_entry("probabilities", &ByCode(spec, &prediction.probabilities))?;
        if let Some(k) = self.top_k {
            let top = self.ranked(prediction).into_iter().take(k);
            let top: Vec<_> = top
                .map(|(class, p)| Ranked { class_name: &spec.labels[class].code, probability: p })
                .collect();
            map.serialize_entry("top_k", &top)?;
        }
        let malignant = spec.malignant_probability(&prediction.probabilities);
        map.serialize_entry("malignant_probability", &malignant)?;
        if let Some(flagged) = spec.is_flagged(malignant) {
            map.serialize_entry("flagged", &flagged)?;
        }
        map.serialize_entry("usable", &prediction.is_usable())?;
        let reasons: Vec<_> = prediction.reasons.iter().map(|reason| reason.code()).collect();
        map.serialize_entry("reasons", &reasons)?;
        map.serialize_entry("quality", &Measured::from(prediction.quality))?;
        map.serialize_entry("width", &prediction.width)?;
        map.serialize_entry("height", &prediction.height)?;
        map.serialize_entry("inference_time", &rounded(timings.total().as_secs_f64(), 1e6))?;
        map.serialize_entry("timings_ms", &TimingsMs::from(timings))?;
        map.serialize_entry("model", &ModelId::from(spec))?;
        match &self.heatmap {
            Some(Heatmap::File(path)) => map.serialize_entry("heatmap_file", path)?,
            Some(Heatmap::Png(png)) => map.serialize_entry("heatmap", &BASE64_STANDARD.encode(png))?,
            None => {}
        }
        map.end()
    }
}

/// Probabilities by class code, in the order of the labels.
struct ByCode<'a>(&'a ModelSpec, &'a [f32]);

impl Serialize for ByCode<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.labels.iter().map(|l| &l.code).zip(self.1))
    }
}

#[derive(serde::Serialize)]
struct Ranked<'a> {
    class_name: &'a str,
    probability: f32,
}

#[derive(serde::Serialize)]
struct Measured {
    side: u32,
    contrast: f32,
    sharpness: f32,
    #[serde(skip_serializing_if = "Option::is_none")]
    dermoscopy: Option<f32>,
}

impl From<Quality> for Measured {
    fn from(Quality { side, contrast, sharpness, dermoscopy }: Quality) -> Self {
        Self { side, contrast, sharpness, dermoscopy }
    }
}

#[derive(serde::Serialize)]
struct TimingsMs {
    decode: f64,
    preprocess: f64,
    inference: f64,
}

impl From<&Timings> for TimingsMs {
    fn from(t: &Timings) -> Self {
        let ms = |d: std::time::Duration| rounded(d.as_secs_f64() * 1e3, 1e3);
        Self { decode: ms(t.decode), preprocess: ms(t.preprocess), inference: ms(t.inference) }
    }
}

/// To so many parts of a unit: a clock's nanoseconds are noise in a report.
fn rounded(value: f64, parts: f64) -> f64 {
    (value * parts).round() / parts
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_message_is_one_line_whatever_was_said() {
        for (said, line) in [
            ("as it is", "as it is"),
            ("two\nlines\r\n  and\ta tab ", "two lines and a tab"),
            ("\u{1b}[31mred\u{7}\u{2028}\u{85}end", "[31mred end"),
        ] {
            assert_eq!(Failure::new("internal", said).message, line);
        }
        let message = Failure::new("internal", "ä".repeat(301)).message;
        assert_eq!(message, format!("{}…", "ä".repeat(299)));
        assert_eq!(Failure::new("internal", "ä".repeat(300)).message, "ä".repeat(300));
    }

    proptest! {
        #[test]
        fn no_message_is_longer_than_300_characters_or_has_control_characters(said in "(?s).{0,700}") {
            let message = Failure::new("internal", said).message;
            prop_assert!(message.chars().count() <= 300 && !message.contains(char::is_control), "{:?}", message);
        }
    }
}
