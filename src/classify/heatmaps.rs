//! The folder of `--heatmap`: a PNG a picture, and none over another.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use skinclf::ModelSpec;

/// Where heatmaps go, and which names of this run are taken.
pub(super) struct Heatmaps {
    folder: PathBuf,
    /// In lower case, for file systems that do not tell `A` from `a`.
    taken: HashSet<String>,
}

impl Heatmaps {
    /// Makes the folder if need be.
    pub(super) fn open(folder: &Path, spec: &ModelSpec) -> anyhow::Result<Self> {
        if spec.outputs.class_maps.is_none() {
            let name = &spec.name;
            bail!(
                "--heatmap: the model {name} has no class maps (outputs.class_maps of its spec); leave it out"
            );
        }
        fs::create_dir_all(folder)
            .with_context(|| format!("--heatmap {}: cannot be created", folder.display()))?;
        Ok(Self { folder: folder.to_owned(), taken: HashSet::new() })
    }

    /// Writes the heatmap of a picture; returns the path of the file.
    pub(super) fn write(&mut self, picture: &str, png: &[u8]) -> anyhow::Result<String> {
        let name = self.name(picture);
        let path = self.folder.join(name);
        fs::write(&path, png).with_context(|| format!("--heatmap: {} cannot be written", path.display()))?;
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
