//! Where results go: standard output or files, which are not left half-written.

mod growing;
mod stream;

use std::io::{self, BufWriter, IsTerminal as _, Write};
use std::path::Path;

use anyhow::Context as _;
use skinclf::image::has_image_extension;

pub(crate) use self::growing::Growing;
use self::stream::OutputStream;

/// Standard output or a file. A file keeps its old content until [`Destination::finish`].
pub(crate) struct Destination {
    writer: BufWriter<OutputStream>,
    name: String,
    is_terminal: bool,
    is_continued: bool,
}

impl Destination {
    /// Standard output, or the file of `--output`, where `-` is standard output too.
    pub(crate) fn open(path: Option<&Path>) -> anyhow::Result<Self> {
        Self::of_output(path, OutputStream::whole)
    }

    /// As [`Destination::open`], but a file shows each line as it is flushed; the first one replaces the old content.
    pub(crate) fn stream(path: Option<&Path>) -> anyhow::Result<Self> {
        Self::of_output(path, OutputStream::in_place)
    }

    /// The file of `--output` to append to.
    pub(crate) fn extend(path: &Path, file: Growing) -> anyhow::Result<Self> {
        let name = format!("--output {}", path.display());
        let (stream, length) = file.into_stream().with_context(|| format!("{name}: cannot be written"))?;
        Ok(Self { writer: BufWriter::new(stream), name, is_terminal: false, is_continued: length > 0 })
    }

    /// The file of another flag. A run that writes nothing leaves the file as it was.
    pub(crate) fn create(flag: &str, path: &Path) -> anyhow::Result<Self> {
        Self::of_file(flag, path, OutputStream::whole)
    }

    pub(crate) fn fill(
        mut self,
        content: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> anyhow::Result<()> {
        let written = content(&mut self);
        written.with_context(|| format!("{}: cannot be written", self.name))?;
        self.finish()
    }

    /// Gives a file its new content. To be called when everything is written.
    pub(crate) fn finish(self) -> anyhow::Result<()> {
        let target = self.writer.into_inner().map_err(io::IntoInnerError::into_error);
        let finished = target.and_then(|target| target.sync().and_then(|()| target.finish()));
        finished.with_context(|| format!("{}: cannot be written", self.name))
    }

    /// Drops what was written; a file keeps its old content.
    pub(crate) fn discard(self) {
        // A BufWriter that is dropped writes its buffer.
        drop(self.writer.into_parts());
    }

    /// For errors: `standard output` or `--output FILE`.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn is_terminal(&self) -> bool {
        self.is_terminal
    }

    /// A device or a pipe is not a file.
    pub(crate) fn is_file(&self) -> bool {
        self.writer.get_ref().is_file()
    }

    /// Whether a file has content of an earlier run that stays.
    pub(crate) fn is_continued(&self) -> bool {
        self.is_continued
    }

    fn of_output(path: Option<&Path>, open: fn(&Path) -> io::Result<OutputStream>) -> anyhow::Result<Self> {
        if let Some(path) = path.filter(|path| path.as_os_str() != "-") {
            return Self::of_file("--output", path, open);
        }
        let stdout = io::stdout();
        let is_terminal = stdout.is_terminal();
        let writer = BufWriter::new(OutputStream::Stdout(stdout));
        Ok(Self { writer, name: "standard output".into(), is_terminal, is_continued: false })
    }

    fn of_file(flag: &str, path: &Path, open: fn(&Path) -> io::Result<OutputStream>) -> anyhow::Result<Self> {
        let name = format!("{flag} {}", path.display());
        let target = open(path).with_context(|| format!("{name}: cannot be created"))?;
        Ok(Self { writer: BufWriter::new(target), name, is_terminal: false, is_continued: false })
    }
}

impl Write for Destination {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.writer.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

pub(crate) fn is_page(path: &Path) -> bool {
    path.extension().is_some_and(|e| ["html", "htm"].into_iter().any(|page| e.eq_ignore_ascii_case(page)))
}

pub(crate) fn is_document(path: &Path) -> bool {
    path.extension().is_some_and(|e| e.eq_ignore_ascii_case("md"))
}

/// Writes a file. If that fails, it keeps its old content.
pub(crate) fn write_file(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut target = OutputStream::whole(path)?;
    target.write_all(content)?;
    target.finish()
}

/// A message about what would be lost if the files of flags were written: another of these files, a file that the run
/// reads, or an image.
pub(crate) fn loss<'p>(written: &[(&str, &Path)], read: impl Iterator<Item = &'p Path>) -> Option<String> {
    let read: Vec<_> = read.collect();
    written.iter().enumerate().find_map(|(index, (flag, path))| {
        if let Some((other, _)) = written[..index].iter().find(|(_, other)| is_same_file(path, other)) {
            return Some(format!("{other} and {flag} name the same file"));
        }
        if has_image_extension(path) {
            return Some(format!(
                "{flag} {}: refusing to overwrite a file with an image extension; choose another file",
                path.display()
            ));
        }
        let lost = read.iter().any(|other| is_same_file(path, other));
        lost.then(|| {
            format!("{flag} {} is also read and would be overwritten; choose another file", path.display())
        })
    })
}

/// Only regular files: a terminal may well be both read and written.
fn is_same_file(one: &Path, other: &Path) -> bool {
    let resolved = (one.canonicalize(), other.canonicalize());
    one == other || matches!(resolved, (Ok(one), Ok(other)) if one == other && one.is_file())
}
