//! `multipart/form-data`, parsed by multer from a body that is already in memory.

use std::convert::Infallible;

use bytes::Bytes;
use futures::executor::block_on;
use futures::stream;

use super::refusal::Refusal;

/// Most files in one form. Small pictures are cheap to send and not to classify: without a limit
/// one request could keep a worker for minutes.
const MAX_FILES: usize = 256;

/// One uploaded file.
pub(super) struct Part {
    pub(super) filename: Option<String>,
    pub(super) bytes: Bytes,
}

/// All parts of the form in a field called `name`, in order.
pub(super) fn parts(content_type: &str, body: Bytes, name: &str) -> Result<Vec<Part>, Refusal> {
    let bad = |e: multer::Error| Refusal::new(400, "bad_multipart", format!("the form cannot be read: {e}"));
    let boundary = multer::parse_boundary(content_type).map_err(bad)?;
    let whole = stream::iter([Ok::<_, Infallible>(body)]);
    let mut form = multer::Multipart::new(whole, boundary);
    // The stream is always ready, so this never waits.
    block_on(async {
        let mut parts = Vec::new();
        while let Some(field) = form.next_field().await.map_err(bad)? {
            if field.name() != Some(name) {
                continue;
            }
            if parts.len() == MAX_FILES {
                let detail = format!("a form may have at most {MAX_FILES} files; send the others in another");
                return Err(Refusal::new(413, "too_many_files", detail));
            }
            let filename = field.file_name().map(str::to_owned);
            parts.push(Part { filename, bytes: field.bytes().await.map_err(bad)? });
        }
        Ok(parts)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{MAX_FILES, parts};

    const BOUNDARY: &str = "a-boundary";
    const CONTENT_TYPE: &str = "multipart/form-data; boundary=a-boundary";

    fn form(fields: &[(String, String, Vec<u8>)]) -> Vec<u8> {
        let mut body = Vec::new();
        for (field, filename, content) in fields {
            let disposition = format!("form-data; name=\"{field}\"; filename=\"{filename}\"");
            let head = format!("--{BOUNDARY}\r\nContent-Disposition: {disposition}\r\n\r\n");
            body.extend([head.as_bytes(), content, b"\r\n"].concat());
        }
        body.extend(format!("--{BOUNDARY}--\r\n").bytes());
        body
    }

    prop_compose! {
        fn field()(
            name in prop::sample::select(vec!["file", "files", "other"]),
            filename in "[a-z ._-]{1,20}",
            // A single CR, LF or dash must not be mistaken for a boundary.
            content in prop::collection::vec(prop_oneof![Just(b'-'), Just(b'\r'), Just(b'\n'), any::<u8>()], 0..300),
        ) -> (String, String, Vec<u8>) {
            (name.to_owned(), filename, content)
        }
    }

    proptest! {
        #[test]
        fn what_a_form_holds_comes_back(fields in prop::collection::vec(field(), 0..5)) {
            let boundary = format!("\r\n--{BOUNDARY}").into_bytes();
            prop_assume!(fields.iter().all(|f| !f.2.windows(boundary.len()).any(|w| w == boundary)));
            let found = parts(CONTENT_TYPE, form(&fields).into(), "file").expect("a well-formed form");
            let found: Vec<_> = found.into_iter().map(|p| (p.filename.unwrap_or_default(), p.bytes.to_vec())).collect();
            let wanted: Vec<_> = fields.into_iter().filter(|f| f.0 == "file").map(|f| (f.1, f.2)).collect();
            prop_assert_eq!(found, wanted);
        }

        #[test]
        fn a_damaged_form_is_read_or_refused(
            fields in prop::collection::vec(field(), 0..4),
            cut in any::<prop::sample::Index>(),
            flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
        ) {
            let mut body = form(&fields);
            for (at, byte) in flips {
                let at = at.index(body.len());
                body[at] = byte;
            }
            body.truncate(cut.index(body.len() + 1));
            if let Err(refusal) = parts(CONTENT_TYPE, body.into(), "file") {
                prop_assert_eq!(refusal.status, 400);
            }
        }

        #[test]
        fn no_content_type_or_body_is_too_strange(
            content_type in "(multipart/form-data|multipart/mixed|)[ ;]{0,3}(boundary=)?.{0,80}",
            body in prop::collection::vec(any::<u8>(), 0..400),
        ) {
            if let Err(refusal) = parts(&content_type, body.into(), "file") {
                prop_assert_eq!(refusal.status, 400);
            }
        }
    }

    #[test]
    fn a_form_of_too_many_files_is_refused_and_other_fields_do_not_count() {
        let field = |name: &str| (name.to_owned(), "a".to_owned(), b"x".to_vec());
        let mut fields = vec![field("other"); 10];
        fields.extend(vec![field("files"); MAX_FILES]);
        assert_eq!(parts(CONTENT_TYPE, form(&fields).into(), "files").map_or(0, |p| p.len()), MAX_FILES);
        fields.push(field("files"));
        let refusal = parts(CONTENT_TYPE, form(&fields).into(), "files").err().expect("a refusal");
        assert_eq!((refusal.status, refusal.code), (413, "too_many_files"));
    }
}
