//! A model's spec: the JSON file that describes what the ONNX graph does not.

mod check;

use serde::{Deserialize, Serialize};

/// Of a class, among the lesions that probabilities are calibrated or rescaled to: they are divided by it.
pub(crate) const LEAST_SHARE: f32 = 1e-6;

/// A model's input, outputs and labels. All sizes and constants of a model are here and nowhere else.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ModelSpec {
    /// Short name, printed with every result.
    pub name: String,
    /// Version of the weights.
    pub version: String,
    /// Name of the ONNX file; informative.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Kind of network; informative.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub architecture: Option<String>,
    /// SHA-256 of the ONNX file in lower-case hexadecimal. Checked on loading; computed if absent.
    #[serde(default)]
    pub sha256: String,
    /// How to turn pixels into the network's input.
    pub input: Input,
    /// Names of the graph's outputs.
    #[serde(default)]
    pub outputs: Outputs,
    /// Logits are divided by this before the softmax (Guo et al. 2017, temperature scaling).
    #[serde(default = "one")]
    pub temperature: f32,
    /// Share of each class among the lesions that the probabilities are calibrated to, in the order of
    /// the labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prior: Option<Vec<f32>>,
    /// How a class is chosen from the probabilities.
    #[serde(default)]
    pub decision: Decision,
    /// A malignant probability at or above this is flagged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub malignancy_threshold: Option<f32>,
    /// Share (0 to 1) of the malignant lesions held out from training that reach `malignancy_threshold`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub malignancy_sensitivity: Option<f32>,
    /// Thresholds of prediction sets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conformal: Option<Conformal>,
    /// Limits for an image to be usable.
    #[serde(default)]
    pub usable: Usable,
    /// The classes, in the order of the logits.
    pub labels: Vec<Label>,
    /// Licence of the weights as an SPDX identifier.
    #[serde(default)]
    pub license: String,
}

/// The network's input and the preprocessing that makes it.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// Name of the graph's only input; informative.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// `[1, 3, height, width]`; height equals width.
    pub shape: [usize; 4],
    /// Order of the input's axes: `NCHW` (batch, channels, rows, columns), also if absent.
    #[serde(default = "preprocessing::layout")]
    pub layout: String,
    /// Order of the channels: `RGB`, also if absent.
    #[serde(default = "preprocessing::color")]
    pub color: String,
    /// Part of the image that is used: `center-square`, the largest centred square, also if absent.
    #[serde(default = "preprocessing::crop")]
    pub crop: String,
    /// Resampling filter: `triangle` (bilinear, widened when shrinking so that it does not alias), also if absent.
    #[serde(default = "preprocessing::resize")]
    pub resize: String,
    /// Per channel, on the 0..=255 scale: `x = (pixel - mean) / std`.
    pub mean: [f32; 3],
    /// See [`Input::mean`].
    pub std: [f32; 3],
}

/// The preprocessing that there is.
pub(crate) mod preprocessing {
    pub(crate) fn layout() -> String {
        "NCHW".to_owned()
    }

    pub(crate) fn color() -> String {
        "RGB".to_owned()
    }

    pub(crate) fn crop() -> String {
        "center-square".to_owned()
    }

    pub(crate) fn resize() -> String {
        "triangle".to_owned()
    }
}

impl Input {
    /// Height and width of the square input, in pixels.
    pub fn side(&self) -> usize {
        self.shape[2]
    }
}

/// Names of the graph's outputs.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Outputs {
    /// Output of shape `[1, labels]`.
    pub logits: String,
    /// Output of shape `[1, labels, N, N]`, class activation maps (Zhou et al. 2016): the mean of a
    /// map is its class's logit, so each cell is what its part of the image adds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class_maps: Option<String>,
    /// Output of shape `[1, 1]`: logit of the probability that this is a dermoscopic image of a lesion.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dermoscopy: Option<String>,
}

impl Default for Outputs {
    fn default() -> Self {
        Self { logits: "logits".to_owned(), class_maps: None, dermoscopy: None }
    }
}

/// How a class is chosen from the probabilities.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decision {
    /// The most probable class.
    #[default]
    Argmax,
    /// The class whose probability exceeds its [`ModelSpec::prior`] by the largest factor: the most
    /// probable class if all were equally common. This rule has the best mean recall (balanced
    /// accuracy; Menon et al. 2013), and predicts rare cancers that are hardly ever the most probable class.
    BalancedArgmax,
}

/// Thresholds of prediction sets, fitted on lesions that the network was not trained on; see
/// [`Coverage`](crate::Coverage). The lists of thresholds have one for each coverage; a group of which the model has no
/// class needs none.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Conformal {
    /// Shares (0 to 1, rising) of the lesions of each group whose set contains their class.
    pub coverages: Vec<f32>,
    /// Probability from which on a malignant class is in the set.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub malignant: Vec<f32>,
    /// Probability from which on a benign class is in the set.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub benign: Vec<f32>,
}

/// Limits for an image to be usable; absent limits are not checked. See [`Quality`](crate::Quality) for
/// what is measured.
#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Usable {
    /// Shorter side of the image, in pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_side: Option<u32>,
    /// Standard deviation of the luma, on the 0..=255 scale.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_contrast: Option<f32>,
    /// Variance of the luma's Laplacian.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_sharpness: Option<f32>,
    /// Probability that the image is a dermoscopic image of a lesion; needs [`Outputs::dermoscopy`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_dermoscopy: Option<f32>,
}

/// One class.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Label {
    /// Short code, for example `mel`; unique within a model.
    pub code: String,
    /// Name for people, for example `Melanoma`.
    pub name: String,
    /// Explanation in plain words.
    #[serde(default)]
    pub description: String,
    /// Whether it counts towards the malignant probability.
    pub group: Group,
}

/// Whether a class is dangerous.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Group {
    /// Cancer or its direct precursor.
    Malignant,
    /// Harmless.
    Benign,
}

fn one() -> f32 {
    1.0
}

impl ModelSpec {
    /// Reads and checks a spec.
    ///
    /// # Errors
    /// A sentence that names the field at fault and what it must be.
    pub fn parse(json: &[u8]) -> Result<Self, String> {
        let spec: Self = serde_json::from_slice(json).map_err(|e| format!("not a model spec: {e}"))?;
        spec.check()?;
        Ok(spec)
    }

    /// What [`ModelSpec::decision`] ranks the classes by, computed from their probabilities; they sum to 1. The
    /// predicted class has the largest score.
    pub fn scores(&self, probabilities: &[f32]) -> Vec<f32> {
        match (self.decision, &self.prior) {
            (Decision::BalancedArgmax, Some(prior)) => {
                let ratios: Vec<f32> = probabilities.iter().zip(prior).map(|(p, share)| p / share).collect();
                let sum: f32 = ratios.iter().sum();
                ratios.into_iter().map(|ratio| ratio / sum).collect()
            }
            _ => probabilities.to_vec(),
        }
    }

    /// Whether a malignant probability reaches the model's threshold; `None` if the model has none.
    pub fn is_flagged(&self, malignant_probability: f32) -> Option<bool> {
        self.malignancy_threshold.map(|threshold| malignant_probability >= threshold)
    }

    /// Sum of the probabilities of the malignant classes, at most 1.
    pub fn malignant_probability(&self, probabilities: &[f32]) -> f32 {
        let of_malignant = self.labels.iter().zip(probabilities).filter(|(l, _)| l.group == Group::Malignant);
        // `sum` of nothing would be -0.
        of_malignant.fold(0.0, |sum: f32, (_, p)| sum + p).min(1.0)
    }
}
