//! The pictures that a load test posts.

use std::io;
use std::path::Path;

use anyhow::{Context as _, ensure};
use skinclf::image::has_image_extension;
use walkdir::WalkDir;

/// 600x450, like the pictures of HAM10000.
const SAMPLES: [(&str, &[u8]); 3] = [
    ("lesion-1.jpg (embedded)", include_bytes!("../../../../samples/lesion-1.jpg")),
    ("lesion-2.jpg (embedded)", include_bytes!("../../../../samples/lesion-2.jpg")),
    ("lesion-3.jpg (embedded)", include_bytes!("../../../../samples/lesion-3.jpg")),
];

/// An encoded picture.
pub(crate) struct Upload {
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
    pub(crate) media_type: &'static str,
}

impl Upload {
    fn new(name: String, bytes: Vec<u8>) -> anyhow::Result<Self> {
        let format = image::guess_format(&bytes).with_context(|| format!("--images: {name} is no image"))?;
        Ok(Self { name, bytes, media_type: format.to_mime_type() })
    }
}

/// The images of a folder, in the order of their names, or the embedded ones.
pub(crate) fn load(folder: Option<&Path>) -> anyhow::Result<Vec<Upload>> {
    let Some(folder) = folder else {
        return SAMPLES.iter().map(|(name, bytes)| Upload::new((*name).to_owned(), bytes.to_vec())).collect();
    };
    let mut images = Vec::new();
    for entry in WalkDir::new(folder).max_depth(1).follow_links(true).sort_by_file_name() {
        let entry = entry.map_err(|error| {
            let path = error.path().unwrap_or(folder).display().to_string();
            // Its own words have the path in them, too.
            let why =
                error.into_io_error().unwrap_or_else(|| io::Error::other("a link to a folder that it is in"));
            anyhow::Error::new(why).context(format!("--images: {path}"))
        })?;
        if entry.file_type().is_file() && has_image_extension(entry.path()) {
            let name = entry.path().display().to_string();
            let bytes = std::fs::read(entry.path()).with_context(|| format!("--images: {name}"))?;
            images.push(Upload::new(name, bytes)?);
        }
    }
    ensure!(!images.is_empty(), "--images {}: no images there, by their extension", folder.display());
    Ok(images)
}
