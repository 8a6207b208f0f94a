//! `--truth`: evaluates the predictions of a run against labels, instead of printing them one by one.
//!
//! Read [`Scoring`] first: it collects predictions and turns them into an `Evaluation`, which `tables`, `json` and `page`
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
