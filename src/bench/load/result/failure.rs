//! The ways in which a request fails.

use std::fmt;

/// Why a request counts as failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum FailureKind {
    Connect,
    /// No whole answer within `--timeout`.
    Timeout,
    /// The connection ended before the answer did.
    Reset,
    /// An answer with a status other than 2xx.
    Status(u16),
    /// An answer that differs from the prediction of the same model for the same image here.
    WrongAnswer,
    /// Not HTTP, or not the JSON of a prediction.
    BadResponse,
}

impl FailureKind {
    pub(crate) fn of(error: &hyper::Error) -> Self {
        if error.is_parse() { Self::BadResponse } else { Self::Reset }
    }
}

impl fmt::Display for FailureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect => f.write_str("connect"),
            Self::Timeout => f.write_str("timeout"),
            Self::Reset => f.write_str("reset"),
            Self::Status(status) => write!(f, "status_{status}"),
            Self::WrongAnswer => f.write_str("wrong_answer"),
            Self::BadResponse => f.write_str("bad_response"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::FailureKind::{self, BadResponse, Connect, Reset, Status, Timeout, WrongAnswer};

    #[test]
    fn kinds_have_the_names_of_the_saved_file() {
        let kinds = [Connect, Timeout, Reset, Status(503), WrongAnswer, BadResponse];
        let names = ["connect", "timeout", "reset", "status_503", "wrong_answer", "bad_response"];
        assert_eq!(kinds.map(|kind: FailureKind| kind.to_string()), names);
    }
}
