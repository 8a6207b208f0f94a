//! The JSON beside a model: everything about it that the ONNX graph does not say.

use serde::{Deserialize, Serialize};

/// What a model expects and what its outputs mean; the only home of labels, sizes and constants.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
pub struct ModelSpec {
    /// Short name, printed with every result.
    pub name: String,
    /// Version of the weights.
    pub version: String,
    /// SHA-256 of the ONNX file, lower-case hexadecimal. Checked on loading; computed if absent.
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
    /// How a class is chosen from the probabilities.
    #[serde(default)]
    pub decision: Decision,
    /// The classes, in the order of the logits.
    pub labels: Vec<Label>,
    /// Licence of the weights, an SPDX identifier.
    #[serde(default)]
    pub license: String,
}

/// The network's input and the preprocessing that makes it.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
pub struct Input {
    /// `[1, 3, height, width]`; height equals width.
    pub shape: [usize; 4],
    /// What part of a picture is looked at.
    #[serde(default)]
    pub crop: Crop,
    /// The resampling filter.
    #[serde(default)]
    pub resize: Resize,
    /// Per channel, on the 0..=255 scale: `x = (pixel - mean) / std`.
    pub mean: [f32; 3],
    /// See [`Input::mean`].
    pub std: [f32; 3],
}

impl Input {
    /// Height and width of the square input, in pixels.
    pub fn side(&self) -> usize {
        self.shape[2]
    }
}

/// What part of a picture is looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Crop {
    /// The largest centred square.
    #[default]
    CenterSquare,
}

/// The resampling filter.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Resize {
    /// Bilinear, widened when shrinking so that it does not alias.
    #[default]
    Triangle,
}

/// Names of the graph's outputs.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct Outputs {
    /// Output of shape `[1, labels]`.
    pub logits: String,
}

impl Default for Outputs {
    fn default() -> Self {
        Self { logits: "logits".to_owned() }
    }
}

/// How a class is chosen from the probabilities.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decision {
    /// The most probable class.
    #[default]
    Argmax,
}

/// One class.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct Label {
    /// Short code, for example `mel`; unique within a model.
    pub code: String,
    /// Name for people, for example `Melanoma`.
    pub name: String,
    /// What it is, in plain words.
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
    /// A sentence naming the field at fault and what it must be.
    pub fn parse(json: &[u8]) -> Result<Self, String> {
        let spec: Self = serde_json::from_slice(json).map_err(|e| format!("not a model spec: {e}"))?;
        spec.check()?;
        Ok(spec)
    }

    pub(crate) fn check(&self) -> Result<(), String> {
        let [batch, channels, height, width] = self.input.shape;
        if (batch, channels) != (1, 3) || height != width || !(8..=4096).contains(&height) {
            return Err(format!(
                "input.shape is {:?}; it must be [1, 3, N, N] with N from 8 to 4096",
                self.input.shape
            ));
        }
        if self.input.std.iter().any(|s| !s.is_normal()) || self.input.mean.iter().any(|m| !m.is_finite()) {
            return Err("input.mean must be finite and input.std finite and not zero".to_owned());
        }
        if !(self.temperature.is_normal() && self.temperature > 0.0) {
            return Err(format!("temperature is {}; it must be greater than zero", self.temperature));
        }
        if self.labels.len() < 2 {
            return Err(format!("{} labels; at least two are needed", self.labels.len()));
        }
        for (i, label) in self.labels.iter().enumerate() {
            if label.code.is_empty() || self.labels[..i].iter().any(|l| l.code == label.code) {
                return Err(format!("labels[{i}].code {:?} is empty or used twice", label.code));
            }
        }
        Ok(())
    }

    /// Sum of the probabilities of the malignant classes, at most 1.
    pub fn malignant_probability(&self, probabilities: &[f32]) -> f32 {
        let of_malignant = self.labels.iter().zip(probabilities).filter(|(l, _)| l.group == Group::Malignant);
        of_malignant.map(|(_, p)| p).sum::<f32>().min(1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn embedded() -> serde_json::Value {
        serde_json::from_str(include_str!("../models/mobilenetv2.json")).expect("valid JSON")
    }

    fn parse(value: &serde_json::Value) -> Result<ModelSpec, String> {
        ModelSpec::parse(value.to_string().as_bytes())
    }

    #[test]
    fn each_bad_field_is_named() {
        let cases = [
            ("/input/shape", serde_json::json!([1, 3, 224, 225]), "input.shape"),
            ("/input/shape", serde_json::json!([1, 1, 224, 224]), "input.shape"),
            ("/input/std/1", serde_json::json!(0.0), "input.std"),
            ("/input/crop", serde_json::json!("left"), "center-square"),
            ("/temperature", serde_json::json!(0), "temperature"),
            ("/decision", serde_json::json!("guess"), "argmax"),
            ("/labels", serde_json::json!([]), "labels"),
            ("/labels/1/code", serde_json::json!("akiec"), "labels[1].code"),
            ("/labels/0/group", serde_json::json!("odd"), "malignant"),
        ];
        assert!(parse(&embedded()).is_ok());
        for (pointer, value, named) in cases {
            let mut spec = embedded();
            *spec.pointer_mut(pointer).expect("a field of the spec") = value;
            let error = parse(&spec).expect_err(pointer);
            assert!(error.contains(named), "{pointer}: {error}");
        }
    }
}
