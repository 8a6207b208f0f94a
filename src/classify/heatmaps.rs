//! The folder of `--heatmap`: one PNG per image. No PNG overwrites another of the same run, nor an image.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use skinclf::ModelSpec;
use skinclf::image::has_image_extension;

use crate::output::heatmap;

pub(super) struct Heatmaps {
    folder: PathBuf,
    /// The folder's canonical path.
    resolved: PathBuf,
    /// File names of this run, in lower case: for some file systems `A` and `a` are the same.
    taken: HashSet<String>,
    /// Whether the disk was full for the last file.
    full: bool,
}

impl Heatmaps {
    /// Creates the folder if it does not exist.
    ///
    /// # Errors
    /// When the model has no class maps, the folder cannot be created, or it has images, which heatmaps could overwrite.
    pub(super) fn open(folder: &Path, spec: &ModelSpec) -> anyhow::Result<Self> {
        if spec.outputs.class_maps.is_none() {
            let name = &spec.name;
            bail!(
                "--heatmap: the model {name} has no class maps (outputs.class_maps of its spec); use another model or remove --heatmap"
            );
        }
        let shown = folder.display();
        let resolved = fs::create_dir_all(folder).and_then(|()| folder.canonicalize());
        let resolved = resolved.with_context(|| format!("--heatmap {shown}: cannot be created"))?;
        let entries =
            fs::read_dir(&resolved).with_context(|| format!("--heatmap {shown}: cannot be read"))?;
        let mut files = entries.filter_map(|entry| Some(entry.ok()?.path()));
        if let Some(image) = files.find(|file| has_image_extension(file) && is_foreign(file)) {
            let name = image.file_name().unwrap_or_default().to_string_lossy();
            bail!(
                "--heatmap {shown}: refusing to overwrite images; {name} in this folder is not a heatmap; choose another folder"
            );
        }
        Ok(Self { folder: folder.to_owned(), resolved, taken: HashSet::new(), full: false })
    }

    pub(super) fn resolved(&self) -> &Path {
        &self.resolved
    }

    /// Leaves the file name of an image's heatmap to an earlier run, which wrote it.
    pub(super) fn reserve(&mut self, image: &str) {
        self.name(image);
    }

    /// Writes the heatmap of an image and returns the path of the file. `complain` gets the reason if it cannot be
    /// written; a full disk is reported only once.
    pub(super) fn write(&mut self, image: &str, png: &[u8], complain: impl FnOnce(&str)) -> Option<String> {
        let written = self.try_write(image, png);
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

    fn try_write(&mut self, image: &str, png: &[u8]) -> anyhow::Result<String> {
        let name = self.name(image);
        let path = self.folder.join(name);
        let shown = path.display();
        // An image can have been created since the folder was read.
        ensure!(
            !is_foreign(&path),
            "--heatmap: refusing to overwrite {shown}, which is not a heatmap; choose another folder"
        );
        crate::destination::write_file(&path, png)
            .with_context(|| format!("--heatmap: {shown} cannot be written"))?;
        Ok(path.to_string_lossy().into_owned())
    }

    /// `lesion.png` for `a/lesion.jpg`, then `lesion-2.png` for `b/lesion.jpg`; `stdin.png` for `-`.
    fn name(&mut self, image: &str) -> String {
        let stem = match image {
            "-" => "stdin".to_owned(),
            _ => Path::new(image).file_stem().unwrap_or_default().to_string_lossy().into_owned(),
        };
        let names = (1_u64..).map(|n| if n == 1 { format!("{stem}.png") } else { format!("{stem}-{n}.png") });
        let free = names.into_iter().find(|name| self.taken.insert(name.to_lowercase()));
        free.unwrap_or(stem)
    }
}

fn lacks_room(error: &anyhow::Error) -> bool {
    use io::ErrorKind::{QuotaExceeded, ReadOnlyFilesystem, StorageFull};
    let kind = error.downcast_ref::<io::Error>().map(io::Error::kind);
    matches!(kind, Some(StorageFull | QuotaExceeded | ReadOnlyFilesystem))
}

fn is_foreign(file: &Path) -> bool {
    file.is_file() && !heatmap::is_heatmap(file)
}
