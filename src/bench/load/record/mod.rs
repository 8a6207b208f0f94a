//! Counts what happens while a run goes on, and makes the figures of the run of it.
//!
//! Imports `client` (to ask servers for their `/metrics`) and `result`. `recorder` counts with `tally`, `latencies`,
//! `stages` and `stalls`; `summary` makes figures of it and of what `servers` scraped. Read [`Recorder::end`] first.

mod latencies;
mod recorder;
mod servers;
mod stages;
mod stalls;
mod summary;
mod tally;

pub(crate) use self::recorder::{Recorder, Times};
pub(crate) use self::servers::{Scraper, Server};
pub(crate) use self::summary::{Ending, summary};
pub(crate) use self::tally::Ended;
