//! Where results go.

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal as _, Write};
use std::path::Path;

use anyhow::Context as _;

/// Where results go, and its name for errors.
pub(crate) struct Destination {
    pub(crate) writer: Box<dyn Write>,
    pub(crate) name: String,
    pub(crate) is_terminal: bool,
}

impl Destination {
    /// Standard output, or the file of `--output`, made anew.
    pub(crate) fn open(path: Option<&Path>) -> anyhow::Result<Self> {
        let Some(path) = path else {
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

    /// The file of a flag, made anew.
    pub(crate) fn create(flag: &str, path: &Path) -> anyhow::Result<Self> {
        let name = format!("{flag} {}", path.display());
        let file = File::create(path).with_context(|| format!("{name}: cannot be created"))?;
        Ok(Self { writer: Box::new(BufWriter::new(file)), name, is_terminal: false })
    }
}
