//! `--truth`: scores of a run against labels, in place of its results one by one.
//!
//! Read [`Scoring`] first: it takes the results of images and ends in an `Evaluation`, which `tables`, `json` and `page`
//! write.

mod columns;
mod evaluation;
mod json;
mod labels;
mod names;
mod page;
mod scoring;
mod tables;

pub(super) use self::scoring::Scoring;
