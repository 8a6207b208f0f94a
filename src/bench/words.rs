//! Singular and plural.

use std::fmt;

/// `1 request`, `2 requests`.
pub(super) fn counted<N: fmt::Display + PartialEq + From<u8>>(count: N, noun: &str) -> String {
    let ending = if count == N::from(1) { "" } else { "s" };
    format!("{count} {noun}{ending}")
}

pub(super) fn were<N: PartialEq + From<u8>>(count: N) -> &'static str {
    if count == N::from(1) { "was" } else { "were" }
}

#[cfg(test)]
mod tests {
    use super::{counted, were};

    #[test]
    fn one_is_singular() {
        assert_eq!([0, 1, 2_u64].map(|n| counted(n, "request")), ["0 requests", "1 request", "2 requests"]);
        assert_eq!((counted(1.0, "core"), counted(0.5, "core")), ("1 core".into(), "0.5 cores".into()));
        assert_eq!([0, 1, 2_u64].map(were), ["were", "was", "were"]);
    }
}
