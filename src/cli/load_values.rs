//! Values that only a load test takes.

use std::num::NonZeroUsize;
use std::str::FromStr;
use std::time::Duration;

use super::duration;
use crate::bench::load::Weight;

/// Between which two a think time is drawn: `1s-3s`, `500ms`, `0`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Think {
    pub(crate) min: Duration,
    pub(crate) max: Duration,
}

impl FromStr for Think {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (min, max) = text.split_once('-').unwrap_or((text, text));
        let wanted = "must be a time or two, the shorter one first, for example 500ms, 1s-3s or 0";
        let [min, max] = [min, max].map(|text| duration(text).map_err(|_| wanted));
        let think = Self { min: min?, max: max? };
        if think.min > think.max {
            return Err(wanted.into());
        }
        Ok(think)
    }
}

/// What is asked, and how often.
#[derive(Debug, Clone)]
pub(crate) struct Mix(pub(crate) Vec<Weight>);

impl FromStr for Mix {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let weight_of = |part: &str| {
            let (name, weight) = part.split_once('=').unwrap_or((part, "1"));
            let name = name.trim().trim_start_matches('/');
            let is_path = |c: char| c.is_ascii_alphanumeric() || "/-._~".contains(c);
            if name.is_empty() || !name.chars().all(is_path) {
                return Err(format!("{name:?} names no endpoint; try predict=4,health=1"));
            }
            let weight = weight.trim().parse().ok().filter(|&w: &u32| w > 0 && w <= 1_000_000);
            let weight = weight.ok_or_else(|| {
                format!(
                    "the weight of {name} must be a whole number from 1 to 1000000; try predict=4,health=1"
                )
            })?;
            Ok(Weight { endpoint: format!("/{name}"), weight })
        };
        let mix: Vec<_> = text.split(',').map(weight_of).collect::<Result<_, _>>()?;
        match mix.iter().enumerate().find(|(n, w)| mix[..*n].iter().any(|v| v.endpoint == w.endpoint)) {
            Some((_, twice)) => Err(format!("{} is there twice; try predict=4,health=1", twice.endpoint)),
            None => Ok(Self(mix)),
        }
    }
}

/// A rate.
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
        let wanted = "must be numbers of users from 1, for example users=1,2,4,8";
        let list = text.strip_prefix("users=").ok_or(wanted)?;
        let mut users: Vec<NonZeroUsize> =
            list.split(',').map(|n| n.trim().parse().map_err(|_| wanted)).collect::<Result<_, _>>()?;
        users.sort_unstable();
        users.dedup();
        Ok(Self(users))
    }
}
