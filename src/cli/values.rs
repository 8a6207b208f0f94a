//! Values that flags of several commands take.

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

/// A size above zero.
pub(super) fn body_size(text: &str) -> Result<ByteSize, String> {
    let size: ByteSize = text.parse()?;
    if size > ByteSize(0) && size <= LARGEST_BODY {
        return Ok(size);
    }
    Err(format!("must be above 0 and at most {LARGEST_BODY}"))
}
