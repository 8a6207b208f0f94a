//! Values that flags of several commands take. An error says what is wanted, with an example.

use std::fmt::Display;
use std::num::NonZeroUsize;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use bytesize::ByteSize;

/// Beyond it, points in time could overflow.
const LONGEST: Duration = Duration::from_secs(30 * 24 * 3600);

/// More threads than this are a mistake.
const MOST_THREADS: usize = 1024;

/// The same of what is only counted.
const MOST: usize = 1_000_000;

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
        let wanted = "must be a host, and perhaps a port and a path; try http://localhost:8000";
        let uri: hyper::Uri = with_scheme.parse().map_err(|_| wanted)?;
        if uri.scheme_str() != Some("http") {
            return Err(
                "only http:// is supported; name the server behind the TLS proxy, for example http://localhost:8000"
                    .into(),
            );
        }
        let authority = uri.authority().ok_or(wanted)?;
        if uri.query().is_some() || authority.as_str().contains('@') {
            return Err(wanted.into());
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

/// Parses whole numbers within a range.
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

/// A number of threads.
pub(super) fn threads(text: &str) -> Result<NonZeroUsize, String> {
    count_to(MOST_THREADS, text)
}

/// A number of anything that there must be one of at least.
pub(super) fn count(text: &str) -> Result<NonZeroUsize, String> {
    count_to(MOST, text)
}

fn count_to(most: usize, text: &str) -> Result<NonZeroUsize, String> {
    let one = NonZeroUsize::MIN;
    whole(one..=one.saturating_add(most - 1), one.saturating_add(3))(text)
}

/// A time above zero.
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

/// A size above zero.
pub(super) fn body_size(text: &str) -> Result<ByteSize, String> {
    let size =
        text.trim().parse::<ByteSize>().ok().filter(|size| *size > ByteSize(0) && *size <= LARGEST_BODY);
    size.ok_or(format!("must be a size above 0 and at most {LARGEST_BODY}, for example 16MiB"))
}
