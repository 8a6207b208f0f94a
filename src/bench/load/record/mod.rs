//! Counts what happens while a run goes on, and makes the figures of the run of it.
//!
//! Imports `client` (to ask servers for their `/metrics`) and `result`. `recorder` counts with `tally`, `latencies`,
//! `stages`, `stalls` and `served_by`; `observers` watch `servers`, `replicas` and `containers`, whose counters `scrape`,
//! `engine` and `counter` read; `summary` makes figures of all. Read [`Recorder::end`] first.

mod containers;
mod counter;
mod engine;
mod latencies;
mod observers;
mod recorder;
mod replicas;
mod scrape;
mod served_by;
mod servers;
mod stages;
mod stalls;
mod summary;
mod tally;

pub(crate) use self::containers::Container;
#[cfg(test)]
pub(crate) use self::observers::Observed;
pub(crate) use self::observers::{Observers, Tested};
pub(crate) use self::recorder::{Recorder, Times};
pub(crate) use self::replicas::Replica;
pub(crate) use self::servers::Server;
pub(crate) use self::summary::{Ending, summary};
pub(crate) use self::tally::Ended;
