//! Takes note of what happens while a run goes on, and ends in a [`Run`](super::result::Run).

mod gaps;
mod latencies;
mod recorder;
mod scrape;
mod server;
mod stages;
mod summary;
mod tally;
mod thirds;

pub(crate) use self::recorder::Recorder;
pub(crate) use self::scrape::Watch;
pub(crate) use self::server::Server;
pub(crate) use self::summary::{End, run as summary};
pub(crate) use self::tally::{Ended, Tally};
pub(crate) use self::thirds::Tails;
