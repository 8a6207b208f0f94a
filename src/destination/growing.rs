//! A file that grows from run to run. One run at a time: it is locked while it is open.

use std::fs::{self, File, TryLockError};
use std::io::{self, BufRead, BufReader, BufWriter, Seek as _, Write};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::stream::{InPlace, OutputStream, Whole, resolved};

pub(crate) struct Growing {
    file: File,
    /// Where links lead.
    path: PathBuf,
    /// Whether this run created the file.
    made: bool,
}

impl Growing {
    /// Opens the file, which is created if it does not exist, and locks it.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let path = resolved(path);
        loop {
            let made = !path.exists();
            let file = File::options().read(true).append(true).create(true).open(&path)?;
            if !file.metadata()?.is_file() {
                return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
            }
            lock(&file)?;
            // Another run may have replaced or removed the file between opening and locking.
            if is_at(&file, &path)? {
                return Ok(Self { file, path, made });
            }
        }
    }

    /// The file from its start.
    pub(crate) fn content(&self) -> io::Result<impl BufRead> {
        (&self.file).rewind()?;
        Ok(BufReader::new(&self.file))
    }

    /// Drops what is beyond so many bytes.
    pub(crate) fn cut(&self, length: u64) -> io::Result<()> {
        if self.file.metadata()?.len() > length { self.file.set_len(length) } else { Ok(()) }
    }

    /// Replaces the content by what `fill` makes of it: as a whole or, if that fails, not at all.
    pub(crate) fn rewrite(
        &mut self,
        fill: impl FnOnce(&mut dyn BufRead, &mut dyn Write) -> io::Result<()>,
    ) -> io::Result<()> {
        let Some(whole) = Whole::open(&self.path)? else {
            return Err(io::Error::other("no file can be created beside it to replace it"));
        };
        let replaced = {
            let mut content = self.content()?;
            whole.replace(|file| {
                lock(file)?;
                let mut out = BufWriter::new(file);
                fill(&mut content, &mut out)?;
                out.flush()
            })?
        };
        self.file = replaced;
        Ok(())
    }

    /// The stream that appends, and the length before it.
    pub(super) fn into_stream(mut self) -> io::Result<(OutputStream, u64)> {
        let length = self.file.seek(io::SeekFrom::End(0))?;
        Ok((OutputStream::InPlace(InPlace::extending(self.file, self.path, self.made, length)), length))
    }
}

fn lock(file: &File) -> io::Result<()> {
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => {
            Err(io::Error::new(io::ErrorKind::ResourceBusy, "another run is writing to this file"))
        }
        // Some network file systems have no locks.
        Ok(()) | Err(TryLockError::Error(_)) => Ok(()),
    }
}

fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let opened = file.metadata()?;
    match fs::metadata(path) {
        Ok(named) => Ok((named.dev(), named.ino()) == (opened.dev(), opened.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}
