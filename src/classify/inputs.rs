//! The images that arguments, directories and lists name, one at a time: a million paths are never held at once.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufRead, BufReader, ErrorKind, Read};
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use bytesize::ByteSize;
use skinclf::bounded::{self, ReadError};
use skinclf::image::has_image_extension;
use walkdir::WalkDir;

use crate::output::Failure;

#[derive(Debug)]
pub(super) enum Input {
    File(PathBuf),
    /// Standard input as it was named, and its content.
    Stdin(PathBuf, Result<Vec<u8>, ReadError>),
    Unreadable(PathBuf, String),
}

impl Input {
    pub(super) fn name(&self) -> String {
        match self {
            Self::File(path) | Self::Stdin(path, _) | Self::Unreadable(path, _) => {
                path.to_string_lossy().into_owned()
            }
        }
    }

    /// The encoded image, if it has at most `max_file` bytes.
    pub(super) fn read(self, max_file: ByteSize) -> Result<Vec<u8>, Failure> {
        match self {
            Self::File(path) => bounded::read_file(&path, max_file.as_u64()).map_err(|e| unread(&e)),
            Self::Stdin(_, read) => read.map_err(|e| unread(&e)),
            Self::Unreadable(_, message) => Err(Failure::new("read_failed", message)),
        }
    }
}

fn unread(error: &ReadError) -> Failure {
    match error {
        ReadError::TooLarge(_) => {
            Failure::new("file_too_large", format_args!("{error}; raise --max-file to read it"))
        }
        ReadError::NotAFile => Failure::new(
            "read_failed",
            format_args!("cannot be read: {error}; pipe it to standard input and use - as the path"),
        ),
        ReadError::Io(_) => Failure::new("read_failed", format_args!("cannot be read: {error}")),
    }
}

/// All inputs in the order in which they are named: arguments first, then the list of `--files-from`.
pub(super) struct Inputs {
    arguments: VecDeque<PathBuf>,
    list: Option<PathList>,
    list_source: Option<PathBuf>,
    directory: Option<walkdir::IntoIter>,
    skipped: Option<PathBuf>,
    stdin: Box<dyn Read + Send>,
    max_file: ByteSize,
}

impl Inputs {
    /// Directories are searched for images. Files directly in `skipped` are left out: it is the canonical path of the
    /// folder that the run writes to. At most `max_file` of standard input is read.
    pub(super) fn new(
        arguments: &[PathBuf],
        files_from: Option<&Path>,
        skipped: Option<&Path>,
        max_file: ByteSize,
    ) -> anyhow::Result<Self> {
        let list = files_from.map(PathList::open).transpose()?;
        Ok(Self {
            arguments: arguments.to_vec().into(),
            list,
            list_source: files_from.map(Path::to_owned),
            directory: None,
            skipped: skipped.map(Path::to_owned),
            stdin: Box::new(io::stdin()),
            max_file,
        })
    }

    /// The same inputs from the start, to count them; standard input is empty. `None` if the list can be read only once.
    pub(super) fn reopen(&self) -> Option<Self> {
        let list_source = self.list_source.as_deref();
        if list_source.is_some_and(|path| is_stdin(path) || !path.is_file()) {
            return None;
        }
        let arguments: Vec<_> = self.arguments.iter().cloned().collect();
        let again = Self::new(&arguments, list_source, self.skipped.as_deref(), self.max_file).ok()?;
        Some(Self { stdin: Box::new(io::empty()), ..again })
    }

    fn is_skipped(&self, entry: &walkdir::Result<walkdir::DirEntry>) -> bool {
        let (Some(skipped), Ok(entry)) = (&self.skipped, entry) else { return false };
        let folder = entry.path().parent().and_then(|folder| folder.canonicalize().ok());
        !entry.file_type().is_dir() && folder.is_some_and(|folder| folder == *skipped)
    }

    /// Read here and not by a worker: an interruption waits for workers, but standard input may never end.
    fn read_stdin(&mut self, name: PathBuf) -> Input {
        Input::Stdin(name, bounded::read(&mut self.stdin, 0, self.max_file.as_u64()))
    }

