//! `--truth`: scores of a run against labels, in place of its results one by one.

mod figures;
mod html;
mod json;
mod labels;
mod names;
mod report;
mod scoring;
mod table;

pub(super) use self::scoring::Scoring;

/// So many give intervals whose ends hardly move from seed to seed.
const RESAMPLES: usize = 1000;

/// Any would do; one that is fixed makes the output repeatable.
const SEED: u64 = 0x5eed;
