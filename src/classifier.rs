//! The one way in: encoded bytes to a prediction.

use std::time::{Duration, Instant};

use crate::engine::Engine;
use crate::error::ClassifyError;
use crate::image;
use crate::model::{Model, ModelError};
use crate::spec::{Decision, ModelSpec};

/// A loaded model, ready to classify. Share it by reference: nothing in it is locked or changed.
pub struct Classifier {
    spec: ModelSpec,
    engine: Engine,
}

/// What the model says about one image.
#[derive(Debug, Clone, PartialEq)]
pub struct Prediction {
    /// Index of the chosen class in [`ModelSpec::labels`].
    pub class: usize,
    /// Probability of each class, in the order of the labels; they sum to 1.
    pub probabilities: Vec<f32>,
    /// Width of the upright picture, in pixels.
    pub width: u32,
    /// Height of the upright picture, in pixels.
    pub height: u32,
}

/// How long each stage of one classification took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timings {
    /// Encoded bytes to RGB pixels.
    pub decode: Duration,
    /// Pixels to the normalised input tensor.
    pub preprocess: Duration,
    /// Tensor to probabilities.
    pub inference: Duration,
}

impl Timings {
    /// All stages together.
    pub fn total(&self) -> Duration {
        self.decode + self.preprocess + self.inference
    }
}

impl Classifier {
    /// Prepares a model to run.
    ///
    /// # Errors
    /// When the graph is not ONNX, uses an operator that is not supported, or does not fit its
    /// spec in input shape or number of labels.
    pub fn load(model: Model) -> Result<Self, ModelError> {
        let engine = Engine::load(&model)?;
        Ok(Self { spec: model.spec, engine })
    }

    /// The spec of the loaded model.
    pub fn spec(&self) -> &ModelSpec {
        &self.spec
    }

    /// Name of the instruction set that inference uses: `avx512`, `avx2`, `neon`, `portable`, or
    /// `tract` without kernels of our own.
    pub fn isa(&self) -> &'static str {
        self.engine.isa()
    }

    /// Classifies one image, given as the bytes of a JPEG, PNG, WebP, BMP, TIFF or GIF file.
    ///
    /// # Errors
    /// When the bytes are not such an image, are damaged or cut short, or describe a picture
    /// beyond the limits of [`image::decode`].
    pub fn classify(&self, encoded: &[u8]) -> Result<Prediction, ClassifyError> {
        self.classify_timed(encoded).map(|(prediction, _)| prediction)
    }

    /// [`classify`](Self::classify), and how long each stage took.
    ///
    /// # Errors
    /// As [`classify`](Self::classify).
    pub fn classify_timed(&self, encoded: &[u8]) -> Result<(Prediction, Timings), ClassifyError> {
        let start = Instant::now();
        let pixels = image::decode(encoded, self.spec.input.side())?;
        let decoded = Instant::now();
        let tensor = image::to_tensor(&pixels, &self.spec.input);
        let preprocessed = Instant::now();
        let logits = self.engine.run(tensor).map_err(ClassifyError::Inference)?;
        let probabilities = softmax(&logits, self.spec.temperature);
        let inferred = Instant::now();

        let (width, height) = pixels.upright_size();
        let prediction = Prediction { class: self.decide(&probabilities), probabilities, width, height };
        let timings = Timings {
            decode: decoded - start,
            preprocess: preprocessed - decoded,
            inference: inferred - preprocessed,
        };
        Ok((prediction, timings))
    }

    fn decide(&self, probabilities: &[f32]) -> usize {
        match self.spec.decision {
            Decision::Argmax => {
                // Reversed, because of equals `max_by` takes the last.
                let best = probabilities.iter().enumerate().rev().max_by(|a, b| a.1.total_cmp(b.1));
                best.map_or(0, |(class, _)| class)
            }
        }
    }
}

/// Softmax of `logits / temperature`, shifted by the largest logit so that it cannot overflow.
fn softmax(logits: &[f32], temperature: f32) -> Vec<f32> {
    let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let exps: Vec<f32> = logits.iter().map(|l| ((l - max) / temperature).exp()).collect();
    let sum: f32 = exps.iter().sum();
    exps.into_iter().map(|e| e / sum).collect()
}

#[cfg(test)]
mod tests {
    use super::softmax;

    #[test]
    fn softmax_survives_large_logits_and_follows_the_temperature() {
        assert_eq!(softmax(&[1000.0, 1000.0], 1.0), [0.5, 0.5]);
        let [sharp, soft] = [1.0, 4.0].map(|t| softmax(&[2.0, 0.0], t)[0]);
        assert!((sharp - 0.880_797).abs() < 1e-6, "{sharp}");
        assert!((soft - 0.622_459).abs() < 1e-6, "{soft}");
    }
}
