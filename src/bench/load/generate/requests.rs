//! The images that a load test posts, and all requests of a run. They are built once: sending one clones a head and shares
//! a body.

use std::io;
use std::path::Path;

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use http_body_util::Full;
use hyper::{Method, Request};
use skinclf::image::has_image_extension;
use walkdir::WalkDir;

use crate::bench::load::client::{get, head};
use crate::bench::load::result::{PREDICT, Weight};
use crate::url::Target;

/// 600x450, like the pictures of HAM10000.
const SAMPLES: [(&str, &[u8]); 3] = [
    ("lesion-1.jpg (embedded)", include_bytes!("../../../../samples/lesion-1.jpg")),
    ("lesion-2.jpg (embedded)", include_bytes!("../../../../samples/lesion-2.jpg")),
    ("lesion-3.jpg (embedded)", include_bytes!("../../../../samples/lesion-3.jpg")),
];

pub(crate) struct Upload {
    name: String,
    bytes: Vec<u8>,
    media_type: &'static str,
}

impl Upload {
    fn new(name: String, bytes: Vec<u8>) -> anyhow::Result<Self> {
        let format = image::guess_format(&bytes).with_context(|| {
            format!("--images: {name} is not an image of a known format; remove it from the folder")
        })?;
        Ok(Self { name, bytes, media_type: format.to_mime_type() })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// The images of a folder, in the order of their names, or the embedded ones.
pub(crate) fn load_uploads(folder: Option<&Path>) -> anyhow::Result<Vec<Upload>> {
    let Some(folder) = folder else {
        return SAMPLES.iter().map(|(name, bytes)| Upload::new((*name).to_owned(), bytes.to_vec())).collect();
    };
    let mut uploads = Vec::new();
    for entry in WalkDir::new(folder).max_depth(1).follow_links(true).sort_by_file_name() {
        let entry = entry.map_err(|error| {
            let path = error.path().unwrap_or(folder).display().to_string();
            // Without the path, which the error would repeat.
            let why = error
                .into_io_error()
                .unwrap_or_else(|| io::Error::other("a link to a folder that contains it"));
            anyhow::Error::new(why).context(format!("--images: {path}"))
        })?;
        if entry.file_type().is_file() && has_image_extension(entry.path()) {
            let name = entry.path().display().to_string();
            let bytes = std::fs::read(entry.path()).with_context(|| format!("--images: {name}"))?;
            uploads.push(Upload::new(name, bytes)?);
        }
    }
    ensure!(!uploads.is_empty(), "--images {}: no file with the extension of an image", folder.display());
    Ok(uploads)
}

/// Between the parts of a form; no image holds it.
const BOUNDARY: &str = "skinclf-7e3f0a5d-image-boundary";

pub(super) struct Requests {
    mix: Vec<Weight>,
    prepared: Vec<Vec<Vec<Request<Full<Bytes>>>>>,
}

impl Requests {
    pub(super) fn prepare(
        mix: &[Weight],
        targets: &[&Target],
        uploads: &[Upload],
        api_key: Option<&str>,
    ) -> anyhow::Result<Self> {
        let forms: Vec<_> = uploads.iter().map(form).collect();
        let of_endpoint = |target: &Target, path: &str| -> anyhow::Result<Vec<_>> {
            if path == PREDICT {
                return forms.iter().map(|form| post(target, form.clone(), api_key)).collect();
            }
            Ok(vec![get(target, path, api_key)?])
        };
        let of_target = |target: &&Target| mix.iter().map(|w| of_endpoint(target, &w.endpoint)).collect();
        let prepared = targets.iter().map(of_target).collect::<anyhow::Result<_>>()?;
        Ok(Self { mix: mix.to_vec(), prepared })
    }

    pub(super) fn draw(&self, random: &mut fastrand::Rng) -> usize {
        let mut at = random.u32(0..self.mix.iter().map(|w| w.weight).sum());
        let fits = |w: &Weight| match at.checked_sub(w.weight) {
            Some(rest) => {
                at = rest;
                false
            }
            None => true,
        };
        self.mix.iter().position(fits).unwrap_or_default()
    }

    /// The n-th request of a user to an endpoint: images are taken in turn.
    pub(super) fn nth(&self, server: usize, endpoint: usize, n: usize) -> Request<Full<Bytes>> {
        let requests = &self.prepared[server][endpoint];
        requests[n % requests.len()].clone()
    }

    /// Whether an endpoint takes images.
    pub(super) fn is_prediction(&self, endpoint: usize) -> bool {
        self.mix[endpoint].endpoint == PREDICT
    }
}

fn post(target: &Target, form: Bytes, api_key: Option<&str>) -> anyhow::Result<Request<Full<Bytes>>> {
    let media_type = format!("multipart/form-data; boundary={BOUNDARY}");
    let request = head(Method::POST, target, PREDICT, api_key).header("Content-Type", media_type);
    request
        .body(Full::new(form))
        .with_context(|| format!("cannot send POST {PREDICT} to {}: check --url and --api-key", target.url))
}

/// The field `file` of a form, as curl, browsers and Locust send it.
fn form(upload: &Upload) -> Bytes {
    let head = format!(
        "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"image\"\r\nContent-Type: {}\r\n\r\n",
        upload.media_type
    );
    [head.as_bytes(), &upload.bytes, format!("\r\n--{BOUNDARY}--\r\n").as_bytes()].concat().into()
}
