//! Whether an answer is right: a fast wrong answer is a failure. Read [`Check::judge`] first.

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::BTreeMap;

use anyhow::Context as _;
use serde::Deserialize;
use serde::de::IgnoredAny;
use skinclf::{Classifier, Prediction};

use super::requests::Upload;
use crate::bench::load::result::FailureKind;

/// Another machine's kernels sum in another order, and JSON rounds.
const TOLERANCE: f32 = 1e-4;

/// The predictions of the model here, to compare answers with.
pub(crate) struct Check {
    sha256: String,
    codes: Vec<String>,
    /// By image, in the order of the uploads.
    expected: Vec<Prediction>,
    met_other_model: Cell<bool>,
}

/// The part of an answer that is compared. Other servers may leave some of it out.
#[derive(Deserialize)]
struct Answer<'a> {
    predicted_class: usize,
    #[serde(borrow, default)]
    probabilities: BTreeMap<Cow<'a, str>, f32>,
    #[serde(borrow)]
    model: Option<Model<'a>>,
    prior: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Model<'a> {
    #[serde(borrow)]
    sha256: Cow<'a, str>,
}

impl Check {
    pub(crate) fn prepare(classifier: &Classifier, uploads: &[Upload]) -> anyhow::Result<Self> {
        let classify = |upload: &Upload| {
            let hint =
                || format!("--images: {}: remove it from the folder, or give --no-check", upload.name());
            classifier.classify(upload.bytes()).with_context(hint)
        };
        let spec = classifier.spec();
        Ok(Self {
            sha256: spec.sha256.clone(),
            codes: spec.labels.iter().map(|l| l.code.clone()).collect(),
            expected: uploads.iter().map(classify).collect::<anyhow::Result<_>>()?,
            met_other_model: Cell::new(false),
        })
    }

    /// Whether some answer was from another model or for other class shares, and so could not be compared.
    pub(crate) fn met_other_model(&self) -> bool {
        self.met_other_model.get()
    }

    /// Compares the answer to the n-th request of a user with the prediction for the same image.
    pub(super) fn judge(&self, n: usize, body: &[u8]) -> Result<(), FailureKind> {
        let answer: Answer<'_> = serde_json::from_slice(body).map_err(|_| FailureKind::BadResponse)?;
        if answer.prior.is_some() || answer.model.is_none_or(|model| model.sha256 != self.sha256) {
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
