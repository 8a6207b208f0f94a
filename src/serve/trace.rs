//! The trace that a request is part of, from its `traceparent` header: W3C Trace Context, Level 1, sections 3.2.2
//! (fields) and 3.2.4 (later versions). <https://www.w3.org/TR/trace-context-1/>

use hyper::header::HeaderMap;
use serde::Serialize;

/// Bytes of a header of version 00; those of later versions begin with as many of the same meaning.
const LENGTH: usize = 55;

#[derive(Debug, PartialEq, Serialize)]
pub(super) struct TraceContext {
    pub(super) trace_id: String,
    /// The span of the client that sent the request.
    pub(super) parent_id: String,
}

impl TraceContext {
    /// `None` without a header, and with one that must be ignored.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let mut values = headers.get_all("traceparent").iter();
        let value = values.next()?;
        // Of several it is unknown which one is meant.
        if values.next().is_some() { None } else { Self::parse(value.to_str().ok()?) }
    }

    fn parse(value: &str) -> Option<Self> {
        let known = value.get(..LENGTH)?;
        let [version, trace_id, parent_id, flags] = known.splitn(4, '-').collect::<Vec<_>>()[..] else {
            return None;
        };
        let is_version = is_id(version, 2, 'f') && (version != "00" || value.len() == LENGTH);
        let ends = value.as_bytes().get(LENGTH).is_none_or(|byte| *byte == b'-');
        let valid =
            is_version && ends && is_id(trace_id, 32, '0') && is_id(parent_id, 16, '0') && is_hex(flags);
        valid.then(|| Self { trace_id: trace_id.to_owned(), parent_id: parent_id.to_owned() })
    }
}

/// `forbidden` is the digit that must not be the only one.
fn is_id(field: &str, digits: usize, forbidden: char) -> bool {
    field.len() == digits && is_hex(field) && !field.chars().all(|digit| digit == forbidden)
}

fn is_hex(field: &str) -> bool {
    field.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const PARENT: &str = "00f067aa0ba902b7";

    #[test]
    fn a_valid_header_has_both_ids() {
        let context = Some(TraceContext { trace_id: TRACE.to_owned(), parent_id: PARENT.to_owned() });
        for (version, rest) in [
            ("00", "-00"),
            ("00", "-01"),
            ("00", "-ff"),
            // Later versions may add fields.
            ("01", "-01"),
            ("cc", "-01-what-the-future-holds"),
            ("fe", "-01-"),
        ] {
            let value = format!("{version}-{TRACE}-{PARENT}{rest}");
            assert_eq!(TraceContext::parse(&value), context, "{value}");
        }
    }

    #[test]
    fn an_invalid_header_is_ignored() {
        let (upper, no_trace, no_parent) = (TRACE.to_uppercase(), "0".repeat(32), "0".repeat(16));
        for value in [
            String::new(),
            format!("ff-{TRACE}-{PARENT}-01"),
            format!("0G-{TRACE}-{PARENT}-01"),
            format!("0-{TRACE}-{PARENT}-010"),
            format!("000-{TRACE}-{PARENT}-1"),
            format!("00-{no_trace}-{PARENT}-01"),
            format!("00-{TRACE}-{no_parent}-01"),
            format!("00-{upper}-{PARENT}-01"),
            format!("00-{TRACE}-00F067AA0BA902B7-01"),
            format!("00-{TRACE}-{PARENT}-0X"),
            format!("00-{TRACE}-{PARENT}-0"),
            format!("00-{TRACE}-{PARENT}"),
            format!("00-{TRACE}-{PARENT}-01-"),
            format!("00-{TRACE}-{PARENT}-011"),
            format!("01-{TRACE}-{PARENT}-01.more"),
            format!("01-{TRACE}-{PARENT}-0"),
            format!("00-{}-{PARENT}a-01", &TRACE[1..]),
            format!("00_{TRACE}_{PARENT}_01"),
            format!("00-{TRACE}-{PARENT}-\u{e9}"),
            format!(" 00-{TRACE}-{PARENT}-01"),
        ] {
            assert_eq!(TraceContext::parse(&value), None, "{value:?}");
        }
    }

    #[test]
    fn of_two_headers_neither_counts() {
        let value = HeaderValue::from_str(&format!("00-{TRACE}-{PARENT}-01")).expect("ASCII");
        let mut headers = HeaderMap::new();
        assert_eq!(TraceContext::of(&headers), None);
        headers.append("traceparent", value.clone());
        assert!(TraceContext::of(&headers).is_some());
        headers.append("traceparent", value);
        assert_eq!(TraceContext::of(&headers), None);
    }

    proptest! {
        /// What a client made up never reaches the log, beyond the digits of two ids.
        #[test]
        fn only_ids_come_out(value in prop_oneof![
            any::<String>(),
            "[0-9a-f]{2}-[0-9a-fA-F]{31,33}-[0-9a-f]{15,17}-[0-9a-f]{1,3}(-.{0,9})?",
            "[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(-\\PC{0,9})?",
        ]) {
            if let Some(context) = TraceContext::parse(&value) {
                prop_assert_eq!((context.trace_id.len(), context.parent_id.len()), (32, 16));
                let mut digits = context.trace_id.chars().chain(context.parent_id.chars());
                prop_assert!(digits.all(|digit| "0123456789abcdef".contains(digit)), "{}", value);
                let prefix = format!("-{}-{}-", context.trace_id, context.parent_id);
                prop_assert!(value[2..].starts_with(&prefix), "{}", value);
            }
        }
    }
}
