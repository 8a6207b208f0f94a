//! Why a request was not served, in the words of the contract.

use crate::output::Failure;

/// A status, and the body `{"detail": …, "code": …}`.
#[derive(Debug, Clone, serde::Serialize)]
pub(super) struct Refusal {
    #[serde(skip)]
    pub(super) status: u16,
    pub(super) detail: String,
    pub(super) code: &'static str,
    /// For the gate alone: send the request again when there are so many bytes for its pictures.
    #[serde(skip)]
    pub(super) needs_memory: Option<u64>,
}

impl Refusal {
    pub(super) fn new(status: u16, code: &'static str, detail: impl Into<String>) -> Self {
        Self { status, code, detail: detail.into(), needs_memory: None }
    }

    pub(super) fn needs_memory(bytes: u64) -> Self {
        let refusal = Self::new(500, "internal", "the gate did not provide the memory");
        Self { needs_memory: Some(bytes), ..refusal }
    }

    pub(super) fn body(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("two strings are JSON")
    }

    pub(super) fn body_too_large(max_body: u64) -> Self {
        Self::new(413, "body_too_large", format!("the body may have at most {max_body} bytes"))
    }
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        let status = match failure.code {
            "internal" => 500,
            "not_an_image" => 400,
            _ => 422,
        };
        Self::new(status, failure.code, failure.message)
    }
}
