//! Why an image was not classified.

use crate::classifier::Reason;
use crate::image::DecodeError;

/// Why an image was not classified. [`code`](Self::code) is stable, the message is for people.
#[derive(Debug, thiserror::Error)]
pub enum ClassifyError {
    /// The bytes are not a usable picture.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// A picture that does not have what the model's spec asks of it, where such are refused.
    #[error("not usable: {}", words(.0))]
    Unusable(Vec<Reason>),
    /// The network did not run, which is never the image's fault.
    #[error("inference failed: {0}")]
    Inference(String),
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
