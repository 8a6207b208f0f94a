//! The URL of a server, as `health` and the load test use it.

use std::str::FromStr;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    /// Without a slash at the end.
    pub(crate) url: String,
    /// For the `Host` header: `localhost:8000`.
    pub(crate) authority: String,
    /// For the name resolver: an IPv6 address without brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// Prepended to each path: empty, or e.g. `/api`.
    pub(crate) prefix: String,
}

impl Target {
    pub(crate) fn local(port: u16) -> Self {
        let (host, authority) = ("127.0.0.1".to_owned(), format!("127.0.0.1:{port}"));
        Self { url: format!("http://{authority}"), authority, host, port, prefix: String::new() }
    }
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let with_scheme = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
        let wanted = "must be a host with an optional port and path; try http://localhost:8000";
        let uri: hyper::Uri = with_scheme.parse().map_err(|_| wanted)?;
        if uri.scheme_str() != Some("http") {
            return Err(
                "only http:// is supported; use the address of the server behind the TLS proxy, for example http://localhost:8000"
                    .into(),
            );
        }
        let authority = uri.authority().ok_or(wanted)?;
        if uri.query().is_some() || authority.as_str().contains('@') {
            return Err(wanted.into());
        }
        // What `port_u16` cannot read would be port 80.
        let port = match authority.as_str().strip_prefix(authority.host()) {
            Some("") => 80,
            Some(rest) => {
                let port = rest.strip_prefix(':').and_then(|port| port.parse().ok());
                port.filter(|port| *port > 0).ok_or(wanted)?
            }
            None => return Err(wanted.into()),
        };
        let prefix = uri.path().trim_end_matches('/');
        Ok(Self {
            url: format!("http://{authority}{prefix}"),
            authority: authority.to_string(),
            host: authority.host().trim_matches(['[', ']']).to_owned(),
            port,
            prefix: prefix.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_may_lack_scheme_port_and_path() {
        for (text, url, host, port, prefix) in [
            ("localhost", "http://localhost", "localhost", 80, ""),
            ("http://localhost:8000/", "http://localhost:8000", "localhost", 8000, ""),
            ("example.com:81/skin/api/", "http://example.com:81/skin/api", "example.com", 81, "/skin/api"),
            ("[::1]:8000", "http://[::1]:8000", "::1", 8000, ""),
        ] {
            let target: Target = text.parse().expect(text);
            assert_eq!(
                (&*target.url, &*target.host, target.port, &*target.prefix),
                (url, host, port, prefix)
            );
        }
        assert_eq!(Target::local(8000), "127.0.0.1:8000".parse().expect("a URL"));
    }

    #[test]
    fn what_is_no_url_of_a_server_is_refused_with_an_example() {
        for text in [
            "",
            "http://",
            "a b",
            "https://localhost",
            "localhost/?query",
            "user@localhost",
            "localhost:99999",
            "localhost:80a",
            "localhost:",
            "localhost:0",
            "[::1]:",
        ] {
            let refused = text.parse::<Target>().expect_err(text);
            assert!(refused.contains("http://localhost:8000"), "{text}: {refused}");
        }
    }
}
