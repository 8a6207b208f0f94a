//! Why a request was not served: the codes of the contract, each with its HTTP status.

use hyper::StatusCode;
use serde::{Serialize, Serializer};
use skinclf::ClassifyError;
use skinclf::image::DecodeError;

use crate::output::Failure;

/// Seconds that a refused client is asked to wait: about what a full queue takes.
pub(super) const RETRY_AFTER: &str = "2";

/// The stable `code` of an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ErrorCode {
    BadMultipart,
    BadQuery,
    BadRequest,
    NotAnImage,
    Unauthorized,
    NotFound,
    MethodNotAllowed,
    RequestTimeout,
    LengthRequired,
    BodyTooLarge,
    TooManyFiles,
    TargetTooLong,
    UnsupportedMediaType,
    /// An image that is not classified, with the code that the library and the command line use.
    UnusableImage(&'static str),
    HeadersTooLarge,
    Internal,
    Draining,
    QueueFull,
    Timeout,
    HttpVersionNotSupported,
}

impl ErrorCode {
    /// The one table of codes and statuses.
    fn entry(self) -> (StatusCode, &'static str) {
        match self {
            Self::BadMultipart => (StatusCode::BAD_REQUEST, "bad_multipart"),
            Self::BadQuery => (StatusCode::BAD_REQUEST, "bad_query"),
            Self::BadRequest => (StatusCode::BAD_REQUEST, "bad_request"),
            Self::NotAnImage => (StatusCode::BAD_REQUEST, "not_an_image"),
            Self::Unauthorized => (StatusCode::UNAUTHORIZED, "unauthorized"),
            Self::NotFound => (StatusCode::NOT_FOUND, "not_found"),
            Self::MethodNotAllowed => (StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed"),
            Self::RequestTimeout => (StatusCode::REQUEST_TIMEOUT, "request_timeout"),
            Self::LengthRequired => (StatusCode::LENGTH_REQUIRED, "length_required"),
            Self::BodyTooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "body_too_large"),
            Self::TooManyFiles => (StatusCode::PAYLOAD_TOO_LARGE, "too_many_files"),
            Self::TargetTooLong => (StatusCode::URI_TOO_LONG, "target_too_long"),
            Self::UnsupportedMediaType => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type"),
            Self::UnusableImage(code) => (StatusCode::UNPROCESSABLE_ENTITY, code),
            Self::HeadersTooLarge => (StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "headers_too_large"),
            Self::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "internal"),
            Self::Draining => (StatusCode::SERVICE_UNAVAILABLE, "draining"),
            Self::QueueFull => (StatusCode::SERVICE_UNAVAILABLE, "queue_full"),
            Self::Timeout => (StatusCode::GATEWAY_TIMEOUT, "timeout"),
            Self::HttpVersionNotSupported => {
                (StatusCode::HTTP_VERSION_NOT_SUPPORTED, "http_version_not_supported")
            }
        }
    }

    pub(super) fn status(self) -> StatusCode {
        self.entry().0
    }

    pub(super) fn as_str(self) -> &'static str {
        self.entry().1
    }
}

impl From<&ClassifyError> for ErrorCode {
    fn from(error: &ClassifyError) -> Self {
        match error {
            ClassifyError::Decode(DecodeError::Empty | DecodeError::NotAnImage) => Self::NotAnImage,
            ClassifyError::Decode(_) | ClassifyError::Unusable(_) => Self::UnusableImage(error.code()),
            ClassifyError::Inference(_) => Self::Internal,
        }
    }
}

impl Serialize for ErrorCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// The body `{"detail": …, "code": …}` of an error answer; the code has the status.
#[derive(Debug, Serialize)]
pub(super) struct ApiError {
    pub(super) detail: String,
    pub(super) code: ErrorCode,
}

impl ApiError {
    pub(super) fn new(code: ErrorCode, detail: impl Into<String>) -> Self {
        Self { detail: detail.into(), code }
    }

    pub(super) fn internal() -> Self {
        Self::new(ErrorCode::Internal, "internal error; see the server log")
    }

    pub(super) fn overloaded(problem: &str) -> Self {
        Self::new(ErrorCode::QueueFull, format!("{problem}; try again in {RETRY_AFTER} s"))
    }

    pub(super) fn status(&self) -> StatusCode {
        self.code.status()
    }

    pub(super) fn body(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("two strings are JSON")
    }
}

impl From<ClassifyError> for ApiError {
    fn from(error: ClassifyError) -> Self {
        let code = ErrorCode::from(&error);
        Self::new(code, Failure::from(error).message)
    }
}

#[cfg(test)]
mod tests {
    use skinclf::Reason;

    use super::*;

    #[test]
    fn an_image_has_the_code_of_the_command_line_and_a_status() {
        for (error, status) in [
            (DecodeError::Empty.into(), 400),
            (DecodeError::NotAnImage.into(), 400),
            (DecodeError::Unsupported("a format".to_owned()).into(), 422),
            (DecodeError::TooLarge("a size".to_owned()).into(), 422),
            (DecodeError::Truncated.into(), 422),
            (DecodeError::Damaged("a stream".to_owned()).into(), 422),
            (ClassifyError::Unusable(Reason::ALL.to_vec()), 422),
        ] {
            let code = error.code();
            let message = error.to_string();
            let error = ApiError::from(error);
            assert_eq!((error.status().as_u16(), error.code.as_str()), (status, code));
            let body: serde_json::Value = serde_json::from_slice(&error.body()).expect("JSON");
            assert_eq!(body, serde_json::json!({ "detail": message, "code": code }));
        }
    }
}
