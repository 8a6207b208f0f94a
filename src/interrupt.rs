//! SIGINT and SIGTERM as a flag: the first asks for an orderly end, the second ends at once.

use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context as _;

static REQUESTED: AtomicBool = AtomicBool::new(false);

/// Whether the user has asked to stop. Always false before [`on_signal`].
pub(crate) fn requested() -> bool {
    REQUESTED.load(Ordering::Relaxed)
}

/// From now on, a first signal sets [`requested`] and calls `first`; a second exits with 130.
pub(crate) fn on_signal(first: impl Fn() + Send + 'static) -> anyhow::Result<()> {
    let handler = move || {
        if REQUESTED.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
        first();
    };
    ctrlc::set_handler(handler).context("cannot handle signals")
}
