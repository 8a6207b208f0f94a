//! Why an image was not classified.

use crate::image::DecodeError;
use crate::usable::Reason;

/// Why an image was not classified. [`code`](Self::code) is stable, the message is for people.
#[derive(Debug, thiserror::Error)]
pub enum ClassifyError {
    /// The bytes are not an image that can be read.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// The image does not meet the limits in the model's spec, and [`Options::strict`](crate::Options::strict) is set.
    #[error("not usable: {}", words(.0))]
    Unusable(Vec<Reason>),
    /// The network failed, which is never the image's fault.
    #[error("inference failed: {0}")]
    Inference(InferenceError),
}

/// Why the network gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum InferenceError {
    /// tract, which runs the network, reports an error.
    #[error("{0}")]
    Run(String),
    /// A probability is infinite or not a number.
    #[error(
        "the network's answer is not a number; input.mean and input.std of the model's spec may be wrong"
    )]
    NotFinite,
}

impl ClassifyError {
    /// A stable identifier, the same on the command line and over HTTP.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Decode(e) => e.code(),
            Self::Unusable(_) => "unusable",
            Self::Inference(_) => "internal",
        }
    }
}

fn words(reasons: &[Reason]) -> String {
    reasons.iter().map(|reason| reason.words()).collect::<Vec<_>>().join(", ")
}
