//! Classifies an image: encoded bytes to a [`Prediction`].

mod prior;
mod sets;
mod views;

use std::time::{Duration, Instant};

use ::image::RgbImage;

pub use self::prior::Prior;
pub use self::sets::{Coverage, PredictionSet};
use self::views::{Mean, View};
use crate::engine::Engine;
use crate::error::{ClassifyError, InferenceError};
use crate::image::{self, ClassMap, Texture};
use crate::model::{Model, ModelError};
use crate::spec::{Decision, ModelSpec};
use crate::stats;
use crate::usable::{Quality, Reason};

/// A loaded model, ready to classify. Share it by reference: nothing in it is locked or changed.
pub struct Classifier {
    spec: ModelSpec,
    engine: Engine,
}

/// Options of [`Classifier::classify_with`]; all are off by default.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Options {
    /// Average over the eight ways to turn and mirror the square (test-time augmentation), which takes
    /// eight times as long.
    pub tta: bool,
    /// Rescale the probabilities, after the mean over the views, to these class shares.
    pub prior: Option<Prior>,
    /// Also compute an [`Explanation`].
    pub explain: bool,
    /// Treat an image that is not usable as an error.
    pub strict: bool,
    /// Also compute the [`PredictionSet`] of this coverage, which must be of the same model.
    pub coverage: Option<Coverage>,
}

/// All that is known of one classified image.
#[derive(Debug, Clone, PartialEq)]
pub struct Prediction {
    /// Index of the predicted class in [`ModelSpec::labels`]: the class with the largest
    /// [score](Self::scores), of equals the first. It need not be the most probable class.
    pub class: usize,
    /// Probability of each class, in the order of the labels; they sum to 1.
    pub probabilities: Vec<f32>,
    /// The class shares that the probabilities are rescaled to, if [`Options::prior`] gives them.
    pub prior: Option<Prior>,
    /// What [`decision`](Self::decision) ranks the classes by, in the order of the labels; see [`ModelSpec::scores`].
    pub scores: Vec<f32>,
    /// The rule by which the class was chosen.
    pub decision: Decision,
    /// Index of the class with the largest probability, of equals the first.
    pub most_probable: usize,
    /// With [`Options::coverage`]. Whatever the [`prior`](Self::prior), it is of the probabilities before rescaling,
    /// because those are what the thresholds were fitted to; and of the predicted class.
    pub set: Option<PredictionSet>,
    /// Sum of the probabilities of the malignant classes, at most 1.
    pub malignant_probability: f32,
    /// Whether the malignant probability reaches the model's threshold; `None` if the model has none. Whatever the
    /// [`prior`](Self::prior), it is the probability before rescaling, because that is what the threshold was fitted to.
    pub flagged: Option<bool>,
    /// Why the prediction should not be relied on; empty if the image is usable.
    pub reasons: Vec<Reason>,
    /// What was measured of the image itself.
    pub quality: Quality,
    /// Width of the upright image, in pixels.
    pub width: u32,
    /// Height of the upright image, in pixels.
    pub height: u32,
    /// How long each stage took.
    pub timings: Timings,
    /// With [`Options::explain`], if the model has class maps.
    pub explanation: Option<Explanation>,
}

impl Prediction {
    /// Whether the image meets the limits in the model's spec.
    pub fn is_usable(&self) -> bool {
        self.reasons.is_empty()
    }

    /// Probability of the predicted class.
    pub fn confidence(&self) -> f32 {
        self.probabilities[self.class]
    }

    /// Indices of all classes by [score](Self::scores), the predicted class first; of equals the first label first.
    pub fn ranked(&self) -> Vec<usize> {
        stats::ranked(&self.scores)
    }
}

/// Where in the image the network found the predicted class.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    /// The square of pixels that the network was given.
    pub square: RgbImage,
    /// The map of the predicted class over the square; [`image::heatmap`] draws it.
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
    /// The sum of all stages.
    pub fn total(&self) -> Duration {
        self.decode + self.preprocess + self.inference
    }
}

impl Classifier {
    /// Prepares a model to run.
    ///
    /// # Errors
    /// When the graph is not ONNX, uses an operator that is not supported, or its input or outputs do not fit its spec.
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
    /// When the bytes are not such an image, are damaged or cut short, or describe an image
    /// beyond the limits of [`image::decode`].
    pub fn classify(&self, encoded: &[u8]) -> Result<Prediction, ClassifyError> {
        self.classify_with(encoded, &Options::default())
    }

    /// [`classify`](Self::classify) with options. This is the whole way of an image through the library.
    ///
    /// # Errors
    /// As [`classify`](Self::classify), and with [`Options::strict`] when the image is not usable.
    pub fn classify_with(&self, encoded: &[u8], options: &Options) -> Result<Prediction, ClassifyError> {
        let start = Instant::now();
        let pixels = image::decode(encoded, self.spec.input.side())?;
        let decoded = Instant::now();
        let square = image::square(&pixels, &self.spec.input);
        let tensor = image::normalise(&square, &self.spec.input);
        let Texture { contrast, sharpness } = image::texture(&square);
        let preprocessed = Instant::now();
        let mean = self.infer(tensor, options.tta).map_err(ClassifyError::Inference)?;
        let inferred = Instant::now();

        let (width, height) = pixels.upright_size();
        let quality = Quality { side: width.min(height), contrast, sharpness, dermoscopy: mean.dermoscopy };
        let reasons = quality.reasons(&self.spec.usable);
        if options.strict && !reasons.is_empty() {
            return Err(ClassifyError::Unusable(reasons));
        }
        let own = &mean.probabilities;
        let probabilities = options.prior.as_ref().map_or_else(|| own.clone(), |prior| prior.rescale(own));
        let scores = self.spec.scores(match self.spec.decision {
            Decision::Argmax => &probabilities,
            // The rescaled ones over the new shares would rank the same: new / old / new is 1 / old.
            Decision::BalancedArgmax => own,
        });
        let class = largest(&scores);
        let map = if options.explain { mean.map(class) } else { None };
        Ok(Prediction {
            class,
            scores,
            decision: self.spec.decision,
            most_probable: largest(&probabilities),
            malignant_probability: self.spec.malignant_probability(&probabilities),
            flagged: self.spec.is_flagged(self.spec.malignant_probability(own)),
            set: options.coverage.map(|coverage| coverage.set(&self.spec.labels, own, class)),
            probabilities,
            prior: options.prior.clone(),
            reasons,
            quality,
            width,
            height,
            timings: Timings {
                decode: decoded - start,
                preprocess: preprocessed - decoded,
                inference: inferred - preprocessed,
            },
            explanation: map.map(|map| Explanation { square, map }),
        })
    }

    fn infer(&self, tensor: Vec<f32>, tta: bool) -> Result<Mean, InferenceError> {
        let others: &[View] = if tta { &View::OTHERS } else { &[] };
        let mut mean = Mean::over(1 + others.len());
        let mut add = |view, tensor| -> Result<(), InferenceError> {
            mean.add(view, &self.engine.run(tensor)?, self.spec.temperature);
            Ok(())
        };
        for view in others {
            add(*view, view.apply(&tensor, self.spec.input.side()))?;
        }
        // Last, so that it is not copied.
        add(View::UPRIGHT, tensor)?;
        if mean.is_finite() { Ok(mean) } else { Err(InferenceError::NotFinite) }
    }
}

fn largest(values: &[f32]) -> usize {
    // Reversed, because of equals `max_by` takes the last.
    let largest = values.iter().enumerate().rev().max_by(|a, b| a.1.total_cmp(b.1));
    largest.map_or(0, |(index, _)| index)
}
