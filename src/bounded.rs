//! Files and streams that the user names, read whole up to a limit.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::path::Path;

use bytesize::ByteSize;

/// Reads a regular file. Nothing else is opened: a pipe may wait for ever, and a device may have no end.
///
/// # Errors
/// Of kind [`ErrorKind::FileTooLarge`] beyond the limit.
pub(crate) fn read_file(path: &Path, limit: ByteSize) -> io::Result<Vec<u8>> {
    let metadata = fs::metadata(path)?;
    if !metadata.is_file() {
        let kind = "a pipe, socket or device; pipe it to standard input and name -";
        return Err(io::Error::new(ErrorKind::InvalidInput, kind));
    }
    if metadata.len() > limit.as_u64() {
        return Err(too_large(limit));
    }
    // One more shows the end without growing. The size may be wrong, as for files in /proc.
    read(File::open(path)?, metadata.len() as usize + 1, limit)
}

/// Reads a stream of about so many bytes to its end.
///
/// # Errors
/// Of kind [`ErrorKind::FileTooLarge`] beyond the limit.
pub(crate) fn read(stream: impl Read, expected: usize, limit: ByteSize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(expected);
    stream.take(limit.as_u64().saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit.as_u64() { Err(too_large(limit)) } else { Ok(bytes) }
}

fn too_large(limit: ByteSize) -> io::Error {
    io::Error::new(ErrorKind::FileTooLarge, format!("larger than {limit}"))
}
