//! What results are written to: a file has all of its new content or all of its old, unless it grows line by line.

use std::fs::{self, File};
use std::io::{self, Seek as _, Write};
use std::iter;
use std::os::unix::fs::{MetadataExt as _, fchown};
use std::path::{Path, PathBuf};

use tempfile::TempPath;

/// Standard output or a file.
pub(crate) enum OutputStream {
    Stdout(io::Stdout),
    Whole(Whole),
    InPlace(InPlace),
}

impl OutputStream {
    /// A file that gets its content at once, by [`OutputStream::finish`]. What is no regular file is written in place.
    pub(crate) fn whole(path: &Path) -> io::Result<Self> {
        Ok(match Whole::open(path)? {
            Some(whole) => Self::Whole(whole),
            None => Self::in_place(path)?,
        })
    }

    /// A file that is emptied by the first write and grows with each further one.
    pub(crate) fn in_place(path: &Path) -> io::Result<Self> {
        InPlace::open(path).map(Self::InPlace)
    }

    pub(crate) fn is_file(&self) -> bool {
        match self {
            Self::Stdout(_) => false,
            Self::Whole(_) => true,
            Self::InPlace(target) => target.is_file,
        }
    }

    /// Has what was written survive a power cut, where a file is still to get its name.
    pub(crate) fn sync(&self) -> io::Result<()> {
        match self {
            Self::Whole(whole) => whole.file.sync_all(),
            Self::Stdout(_) | Self::InPlace(_) => Ok(()),
        }
    }

    /// Gives the file its name, if anything was written.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        self.flush()?;
        match self {
            Self::Whole(whole) => whole.finish(),
            Self::Stdout(_) | Self::InPlace(_) => Ok(()),
        }
    }
}

impl Write for OutputStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Stdout(stdout) => stdout.write(bytes),
            Self::Whole(whole) => {
                whole.begun = true;
                whole.file.write(bytes)
            }
            Self::InPlace(file) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Stdout(stdout) => stdout.flush(),
            Self::Whole(whole) => whole.file.flush(),
            Self::InPlace(file) => file.flush(),
        }
    }
}

/// A temporary file beside the one that it replaces.
pub(crate) struct Whole {
    file: File,
    temporary: TempPath,
    target: PathBuf,
    begun: bool,
}

impl Whole {
    /// `None` for what cannot be replaced by a file: a device, a pipe, or a file whose folder takes no other.
    fn open(path: &Path) -> io::Result<Option<Self>> {
        let before = match fs::metadata(path) {
            Ok(before) => Some(before),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        let target = resolved(path);
        // /dev/stdout may lead to a file that has no name any more.
        if before.as_ref().is_some_and(|before| !before.is_file() || !target.exists()) {
            return Ok(None);
        }
        try_name(&target, before.is_some())?;
        let folder =
            target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let new = |path: &Path| File::options().read(true).write(true).create_new(true).open(path);
        let temporary = tempfile::Builder::new().prefix(".skinclf-").suffix(".tmp").make_in(folder, new);
        let (file, temporary) = match temporary {
            Ok(temporary) => temporary.into_parts(),
            Err(_) if before.is_some() => return Ok(None),
            Err(error) => return Err(error),
        };
        if let Some(before) = before {
            keep_owner(&file, &before);
            file.set_permissions(before.permissions())?;
        }
        Ok(Some(Self { file, temporary, target, begun: false }))
    }

    fn finish(mut self) -> io::Result<()> {
        if !self.begun {
            return Ok(());
        }
        match self.temporary.persist(&self.target) {
            Ok(()) => Ok(()),
            // A file that is a mount of its own, as containers have it, can be written but not replaced.
            Err(_) if self.target.is_file() => {
                self.file.rewind()?;
                io::copy(&mut self.file, &mut File::create(&self.target)?).map(drop)
            }
            Err(failed) => Err(failed.error),
        }
    }
}

/// Where links lead, whether or not anything is there.
fn resolved(path: &Path) -> PathBuf {
    let next = |path: &PathBuf| Some(path.parent()?.join(path.read_link().ok()?));
    // So many are followed by Linux.
    iter::successors(Some(path.to_owned()), next).take(41).last().unwrap_or_default()
}

/// Finds out before the run what would forbid to write there after it.
fn try_name(target: &Path, exists: bool) -> io::Result<()> {
    if exists {
        return File::options().write(true).open(target).map(drop);
    }
    File::create_new(target)?;
    fs::remove_file(target)
}

/// A file that a group shares stays the group's, where the system allows it.
fn keep_owner(file: &File, before: &fs::Metadata) {
    let _ = fchown(file, Some(before.uid()), Some(before.gid()));
}

/// A device or a pipe, or a file that holds at any time what was flushed last.
pub(crate) struct InPlace {
    file: File,
    path: PathBuf,
    /// Whether this run made the file.
    made: bool,
    /// A device or a pipe has no length.
    is_file: bool,
    begun: bool,
    failed: bool,
    length: u64,
    flushed: u64,
}

impl InPlace {
    fn open(path: &Path) -> io::Result<Self> {
        let made = !path.exists();
        let file = File::options().write(true).create(true).truncate(false).open(path)?;
        let is_file = file.metadata()?.is_file();
        let path = resolved(path);
        Ok(Self { file, path, made, is_file, begun: false, failed: false, length: 0, flushed: 0 })
    }
}

impl Write for InPlace {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // Buffers try again when they are dropped.
        if self.failed {
            return Err(io::Error::other("what comes before could not be written"));
        }
        if !std::mem::replace(&mut self.begun, true) && self.is_file {
            self.file.set_len(0)?;
        }
        let written = self.file.write(bytes);
        match &written {
            Ok(count) => self.length += *count as u64,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => {
                self.failed = true;
                if self.is_file {
                    self.file.set_len(self.flushed)?;
                }
            }
        }
        written
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()?;
        self.flushed = self.length;
        Ok(())
    }
}

impl Drop for InPlace {
    fn drop(&mut self) {
        if self.made && !self.begun {
            let _ = fs::remove_file(&self.path);
        }
    }
}
