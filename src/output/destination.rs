//! Where results go.

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal as _, Write};
use std::path::Path;

use anyhow::Context as _;
use skinclf::image::has_image_extension;

/// Where results go, and its name for errors.
pub(crate) struct Destination {
    pub(crate) writer: Box<dyn Write>,
    pub(crate) name: String,
    pub(crate) is_terminal: bool,
}

impl Destination {
    /// Standard output, or the file of `--output`, where `-` is standard output too.
    pub(crate) fn open(path: Option<&Path>) -> anyhow::Result<Self> {
        let Some(path) = path.filter(|path| path.as_os_str() != "-") else {
            let stdout = io::stdout();
            let is_terminal = stdout.is_terminal();
            return Ok(Self {
                writer: Box::new(BufWriter::new(stdout)),
                name: "standard output".into(),
                is_terminal,
            });
        };
        Self::create("--output", path)
    }

    /// The file of a flag. What it holds is replaced when something is written, so that a run that comes to nothing
    /// leaves it as it was.
    pub(crate) fn create(flag: &str, path: &Path) -> anyhow::Result<Self> {
        let name = format!("{flag} {}", path.display());
        let file = File::options().write(true).create(true).truncate(false).open(path);
        let file = file.with_context(|| format!("{name}: cannot be created"))?;
        Ok(Self {
            writer: Box::new(BufWriter::new(Replacing { file, begun: false })),
            name,
            is_terminal: false,
        })
    }
}

/// What would be lost if flags' files were written: one of themselves, one that the run reads, or a picture.
pub(crate) fn loss<'p>(written: &[(&str, &Path)], read: impl Iterator<Item = &'p Path>) -> Option<String> {
    let read: Vec<_> = read.collect();
    written.iter().enumerate().find_map(|(index, (flag, path))| {
        if let Some((other, _)) = written[..index].iter().find(|(_, other)| is_same_file(path, other)) {
            return Some(format!("{other} and {flag} name the same file"));
        }
        if has_image_extension(path) {
            return Some(format!(
                "{flag} {} has the name of a picture, and one could be lost",
                path.display()
            ));
        }
        let lost = read.iter().any(|other| is_same_file(path, other));
        lost.then(|| format!("{flag} {} is also read, and would be lost", path.display()))
    })
}

/// Terminals and the like may well be both read and written.
fn is_same_file(one: &Path, other: &Path) -> bool {
    let resolved = (one.canonicalize(), other.canonicalize());
    one == other || matches!(resolved, (Ok(one), Ok(other)) if one == other && one.is_file())
}

/// A file that is emptied by the first write.
struct Replacing {
    file: File,
    begun: bool,
}

impl Write for Replacing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // A device or a pipe has no length.
        if !std::mem::replace(&mut self.begun, true) && self.file.metadata()?.is_file() {
            self.file.set_len(0)?;
        }
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
