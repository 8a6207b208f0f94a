//! Reading files and streams whole, up to a limit on their size.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::path::Path;

/// Why a file or stream was not read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// Not a regular file. It is not opened: a pipe may wait for ever, and a device may have no end.
    #[error("a pipe, socket or device")]
    NotAFile,
    /// Longer than the limit, in bytes.
    #[error("larger than {}", shown(*.0))]
    TooLarge(u64),
    /// The operating system reports an error.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl From<ReadError> for io::Error {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Io(error) => error,
            ReadError::TooLarge(_) => Self::new(ErrorKind::FileTooLarge, error.to_string()),
            ReadError::NotAFile => Self::new(ErrorKind::InvalidInput, error.to_string()),
        }
    }
}

/// Reads a regular file of at most `limit` bytes.
///
/// # Errors
/// See [`ReadError`].
pub fn read_file(path: &Path, limit: u64) -> Result<Vec<u8>, ReadError> {
    let metadata = fs::metadata(path)?;
    if !metadata.is_file() {
        return Err(ReadError::NotAFile);
    }
    if metadata.len() > limit {
        return Err(ReadError::TooLarge(limit));
    }
    // One more shows the end without growing. The size may be wrong, as for files in /proc.
    read(File::open(path)?, metadata.len() as usize + 1, limit)
}

/// Reads a stream to its end, but at most `limit` bytes; `expected` is a guess of how many there are.
///
/// # Errors
/// [`ReadError::TooLarge`] beyond the limit, and what the stream reports.
pub fn read(stream: impl Read, expected: usize, limit: u64) -> Result<Vec<u8>, ReadError> {
    let mut bytes = Vec::with_capacity(expected);
    stream.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit { Err(ReadError::TooLarge(limit)) } else { Ok(bytes) }
}

/// `256.0 MiB`
fn shown(bytes: u64) -> String {
    let units = [("GiB", 30), ("MiB", 20), ("KiB", 10)];
    match units.into_iter().find(|(_, shift)| bytes >= 1 << shift) {
        Some((unit, shift)) => format!("{:.1} {unit}", bytes as f64 / f64::from(1 << shift)),
        None => format!("{bytes} B"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_may_be_as_long_as_the_limit() {
        assert!(read(&b"four"[..], 0, 4).is_ok_and(|bytes| bytes == b"four"));
        assert!(matches!(read(&b"fives"[..], 0, 4), Err(ReadError::TooLarge(4))));
        assert!(matches!(read(io::repeat(0), 0, 1 << 20), Err(ReadError::TooLarge(_))));
    }

    #[test]
    fn limits_are_shown_in_the_largest_whole_unit() {
        for (bytes, text) in [
            (5, "5 B"),
            (1 << 10, "1.0 KiB"),
            (3 << 19, "1.5 MiB"),
            (256 << 20, "256.0 MiB"),
            (2 << 30, "2.0 GiB"),
        ] {
            assert_eq!(shown(bytes), text);
        }
    }
}
