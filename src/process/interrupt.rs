//! SIGINT and SIGTERM: the first sets a flag that asks for an orderly end, the second exits at once. SIGHUP is left as
//! it was inherited: it ends the process, or is ignored under nohup(1).

use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context as _;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::procfs;

static REQUESTED: AtomicBool = AtomicBool::new(false);

/// Whether the user has asked to stop. Always false before [`on_signal`].
pub(crate) fn requested() -> bool {
    REQUESTED.load(Ordering::Relaxed)
}

/// From now on, a first signal sets [`requested`] and calls `first`; a second exits with 130.
pub(crate) fn on_signal(first: impl Fn() + Send + 'static) -> anyhow::Result<()> {
    // A shell without job control starts background jobs with SIGINT ignored: Ctrl-C is not for those.
    let is_ignored = procfs::is_ignored(SIGINT).unwrap_or(false);
    let handled = if is_ignored { vec![SIGTERM] } else { vec![SIGTERM, SIGINT] };
    let mut signals = Signals::new(handled).context("cannot handle signals")?;
    let listen = move || {
        for _ in signals.forever() {
            if REQUESTED.swap(true, Ordering::Relaxed) {
                std::process::exit(130);
            }
            first();
        }
    };
    std::thread::Builder::new().name("signals".to_owned()).spawn(listen).context("cannot handle signals")?;
    Ok(())
}
