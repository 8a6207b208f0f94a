//! One line a request on stderr: never an image, a file name or a key.

use std::cell::Cell;
use std::io::{self, Write as _};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, SystemTime};

use crate::cli::LogFormat;

/// Lines that may wait for a slow reader of stderr; beyond that lines are lost, not requests.
const BACKLOG: usize = 1024;

/// For how long lines are gathered: a wake-up for each would interrupt an inference for each.
const GATHER: Duration = Duration::from_millis(20);

/// How long a stuck reader of stderr can delay the end of the process.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);

/// Writes from a thread of its own, so that a stuck reader of stderr cannot hold up requests.
pub(super) struct AccessLog {
    format: LogFormat,
    lines: Cell<Option<SyncSender<String>>>,
    /// Disconnected once all lines are written.
    written: Receiver<()>,
}

/// One answered request.
#[derive(serde::Serialize)]
pub(super) struct Entry<'a> {
    pub(super) time: String,
    pub(super) request_id: &'a str,
    pub(super) method: &'a str,
    pub(super) route: &'a str,
    pub(super) status: u16,
    pub(super) received_bytes: usize,
    pub(super) sent_bytes: usize,
    pub(super) duration_ms: f64,
    /// As in `Server-Timing`, which see; empty if nothing was classified.
    pub(super) server_timing: &'a str,
}

impl<'a> Entry<'a> {
    pub(super) fn new(
        request_id: &'a str,
        method: &'a str,
        route: &'a str,
        status: u16,
        took: Duration,
    ) -> Self {
        let time = humantime::format_rfc3339_millis(SystemTime::now()).to_string();
        let duration_ms = (took.as_secs_f64() * 1e6).round() / 1e3;
        let (received_bytes, sent_bytes, server_timing) = (0, 0, "");
        Self {
            time,
            request_id,
            method,
            route,
            status,
            received_bytes,
            sent_bytes,
            duration_ms,
            server_timing,
        }
    }

    fn text(&self) -> String {
        let Self { time, request_id, method, route, status, received_bytes, sent_bytes, duration_ms, .. } =
            self;
        let stages = if self.server_timing.is_empty() { "-" } else { self.server_timing };
        format!(
            "{time} {method} {route} {status} in={received_bytes} out={sent_bytes} {duration_ms}ms [{stages}] {request_id}"
        )
    }
}

impl AccessLog {
    pub(super) fn start(format: LogFormat) -> Self {
        let (lines, queue) = sync_channel::<String>(BACKLOG);
        let (writing, written) = sync_channel(0);
        std::thread::spawn(move || {
            let _writing: SyncSender<()> = writing;
            while let Ok(mut lines) = queue.recv() {
                std::thread::sleep(GATHER);
                lines.extend(queue.try_iter());
                // Fails if nobody reads it any more, and then there is nobody to tell.
                let _ = io::stderr().write_all(lines.as_bytes());
            }
        });
        let lines = (format != LogFormat::Off).then_some(lines);
        Self { format, lines: Cell::new(lines), written }
    }

    pub(super) fn write(&self, entry: &Entry<'_>) {
        let Some(lines) = self.lines.take() else {
            return;
        };
        let mut line = match self.format {
            LogFormat::Json => serde_json::to_string(entry).expect("strings and finite numbers are JSON"),
            LogFormat::Text | LogFormat::Off => entry.text(),
        };
        line.push('\n');
        // A full backlog means that stderr is stuck.
        let _ = lines.try_send(line);
        self.lines.set(Some(lines));
    }

    /// Takes no more lines, and waits a little until those taken are written.
    pub(super) fn finish(&self) {
        drop(self.lines.take());
        let _ = self.written.recv_timeout(FLUSH_TIMEOUT);
    }
}
