//! Whether an answer is right: a fast wrong answer is a failure.

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::BTreeMap;

use anyhow::Context as _;
use serde::Deserialize;
use skinclf::{Classifier, Prediction};

use super::images::Upload;
use crate::bench::load::result::FailureKind;

/// Another machine's kernels sum in another order, and JSON rounds.
const TOLERANCE: f32 = 1e-4;

/// What the model here says of each image.
pub(crate) struct Check {
    sha256: String,
    codes: Vec<String>,
    /// By image.
    expected: Vec<Prediction>,
    /// Whether some answer came from another model, which cannot be compared.
    pub(crate) met_other_model: Cell<bool>,
}

/// The part of an answer that is compared. Other servers may leave some of it out.
#[derive(Deserialize)]
struct Answer<'a> {
    predicted_class: usize,
    #[serde(borrow, default)]
    probabilities: BTreeMap<Cow<'a, str>, f32>,
    #[serde(borrow)]
    model: Option<Model<'a>>,
}

#[derive(Deserialize)]
struct Model<'a> {
    #[serde(borrow)]
    sha256: Cow<'a, str>,
}

impl Check {
    /// Classifies each image once.
    pub(crate) fn prepare(classifier: &Classifier, images: &[Upload]) -> anyhow::Result<Self> {
        let classify = |image: &Upload| {
            let name = &image.name;
            let hint = || format!("--images: {name}: take it out, or give --no-check");
            classifier.classify(&image.bytes).with_context(hint)
        };
        let spec = classifier.spec();
        Ok(Self {
            sha256: spec.sha256.clone(),
            codes: spec.labels.iter().map(|l| l.code.clone()).collect(),
            expected: images.iter().map(classify).collect::<anyhow::Result<_>>()?,
            met_other_model: Cell::new(false),
        })
    }

    /// Holds the answer to the n-th request of a user against the prediction for the same image.
    pub(crate) fn judge(&self, n: usize, body: &[u8]) -> Result<(), FailureKind> {
        let answer: Answer<'_> = serde_json::from_slice(body).map_err(|_| FailureKind::BadResponse)?;
        if answer.model.is_none_or(|model| model.sha256 != self.sha256) {
            self.met_other_model.set(true);
            let sum: f32 = answer.probabilities.values().sum();
            let plausible = answer.probabilities.is_empty() || (sum - 1.0).abs() < 0.01;
            return if plausible { Ok(()) } else { Err(FailureKind::BadResponse) };
        }
        let expected = &self.expected[n % self.expected.len()];
        let agrees = |(code, wanted): (&String, &f32)| {
            answer.probabilities.get(code.as_str()).is_some_and(|got| (got - wanted).abs() <= TOLERANCE)
        };
        let right = answer.predicted_class == expected.class
            && answer.probabilities.len() == self.codes.len()
            && self.codes.iter().zip(&expected.probabilities).all(agrees);
        if right { Ok(()) } else { Err(FailureKind::WrongAnswer) }
    }
}
