//! The folder of `--heatmap`: a PNG a picture, none over another, and none over a picture.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use skinclf::ModelSpec;
use skinclf::image::has_image_extension;

use crate::output::heatmap;

/// Where heatmaps go, and which names of this run are taken.
pub(super) struct Heatmaps {
    folder: PathBuf,
    /// The folder's canonical path.
    resolved: PathBuf,
    /// In lower case, for file systems that do not tell `A` from `a`.
    taken: HashSet<String>,
    /// Whether the last one found no room.
    full: bool,
}

impl Heatmaps {
    /// Makes the folder if need be.
    ///
    /// # Errors
    /// When the model has no maps, the folder cannot be made, or there are pictures in it, which heatmaps could replace.
    pub(super) fn open(folder: &Path, spec: &ModelSpec) -> anyhow::Result<Self> {
        if spec.outputs.class_maps.is_none() {
            let name = &spec.name;
            bail!(
                "--heatmap: the model {name} has no class maps (outputs.class_maps of its spec); leave it out"
            );
        }
        let shown = folder.display();
        let resolved = fs::create_dir_all(folder).and_then(|()| folder.canonicalize());
        let resolved = resolved.with_context(|| format!("--heatmap {shown}: cannot be created"))?;
        let entries =
            fs::read_dir(&resolved).with_context(|| format!("--heatmap {shown}: cannot be read"))?;
        let mut files = entries.filter_map(|entry| Some(entry.ok()?.path()));
        if let Some(picture) = files.find(|file| has_image_extension(file) && is_foreign(file)) {
            let name = picture.file_name().unwrap_or_default().to_string_lossy();
            bail!("--heatmap {shown}: {name} in it is no heatmap and could be replaced; name another folder");
        }
        Ok(Self { folder: folder.to_owned(), resolved, taken: HashSet::new(), full: false })
    }

    /// The folder's canonical path.
    pub(super) fn resolved(&self) -> &Path {
        &self.resolved
    }

    /// Writes the heatmap of a picture and returns the path of the file. `complain` is told why it cannot be written,
    /// but of a full disk only once.
    pub(super) fn write(&mut self, picture: &str, png: &[u8], complain: impl FnOnce(&str)) -> Option<String> {
        let written = self.try_write(picture, png);
        let full = written.as_ref().err().is_some_and(lacks_room);
        let was_full = std::mem::replace(&mut self.full, full);
        match &written {
            Err(error) if full && !was_full => {
                complain(&format!("{error:#}; the same error is not repeated for other images"));
            }
            Err(error) if !full => complain(&format!("{error:#}")),
            _ => {}
        }
        written.ok()
    }

    fn try_write(&mut self, picture: &str, png: &[u8]) -> anyhow::Result<String> {
        let name = self.name(picture);
        let path = self.folder.join(name);
        let shown = path.display();
        // It has come to be there since the folder was looked at.
        ensure!(
            !is_foreign(&path),
            "--heatmap: {shown} is no heatmap and would be lost; name another folder"
        );
        crate::destination::write_file(&path, png)
            .with_context(|| format!("--heatmap: {shown} cannot be written"))?;
        Ok(path.to_string_lossy().into_owned())
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

/// Whether no other file could be written either.
fn lacks_room(error: &anyhow::Error) -> bool {
    use io::ErrorKind::{QuotaExceeded, ReadOnlyFilesystem, StorageFull};
    let kind = error.downcast_ref::<io::Error>().map(io::Error::kind);
    matches!(kind, Some(StorageFull | QuotaExceeded | ReadOnlyFilesystem))
}

/// Whether a file is there that is none of ours.
fn is_foreign(file: &Path) -> bool {
    file.is_file() && !heatmap::is_one(file)
}
