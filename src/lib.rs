//! Classifies dermoscopic images of skin lesions with an ONNX model, on a CPU.
//!
//! From the bytes of a file to a prediction:
//!
//! ```text
//! &[u8] --image::decode--> Pixels --image::square--> RgbImage --image::normalise--> Vec<f32> (NCHW)
//!       --engine--> logits, class maps, dermoscopy --> Prediction
//! ```
//!
//! [`Classifier::classify_with`] is that way, and the function to read first. The library knows
//! neither terminals nor HTTP: the commands of the `skinclf` binary are built on top of it.
//!
//! ```
//! use skinclf::{Classifier, Model};
//!
//! let classifier = Classifier::load(Model::embedded())?;
//! let prediction = classifier.classify(include_bytes!("../samples/lesion-1.jpg"))?;
//! assert_eq!(classifier.spec().labels[prediction.class].name, "Melanocytic nevus");
//! assert!(prediction.confidence() > 0.9 && prediction.malignant_probability < 0.1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![warn(missing_docs)]

pub mod bounded;
mod classifier;
mod engine;
mod error;
pub mod evaluation;
pub mod image;
mod model;
pub mod panics;
mod spec;
pub mod stats;
mod usable;

pub use classifier::{Classifier, Coverage, Explanation, Options, Prediction, PredictionSet, Prior, Timings};
pub use error::{ClassifyError, InferenceError};
pub use model::{Model, ModelError};
pub use spec::{Conformal, Decision, Group, Input, Label, ModelSpec, Outputs, Usable};
pub use usable::{Quality, Reason};
