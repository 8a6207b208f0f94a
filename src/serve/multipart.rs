//! `multipart/form-data`, parsed by multer from a body that is already in memory.

use std::convert::Infallible;

use futures::executor::block_on;
use futures::stream;

use super::refusal::Refusal;

/// One uploaded file.
pub(super) struct Part {
    pub(super) filename: Option<String>,
    pub(super) bytes: Vec<u8>,
}

/// All parts of the form in a field called `name`, in order.
pub(super) fn parts(content_type: &str, body: &[u8], name: &str) -> Result<Vec<Part>, Refusal> {
    let bad = |e: multer::Error| Refusal::new(400, "bad_multipart", format!("the form cannot be read: {e}"));
    let boundary = multer::parse_boundary(content_type).map_err(bad)?;
    let whole = stream::iter([Ok::<_, Infallible>(body.to_vec())]);
    let mut form = multer::Multipart::new(whole, boundary);
    // The stream is always ready, so this never waits.
    block_on(async {
        let mut parts = Vec::new();
        while let Some(field) = form.next_field().await.map_err(bad)? {
            if field.name() == Some(name) {
                let filename = field.file_name().map(str::to_owned);
                parts.push(Part { filename, bytes: field.bytes().await.map_err(bad)?.into() });
            }
        }
        Ok(parts)
    })
}
