//! Output files. A file has all of its new content or all of its old content, unless it grows line by line.

use std::fs::{self, File};
use std::io::{self, Seek as _, Write};
use std::iter;
use std::os::unix::fs::{MetadataExt as _, fchown};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tempfile::TempPath;

pub(crate) enum OutputStream {
    Stdout(io::Stdout),
    Whole(Whole),
    InPlace(InPlace),
}

impl OutputStream {
    /// A file that gets its content at once, by [`OutputStream::finish`]. A device or pipe is written in place.
    pub(crate) fn whole(path: &Path) -> io::Result<Self> {
        Ok(match Whole::open(path)? {
            Some(whole) => Self::Whole(whole),
            None => Self::in_place(path)?,
        })
    }

    /// A file that the first write empties and each further write extends.
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

    /// Makes what was written survive a power cut, before the file gets its name.
    pub(crate) fn sync(&self) -> io::Result<()> {
        match self {
            Self::Whole(whole) => whole.file.sync_all(),
            Self::InPlace(target) if target.synced.is_some() => target.file.sync_all(),
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
    /// `None` for what cannot be replaced by a file: a device, a pipe, or a file in a folder where none can be created.
    pub(super) fn open(path: &Path) -> io::Result<Option<Self>> {
        let before = match fs::metadata(path) {
            Ok(before) => Some(before),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        let target = resolved(path);
        // /dev/stdout may lead to a file that was deleted.
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

    /// Gives the file its name, with the content that `fill` writes, and keeps it open.
    pub(super) fn replace(mut self, fill: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<File> {
        fill(&mut self.file)?;
        self.file.sync_all()?;
        self.temporary.persist(&self.target).map_err(|failed| failed.error)?;
        Ok(self.file)
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
pub(super) fn resolved(path: &Path) -> PathBuf {
    let next = |path: &PathBuf| Some(path.parent()?.join(path.read_link().ok()?));
    // Linux follows 40 links.
    iter::successors(Some(path.to_owned()), next).take(41).last().unwrap_or_default()
}

/// Fails before the run if the file could not be written after it.
fn try_name(target: &Path, exists: bool) -> io::Result<()> {
    if exists {
        return File::options().write(true).open(target).map(drop);
    }
    File::create_new(target)?;
    fs::remove_file(target)
}

/// A file that a group shares keeps its group, where the system allows that.
fn keep_owner(file: &File, before: &fs::Metadata) {
    if fchown(file, Some(before.uid()), Some(before.gid())).is_err() {
        let _ = fchown(file, None, Some(before.gid()));
    }
}

/// A device or a pipe, or a file that always holds what was flushed last.
pub(crate) struct InPlace {
    file: File,
    path: PathBuf,
    /// Whether this run created the file.
    made: bool,
    is_file: bool,
    begun: bool,
    failed: bool,
    length: u64,
    flushed: u64,
    /// Of a file that keeps its content and is extended: when it was last brought to the disk.
    synced: Option<Instant>,
}

/// What a power cut may cost a file that is extended.
const SYNC_EVERY: Duration = Duration::from_secs(1);

impl InPlace {
    /// A file of so many bytes, to extend.
    pub(super) fn extending(file: File, path: PathBuf, made: bool, length: u64) -> Self {
        let synced = Some(Instant::now());
        let (is_file, begun, failed, flushed) = (true, false, false, length);
        Self { file, path, made, is_file, begun, failed, length, flushed, synced }
    }

    fn open(path: &Path) -> io::Result<Self> {
        let made = !path.exists();
        let file = File::options().write(true).create(true).truncate(false).open(path)?;
        let is_file = file.metadata()?.is_file();
        let path = resolved(path);
        let (begun, failed, length, flushed, synced) = (false, false, 0, 0, None);
        Ok(Self { file, path, made, is_file, begun, failed, length, flushed, synced })
    }
}

impl Write for InPlace {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // A BufWriter tries again when it is dropped.
        if self.failed {
            return Err(io::Error::other("an earlier write failed"));
        }
        if !std::mem::replace(&mut self.begun, true) && self.is_file && self.synced.is_none() {
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
        if self.synced.is_some_and(|synced| synced.elapsed() >= SYNC_EVERY) {
            self.file.sync_data()?;
            self.synced = Some(Instant::now());
        }
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
