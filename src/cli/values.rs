//! Parsers for the values of flags. An error message says what is expected and gives an example.

use std::fmt::Display;
use std::net::{IpAddr, ToSocketAddrs as _};
use std::num::NonZeroUsize;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use bytesize::ByteSize;

/// Longer times could overflow an `Instant`.
const LONGEST: Duration = Duration::from_secs(30 * 24 * 3600);

/// More threads are a typing mistake.
const MOST_THREADS: usize = 1024;

/// Limit of all other counts, e.g. users or connections.
const MOST: usize = 1_000_000;

/// Larger sizes are a typing mistake.
const LARGEST_BODY: ByteSize = ByteSize::gib(1);

pub(super) fn whole<T>(
    range: RangeInclusive<T>,
    example: T,
) -> impl Fn(&str) -> Result<T, String> + Clone + Send + Sync + 'static
where
    T: FromStr + PartialOrd + Display + Clone + Send + Sync + 'static,
{
    move |text| {
        let number = text.trim().parse::<T>().ok().filter(|number| range.contains(number));
        let (least, most) = (range.start(), range.end());
        number.ok_or_else(|| format!("must be a whole number from {least} to {most}, for example {example}"))
    }
}

pub(super) fn threads(text: &str) -> Result<NonZeroUsize, String> {
    count_to(MOST_THREADS, text)
}

pub(super) fn count(text: &str) -> Result<NonZeroUsize, String> {
    count_to(MOST, text)
}

fn count_to(most: usize, text: &str) -> Result<NonZeroUsize, String> {
    let one = NonZeroUsize::MIN;
    whole(one..=one.saturating_add(most - 1), one.saturating_add(3))(text)
}

pub(crate) fn positive_duration(text: &str) -> Result<Duration, String> {
    duration(text)
        .and_then(|d| if d.is_zero() { Err("must be above 0, for example 10s".into()) } else { Ok(d) })
}

pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let parsed = humantime::parse_duration(text).ok().filter(|parsed| *parsed <= LONGEST);
    parsed.ok_or("must be a time with its unit, at most 30 days, for example 500ms, 30s or 2m".into())
}

/// A coverage, for example.
pub(crate) fn share(text: &str) -> Result<f32, String> {
    let share = text.trim().parse().ok().filter(|share| *share > 0.0 && *share < 1.0);
    share.ok_or("must be a share above 0 and below 1, for example 0.9".into())
}

/// Resolves an IP address or a host name. Of several addresses it takes an IPv4 one, which most clients try first.
pub(super) fn listening_host(text: &str) -> Result<IpAddr, String> {
    let name = text.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(text);
    let named = (name, 0).to_socket_addrs().map_err(|e| format!("{e}; try 127.0.0.1, localhost or [::1]"))?;
    let address = named.map(|address| address.ip()).min_by_key(IpAddr::is_ipv6);
    address.ok_or_else(|| "this host name has no IP address; try 127.0.0.1, localhost or [::1]".to_owned())
}

/// An origin exactly as browsers send it, because they compare it character by character; or `*`.
pub(super) fn origin(text: &str) -> Result<String, String> {
    const FORM: &str = "must be scheme://host or scheme://host:port, without a path, or * for any origin";
    if text == "*" {
        return Ok(text.to_owned());
    }
    let with_scheme = if text.contains("://") { text.to_owned() } else { format!("https://{text}") };
    let uri = with_scheme.parse::<hyper::Uri>().ok();
    let (scheme, authority) =
        uri.as_ref().and_then(|uri| Some((uri.scheme_str()?, uri.authority()?))).ok_or(FORM)?;
    let host = authority.host().to_ascii_lowercase();
    let port = match (scheme, authority.port_u16()) {
        ("http", Some(80)) | ("https", Some(443)) | (_, None) => String::new(),
        (_, Some(port)) => format!(":{port}"),
    };
    let wanted = format!("{scheme}://{host}{port}");
    if text == wanted { Ok(wanted) } else { Err(format!("{FORM}; try {wanted}")) }
}

pub(super) fn body_size(text: &str) -> Result<ByteSize, String> {
    let size =
        text.trim().parse::<ByteSize>().ok().filter(|size| *size > ByteSize(0) && *size <= LARGEST_BODY);
    size.ok_or(format!("must be a size above 0 and at most {LARGEST_BODY}, for example 16MiB"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_addresses_or_names() {
        for (text, wanted) in
            [("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "0.0.0.0"), ("::1", "::1"), ("[::1]", "::1")]
        {
            assert_eq!(listening_host(text).map(|ip| ip.to_string()).as_deref(), Ok(wanted));
        }
        assert!(listening_host("localhost").is_ok_and(|ip| ip.is_loopback()));
        for text in ["", "[::1", "no such host", "127.0.0.1:8000", "http://localhost"] {
            let refused = listening_host(text).expect_err(text);
            assert!(refused.contains("try 127.0.0.1"), "{text}: {refused}");
        }
    }

    #[test]
    fn origins_are_those_that_browsers_send() {
        for text in ["*", "https://example.com", "http://localhost:3000", "http://[::1]:8080"] {
            assert_eq!(origin(text).as_deref(), Ok(text));
        }
        for (text, suggested) in [
            ("example.com", "https://example.com"),
            ("example.com:8443", "https://example.com:8443"),
            ("https://example.com/", "https://example.com"),
            ("https://example.com/app?x=1", "https://example.com"),
            ("https://Example.COM", "https://example.com"),
            ("http://example.com:80", "http://example.com"),
            ("https://user@example.com", "https://example.com"),
        ] {
            let refused = origin(text).expect_err(text);
            assert!(refused.ends_with(&format!("try {suggested}")), "{text}: {refused}");
        }
        for text in ["", " ", "https://", "/", "null and void", "a\r\nX-Header: b"] {
            assert!(origin(text).is_err(), "{text:?}");
        }
    }
}
