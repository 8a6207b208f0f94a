//! The one way in: encoded bytes to a prediction.

mod mean;
mod usable;
mod views;

use std::time::{Duration, Instant};

use ::image::RgbImage;

use self::mean::Mean;
pub use self::usable::{Quality, Reason};
use self::views::View;
use crate::engine::Engine;
use crate::error::ClassifyError;
use crate::image::{self, ClassMap};
use crate::model::{Model, ModelError};
use crate::spec::ModelSpec;

/// A loaded model, ready to classify. Share it by reference: nothing in it is locked or changed.
pub struct Classifier {
    spec: ModelSpec,
    engine: Engine,
}

/// How to classify, where that is not as usual.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Options {
    /// Average over the eight ways to turn and mirror the square, which takes eight times as long.
    pub tta: bool,
    /// Also give an [`Explanation`].
    pub explain: bool,
    /// A picture that is not usable is an error.
    pub strict: bool,
}

/// What the model says about one image.
#[derive(Debug, Clone, PartialEq)]
pub struct Prediction {
    /// Index of the chosen class in [`ModelSpec::labels`]: that of the largest
    /// [score](ModelSpec::scores), which need not be the most probable.
    pub class: usize,
    /// Probability of each class, in the order of the labels; they sum to 1.
    pub probabilities: Vec<f32>,
    /// Width of the upright picture, in pixels.
    pub width: u32,
    /// Height of the upright picture, in pixels.
    pub height: u32,
    /// What was measured of the picture itself.
    pub quality: Quality,
    /// Why all this means nothing; empty if the picture is usable.
    pub reasons: Vec<Reason>,
    /// With [`Options::explain`], where the model has class maps.
    pub explanation: Option<Explanation>,
}

impl Prediction {
    /// Whether the picture has what the spec asks of it.
    pub fn is_usable(&self) -> bool {
        self.reasons.is_empty()
    }
}

/// Where the network found the predicted class.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    /// What the network saw.
    pub square: RgbImage,
    /// The map of the predicted class over it; [`image::heatmap`] draws it.
    pub map: ClassMap,
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
        self.classify_timed(encoded, Options::default()).map(|(prediction, _)| prediction)
    }

    /// [`classify`](Self::classify) with options, and how long each stage took.
    ///
    /// # Errors
    /// As [`classify`](Self::classify), and with [`Options::strict`] when the picture is not usable.
    pub fn classify_timed(
        &self,
        encoded: &[u8],
        options: Options,
    ) -> Result<(Prediction, Timings), ClassifyError> {
        let start = Instant::now();
        let pixels = image::decode(encoded, self.spec.input.side())?;
        let decoded = Instant::now();
        let square = image::square(&pixels, &self.spec.input);
        let tensor = image::normalise(&square, &self.spec.input);
        let texture = image::texture(&square);
        let preprocessed = Instant::now();
        let mean = self.infer(tensor, options.tta).map_err(ClassifyError::Inference)?;
        let inferred = Instant::now();

        let (width, height) = pixels.upright_size();
        let quality = Quality {
            side: width.min(height),
            contrast: texture.contrast,
            sharpness: texture.sharpness,
            dermoscopy: mean.dermoscopy,
        };
        let reasons = quality.reasons(&self.spec.usable);
        if options.strict && !reasons.is_empty() {
            return Err(ClassifyError::Unusable(reasons));
        }
        let class = largest(&self.spec.scores(&mean.probabilities));
        let map = if options.explain { mean.map(class) } else { None };
        let explanation = map.map(|map| Explanation { square, map });
        let prediction = Prediction {
            class,
            probabilities: mean.probabilities,
            width,
            height,
            quality,
            reasons,
            explanation,
        };
        let timings = Timings {
            decode: decoded - start,
            preprocess: preprocessed - decoded,
            inference: inferred - preprocessed,
        };
        Ok((prediction, timings))
    }

    fn infer(&self, tensor: Vec<f32>, tta: bool) -> Result<Mean, String> {
        let others: &[View] = if tta { &View::OTHERS } else { &[] };
        let mut mean = Mean::over(1 + others.len());
        let mut add = |view, tensor| -> Result<(), String> {
            mean.add(view, &self.engine.run(tensor)?, self.spec.temperature);
            Ok(())
        };
        for view in others {
            add(*view, view.apply(&tensor, self.spec.input.side()))?;
        }
        // Last, so that it is not copied.
        add(View::UPRIGHT, tensor)?;
        if mean.is_finite() {
            return Ok(mean);
        }
        Err("the network's answer is not a number; input.mean and input.std of the model's spec may be wrong"
            .to_owned())
    }
}

/// Index of the largest value, of equals the first.
fn largest(values: &[f32]) -> usize {
    // Reversed, because of equals `max_by` takes the last.
    let largest = values.iter().enumerate().rev().max_by(|a, b| a.1.total_cmp(b.1));
    largest.map_or(0, |(index, _)| index)
}
