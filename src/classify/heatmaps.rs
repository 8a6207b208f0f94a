//! The folder of `--heatmap`: a PNG a picture, and none over another.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use skinclf::ModelSpec;

use super::inputs::is_stdin;

/// Where heatmaps go, and which names of this run are taken.
pub(super) struct Heatmaps {
    folder: PathBuf,
    /// The folder's canonical path.
    resolved: PathBuf,
    /// In lower case, for file systems that do not tell `A` from `a`.
    taken: HashSet<String>,
}

impl Heatmaps {
    /// Makes the folder if need be.
    ///
    /// # Errors
    /// When the model has no maps, the folder cannot be made, or pictures of the run are in it, which heatmaps could
    /// replace.
    pub(super) fn open(folder: &Path, pictures: &[PathBuf], spec: &ModelSpec) -> anyhow::Result<Self> {
        if spec.outputs.class_maps.is_none() {
            let name = &spec.name;
            bail!(
                "--heatmap: the model {name} has no class maps (outputs.class_maps of its spec); leave it out"
            );
        }
        let resolved = fs::create_dir_all(folder).and_then(|()| folder.canonicalize());
        let resolved =
            resolved.with_context(|| format!("--heatmap {}: cannot be created", folder.display()))?;
        let heatmaps = Self { folder: folder.to_owned(), resolved, taken: HashSet::new() };
        for picture in pictures {
            heatmaps.refuse_to_replace(picture)?;
        }
        Ok(heatmaps)
    }

    /// The folder's canonical path.
    pub(super) fn resolved(&self) -> &Path {
        &self.resolved
    }

    /// Writes the heatmap of a picture; returns the path of the file.
    pub(super) fn write(&mut self, picture: &str, png: &[u8]) -> anyhow::Result<String> {
        self.refuse_to_replace(Path::new(picture))?;
        let name = self.name(picture);
        let path = self.folder.join(name);
        fs::write(&path, png).with_context(|| format!("--heatmap: {} cannot be written", path.display()))?;
        Ok(path.to_string_lossy().into_owned())
    }

    fn refuse_to_replace(&self, picture: &Path) -> anyhow::Result<()> {
        if is_stdin(picture) {
            return Ok(());
        }
        let beside = if picture.is_dir() { Some(picture) } else { picture.parent() };
        let beside = beside.map(|folder| if folder.as_os_str().is_empty() { Path::new(".") } else { folder });
        if beside.and_then(|folder| folder.canonicalize().ok()).is_some_and(|folder| folder == self.resolved)
        {
            bail!(
                "--heatmap {}: {} is in it and could be replaced; name another folder",
                self.folder.display(),
                picture.display()
            );
        }
        Ok(())
    }

    /// `lesion.png` for `a/lesion.jpg`, then `lesion-2.png` for `b/lesion.jpg`; `stdin.png` for `-`.
    fn name(&mut self, picture: &str) -> String {
        let stem = match picture {
            "-" => "stdin".to_owned(),
            _ => Path::new(picture).file_stem().unwrap_or_default().to_string_lossy().into_owned(),
        };
        let names = (1_u64..).map(|n| if n == 1 { format!("{stem}.png") } else { format!("{stem}-{n}.png") });
        let free = names.into_iter().find(|name| self.taken.insert(name.to_lowercase()));
        free.unwrap_or(stem)
    }
}
