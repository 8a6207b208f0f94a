//! Values that only a load test takes.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use super::values::{count, duration};
use crate::url::Target;

/// A think time is drawn between these two: `1s-3s`, `500ms`, `0`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Think {
    pub(crate) min: Duration,
    pub(crate) max: Duration,
}

impl FromStr for Think {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (min, max) = text.split_once('-').unwrap_or((text, text));
        let wanted =
            "must be a duration or a range from a shorter to a longer one, for example 500ms, 1s-3s or 0";
        let [min, max] = [min, max].map(|text| duration(text).map_err(|_| wanted));
        let think = Self { min: min?, max: max? };
        if think.min > think.max {
            return Err(wanted.into());
        }
        Ok(think)
    }
}

/// A replica behind a balancer: `http://10.0.0.3:8000`, `one=http://10.0.0.3:8000/metrics`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MetricsUrl {
    /// Host and port, if none is given.
    pub(crate) name: String,
    /// Of the server, without `/metrics`.
    pub(crate) target: Target,
}

/// A longer name fits no table.
const LONGEST_NAME: usize = 64;

impl FromStr for MetricsUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // A URL of a server has no query, and so no equals sign.
        let (name, url) = match text.split_once('=') {
            Some((name, url)) => (Some(name.trim()), url),
            None => (None, text),
        };
        let url = url.trim_end_matches('/');
        let target: Target = url.strip_suffix("/metrics").unwrap_or(url).parse()?;
        let is_name = |name: &str| {
            (1..=LONGEST_NAME).contains(&name.chars().count()) && !name.contains(char::is_control)
        };
        match name {
            Some(name) if !is_name(name) => Err(format!(
                "the name must have 1 to {LONGEST_NAME} characters; try one=http://localhost:8001"
            )),
            Some(name) => Ok(Self { name: name.to_owned(), target }),
            None => Ok(Self { name: target.authority.clone(), target }),
        }
    }
}

/// Name or ID of a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ContainerName(String);

impl ContainerName {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ContainerName {
    type Err = &'static str;

    /// Nothing that would be more than one part of a path.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let name = text.trim().trim_start_matches('/');
        let is_part = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
        let is_name = name.starts_with(|c: char| c.is_ascii_alphanumeric()) && name.chars().all(is_part);
        is_name
            .then(|| Self(name.to_owned()))
            .ok_or("must be the name or ID of a container, as docker ps lists them")
    }
}

/// Paths, each with its weight: `predict=4,health=1`.
#[derive(Debug, Clone)]
pub(crate) struct Mix(pub(crate) Vec<(String, u32)>);

impl FromStr for Mix {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let weight_of = |part: &str| {
            let (name, weight) = part.split_once('=').unwrap_or((part, "1"));
            let name = name.trim().trim_start_matches('/');
            let is_path = |c: char| c.is_ascii_alphanumeric() || "/-._~".contains(c);
            if name.is_empty() || !name.chars().all(is_path) {
                return Err(format!("{name:?} is not the name of an endpoint; try predict=4,health=1"));
            }
            let weight = weight.trim().parse().ok().filter(|&w: &u32| w > 0 && w <= 1_000_000);
            let weight = weight.ok_or_else(|| {
                format!(
                    "the weight of {name} must be a whole number from 1 to 1000000; try predict=4,health=1"
                )
            })?;
            Ok((format!("/{name}"), weight))
        };
        let mix: Vec<(String, u32)> = text.split(',').map(weight_of).collect::<Result<_, _>>()?;
        match mix.iter().enumerate().find(|(n, (path, _))| mix[..*n].iter().any(|(other, _)| other == path)) {
            Some((_, (twice, _))) => Err(format!("{twice} appears more than once; try predict=4,health=1")),
            None => Ok(Self(mix)),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct PerSecond(pub(crate) f64);

impl FromStr for PerSecond {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let rate = text.trim().trim_end_matches("/s").parse().ok();
        rate.filter(|r: &f64| (1e-3..=1e6).contains(r))
            .map(Self)
            .ok_or("must be a number per second from 0.001 to 1000000, for example 50 or 0.5")
    }
}

/// Numbers of users to try, ascending.
#[derive(Debug, Clone)]
pub(crate) struct Sweep(pub(crate) Vec<NonZeroUsize>);

impl FromStr for Sweep {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wanted = "must be numbers of users from 1 to 1000000, for example users=1,2,4,8";
        let list = text.strip_prefix("users=").ok_or(wanted)?;
        let mut users: Vec<NonZeroUsize> =
            list.split(',').map(|n| count(n.trim()).map_err(|_| wanted)).collect::<Result<_, _>>()?;
        users.sort_unstable();
        users.dedup();
        Ok(Self(users))
    }
}

