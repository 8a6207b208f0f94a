//! What a run means: pure functions of it.

pub(crate) mod findings;
pub(crate) mod knee;
mod threshold;
pub(crate) mod verdict;

pub(crate) use self::threshold::Condition;
pub(crate) use self::verdict::TOLERATED_FAILURES;
