//! Values that flags of several commands take.

use std::net::{IpAddr, ToSocketAddrs as _};
use std::str::FromStr;
use std::time::Duration;

use bytesize::ByteSize;

/// Beyond it, points in time could overflow.
const LONGEST: Duration = Duration::from_secs(30 * 24 * 3600);

/// What a request may hold at most: sizes beyond it are mistakes.
const LARGEST_BODY: ByteSize = ByteSize::gib(1);

/// A server: where to connect, and what to call it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    /// Without a slash at the end.
    pub(crate) url: String,
    /// `localhost:8000`, for the Host field.
    pub(crate) authority: String,
    /// For the resolver, without the brackets of IPv6.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// What stands before each path, empty or `/api`.
    pub(crate) prefix: String,
}

impl Target {
    /// This machine's server.
    pub(crate) fn local(port: u16) -> Self {
        let (host, authority) = ("127.0.0.1".to_owned(), format!("127.0.0.1:{port}"));
        Self { url: format!("http://{authority}"), authority, host, port, prefix: String::new() }
    }
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let with_scheme = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
        let uri: hyper::Uri = with_scheme.parse().map_err(|e| format!("{e}; try http://localhost:8000"))?;
        if uri.scheme_str() != Some("http") {
            return Err("only http:// is spoken; name the server behind the TLS proxy".into());
        }
        let authority = uri.authority().ok_or("no host; try http://localhost:8000")?;
        if uri.query().is_some() || authority.as_str().contains('@') {
            return Err("a host, perhaps a port and a path; try http://localhost:8000".into());
        }
        let prefix = uri.path().trim_end_matches('/');
        Ok(Self {
            url: format!("http://{authority}{prefix}"),
            authority: authority.to_string(),
            host: authority.host().trim_matches(['[', ']']).to_owned(),
            port: authority.port_u16().unwrap_or(80),
            prefix: prefix.to_owned(),
        })
    }
}

/// A time above zero.
pub(crate) fn positive_duration(text: &str) -> Result<Duration, String> {
    duration(text).and_then(|d| if d.is_zero() { Err("must be above 0".into()) } else { Ok(d) })
}

pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let parsed =
        humantime::parse_duration(text).map_err(|e| format!("{text:?}: {e}; try 500ms, 30s or 2m"))?;
    if parsed <= LONGEST { Ok(parsed) } else { Err(format!("{text} is longer than a month")) }
}

/// An address of this machine, or a name of one; of several addresses an IPv4 one, which most clients try.
pub(super) fn listening_host(text: &str) -> Result<IpAddr, String> {
    let name = text.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(text);
    let named = (name, 0).to_socket_addrs().map_err(|e| format!("{e}; try 127.0.0.1, localhost or [::1]"))?;
    let address = named.map(|address| address.ip()).min_by_key(IpAddr::is_ipv6);
    address.ok_or_else(|| "the name has no address; try 127.0.0.1, localhost or [::1]".to_owned())
}

/// An origin as browsers send it, which compare it letter by letter, or `*`.
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

/// A size above zero.
pub(super) fn body_size(text: &str) -> Result<ByteSize, String> {
    let size: ByteSize = text.parse()?;
    if size > ByteSize(0) && size <= LARGEST_BODY {
        return Ok(size);
    }
    Err(format!("must be above 0 and at most {LARGEST_BODY}"))
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