/// How the starts of an open loop follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Arrival {
    /// At equal intervals
    Constant,
    /// At random intervals (a Poisson process), as with independent clients
    Poisson,
}

/// A file of `--compare`: `three.json`, or `3=three.json`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SavedFile {
    pub(crate) containers: Option<usize>,
    pub(crate) path: PathBuf,
}

impl FromStr for SavedFile {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let counted = text.split_once('=').and_then(|(n, path)| Some((n.parse().ok()?, path)));
        let counted = counted.filter(|(n, _)| *n > 0);
        Ok(match counted {
            Some((n, path)) => Self { containers: Some(n), path: path.into() },
            None => Self { containers: None, path: text.into() },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_before_a_saved_file_is_that_of_its_containers() {
        for (text, containers, path) in [
            ("three.json", None, "three.json"),
            ("3=three.json", Some(3), "three.json"),
            ("0=three.json", None, "0=three.json"),
            ("a=b.json", None, "a=b.json"),
        ] {
            let Ok(file) = text.parse::<SavedFile>();
            assert_eq!((file.containers, file.path), (containers, path.into()), "{text}");
        }
    }

    #[test]
    fn a_replica_is_named_or_called_by_its_address() {
        for (text, name, url) in [
            ("http://10.0.0.3:8000", "10.0.0.3:8000", "http://10.0.0.3:8000"),
            ("localhost:81/metrics", "localhost:81", "http://localhost:81"),
            ("one=http://localhost:81/api/metrics/", "one", "http://localhost:81/api"),
            ("a b=[::1]:81/", "a b", "http://[::1]:81"),
        ] {
            let replica: MetricsUrl = text.parse().expect(text);
            assert_eq!((&*replica.name, &*replica.target.url), (name, url), "{text}");
        }
        for text in ["", "one=", "=localhost", "https://localhost", "a\u{7}=localhost"] {
            let refused = text.parse::<MetricsUrl>().expect_err(text);
            assert!(refused.contains("http://localhost:8"), "{text}: {refused}");
        }
        assert!(format!("{}=localhost", "x".repeat(65)).parse::<MetricsUrl>().is_err());
    }

    #[test]
    fn a_container_is_one_part_of_a_path() {
        for (text, name) in
            [("skinclf-1", "skinclf-1"), ("/a_b.c", "a_b.c"), ("0f3c56be0659", "0f3c56be0659")]
        {
            assert_eq!(text.parse(), Ok(ContainerName(name.to_owned())), "{text}");
        }
        for text in ["", "/", "a/b", "..", "a?b", "a b", "-a", "a%2fb", "\u{e4}"] {
            assert!(text.parse::<ContainerName>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_mix_names_each_endpoint_once() {
        let mix = "predict=4, /health".parse::<Mix>().map(|mix| mix.0);
        assert_eq!(mix, Ok(vec![("/predict".to_owned(), 4), ("/health".to_owned(), 1)]));
        for text in ["", "predict=0", "predict=x", "a b=1", "predict=1,predict=2", "predict=1000001"] {
            assert!(text.parse::<Mix>().is_err_and(|e| e.contains("try predict=4,health=1")), "{text}");
        }
    }
}
