//! One line per request on stderr: never an image, a file name or a key.

use std::cell::Cell;
use std::io::{self, Write as _};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, SystemTime};

use serde::Serialize;

use super::trace::TraceContext;
use crate::cli::LogFormat;

/// Lines that may wait for a slow reader of stderr; beyond that lines are lost, not requests.
const BACKLOG: usize = 1024;

/// For how long lines are gathered: a wake-up for each would interrupt an inference for each.
const GATHER: Duration = Duration::from_millis(20);

/// How long a stuck reader of stderr can delay the end of the process.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);

/// Writes from a thread of its own, so that a stuck reader of stderr cannot hold up requests.
pub(super) struct RequestLog {
    format: LogFormat,
    lines: Cell<Option<SyncSender<String>>>,
    /// Disconnected once all lines are written.
    written: Receiver<()>,
}

#[derive(Serialize)]
pub(super) struct Entry<'a> {
    pub(super) request_id: &'a str,
    pub(super) method: &'a str,
    pub(super) route: &'a str,
    pub(super) status: u16,
    pub(super) received_bytes: usize,
    pub(super) sent_bytes: usize,
    #[serde(rename = "duration_ms", serialize_with = "as_milliseconds")]
    pub(super) duration: Duration,
    /// The header's value; empty if nothing was classified.
    pub(super) server_timing: &'a str,
    #[serde(flatten)]
    pub(super) trace: Option<TraceContext>,
}

#[derive(Serialize)]
struct Line<'a> {
    time: String,
    #[serde(flatten)]
    entry: &'a Entry<'a>,
}

impl Line<'_> {
    fn text(&self) -> String {
        let Entry { request_id, method, route, status, received_bytes, sent_bytes, .. } = self.entry;
        let stages = if self.entry.server_timing.is_empty() { "-" } else { self.entry.server_timing };
        let (time, ms) = (&self.time, milliseconds(self.entry.duration));
        let trace =
            self.entry.trace.as_ref().map_or(String::new(), |TraceContext { trace_id, parent_id }| {
                format!(" trace_id={trace_id} parent_id={parent_id}")
            });
        format!(
            "{time} {method} {route} {status} in={received_bytes} out={sent_bytes} {ms}ms [{stages}] {request_id}{trace}"
        )
    }
}

/// To the microsecond.
fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

fn as_milliseconds<S: serde::Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(milliseconds(*duration))
}

impl RequestLog {
    pub(super) fn start(format: LogFormat) -> Self {
        let (lines, queue) = sync_channel::<String>(BACKLOG);
        let (writing, written) = sync_channel(0);
        std::thread::spawn(move || {
            let _writing: SyncSender<()> = writing;
            while let Ok(mut lines) = queue.recv() {
                std::thread::sleep(GATHER);
                lines.extend(queue.try_iter());
                // Fails if nobody reads stderr any more, and then there is nowhere to report it.
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
        let time = humantime::format_rfc3339_millis(SystemTime::now()).to_string();
        let line = Line { time, entry };
        let mut line = match self.format {
            LogFormat::Json => serde_json::to_string(&line).expect("strings and finite numbers are JSON"),
            LogFormat::Text | LogFormat::Off => line.text(),
        };
        line.push('\n');
        // A full backlog means that stderr is stuck.
        let _ = lines.try_send(line);
        self.lines.set(Some(lines));
    }

    /// Takes no more lines, and waits up to a second until those taken are written.
    pub(super) fn finish(&self) {
        drop(self.lines.take());
        let _ = self.written.recv_timeout(FLUSH_TIMEOUT);
    }
}
