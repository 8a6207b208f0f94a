//! SIGINT and SIGTERM as a flag: the first asks for an orderly end, the second ends at once. SIGHUP is left as it was
//! inherited: it ends the process, or is ignored under nohup(1).

use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context as _;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

static REQUESTED: AtomicBool = AtomicBool::new(false);

/// Whether the user has asked to stop. Always false before [`on_signal`].
pub(crate) fn requested() -> bool {
    REQUESTED.load(Ordering::Relaxed)
}

/// From now on, a first signal sets [`requested`] and calls `first`; a second exits with 130.
pub(crate) fn on_signal(first: impl Fn() + Send + 'static) -> anyhow::Result<()> {
    let handled = [SIGTERM, SIGINT].into_iter().filter(|&signal| signal == SIGTERM || !is_ignored(signal));
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

/// Whether the process was started with a signal ignored, as a shell without job control does for what it runs in the
/// background: Ctrl-C is not for that. Only Linux tells (proc(5)).
fn is_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or_default();
    mask >> (signal - 1) & 1 == 1
}