    fn next_named(&mut self) -> Option<io::Result<PathBuf>> {
        self.arguments.pop_front().map(Ok).or_else(|| self.list.as_mut()?.next())
    }
}

impl Iterator for Inputs {
    type Item = Input;

    fn next(&mut self) -> Option<Input> {
        loop {
            while let Some(entry) = self.directory.as_mut().and_then(Iterator::next) {
                if !self.is_skipped(&entry)
                    && let Some(input) = image_of_entry(entry)
                {
                    return Some(input);
                }
            }
            let path = match self.next_named()? {
                Ok(path) => path,
                Err(e) => {
                    self.list = None;
                    let source = self.list_source.clone().unwrap_or_default();
                    return Some(Input::Unreadable(
                        source,
                        format!("the rest of this list of paths cannot be read: {e}"),
                    ));
                }
            };
            if is_stdin(&path) {
                return Some(self.read_stdin(path));
            }
            if !path.is_dir() {
                return Some(Input::File(path));
            }
            self.directory = Some(WalkDir::new(path).follow_links(true).sort_by_file_name().into_iter());
        }
    }
}

fn image_of_entry(entry: walkdir::Result<walkdir::DirEntry>) -> Option<Input> {
    match entry {
        // Links are followed, so this is the type of what a link leads to.
        Ok(entry) if !entry.file_type().is_file() || !has_image_extension(entry.path()) => None,
        Ok(entry) => Some(Input::File(entry.into_path())),
        Err(e) => {
            let path = e.path().unwrap_or(Path::new("")).to_owned();
            // The text of a walkdir error has the path in it, which is printed before the message.
            let message = match e.io_error() {
                Some(e) => format!("cannot be read: {e}"),
                None => "is a link to a folder that contains it, which is not searched again".to_owned(),
            };
            Some(Input::Unreadable(path, message))
        }
    }
}

/// Also for standard output, where a flag names an output.
pub(super) fn is_stdin(path: &Path) -> bool {
    ["-", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"].iter().any(|name| path.as_os_str() == *name)
}

pub(super) fn open(path: &Path) -> io::Result<Box<dyn Read + Send>> {
    Ok(if is_stdin(path) { Box::new(io::stdin()) } else { Box::new(File::open(path)?) })
}

/// Far longer than the paths of any file system: a file without separators is not a list.
const LONGEST_PATH: u64 = 1 << 16;

/// Paths from a file or standard input, separated by NUL if the first block contains one, otherwise one per line.
struct PathList {
    reader: BufReader<Box<dyn Read + Send>>,
    separator: Option<u8>,
}

impl PathList {
    fn open(source: &Path) -> anyhow::Result<Self> {
        let file = open(source).with_context(|| format!("--files-from {}", source.display()))?;
        Ok(Self { reader: BufReader::new(file), separator: None })
    }

    fn read_next(&mut self) -> io::Result<Option<PathBuf>> {
        let separator = match self.separator {
            Some(separator) => separator,
            None => *self.separator.insert(if self.reader.fill_buf()?.contains(&0) { 0 } else { b'\n' }),
        };
        loop {
            let mut name = Vec::new();
            let mut rest = self.reader.by_ref().take(LONGEST_PATH);
            if rest.read_until(separator, &mut name)? == 0 {
                return Ok(None);
            }
            if rest.limit() == 0 && name.last() != Some(&separator) {
                let what = format!("a path in it is longer than {LONGEST_PATH} bytes");
                return Err(io::Error::new(ErrorKind::InvalidData, what));
            }
            name.pop_if(|last| *last == separator);
            if separator == b'\n' {
                name.pop_if(|last| *last == b'\r');
            }
            if !name.is_empty() {
                return Ok(Some(OsString::from_vec(name).into()));
            }
        }
    }
}

impl Iterator for PathList {
    type Item = io::Result<PathBuf>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read_next().transpose()
    }
}
