//! `multipart/form-data`, parsed by multer from a body that is already in memory.

use std::collections::BTreeSet;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http_body_util::{BodyDataStream, Full};
use multer::{Field, Multipart};

use super::error::{ApiError, ErrorCode};

/// Files in one form. Small images are cheap to send but not to classify: without a limit one request
/// could keep a worker for minutes.
const MAX_FILES: usize = 256;

/// Bytes of a part's headers; a field name, a file name and a type take some hundred.
const MAX_HEAD: usize = 16 << 10;

/// How many of a form's fields an error lists, and how many characters of each name.
const NAMED: (usize, usize) = (8, 40);

pub(super) struct Part {
    pub(super) field: String,
    pub(super) filename: Option<String>,
    pub(super) bytes: Bytes,
}

/// All parts of the form in a field called `files`, in order, at least one.
pub(super) fn images(content_type: &str, body: Bytes) -> Result<Vec<Part>, ApiError> {
    let form = read(content_type, body, |field| field.name() == Some("files"))?;
    if form.parts.is_empty() {
        return Err(bad(format!("the form has no field \"files\" with an image; {}", form.fields())));
    }
    Ok(form.parts)
}

/// The one image of a form: the field `file`, without it `image`, without both the only file there is.
pub(super) fn image(content_type: &str, body: Bytes) -> Result<Part, ApiError> {
    let is_image = |field: &Field<'_>| {
        field.file_name().is_some() || field.name().is_some_and(|name| ["file", "image"].contains(&name))
    };
    let mut form = read(content_type, body, is_image)?;
    for name in ["file", "image"] {
        if form.parts.iter().any(|part| part.field == name) {
            form.parts.retain(|part| part.field == name);
            break;
        }
    }
    match form.parts.len() {
        0 => Err(bad(format!("the form has no field \"file\" with an image; {}", form.fields()))),
        1 => Ok(form.parts.remove(0)),
        n => Err(bad(format!(
            "the form has {n} images; send one in the field \"file\", or several to /predict/batch in fields \"files\""
        ))),
    }
}

#[derive(Default)]
struct Form {
    parts: Vec<Part>,
    names: BTreeSet<String>,
}

impl Form {
    /// The names of its fields, shortened if there are many or long ones.
    fn fields(&self) -> String {
        let (fields, letters) = NAMED;
        let named = self.names.iter().take(fields).map(|name| match &**name {
            "" => "a field without a name".to_owned(),
            name => format!("{:?}", name.chars().take(letters).collect::<String>()),
        });
        let named: Vec<_> = named.collect();
        match (named.is_empty(), self.names.len() > fields) {
            (true, _) => "it has no fields".to_owned(),
            (_, false) => format!("it has {}", named.join(", ")),
            (_, true) => format!("it has {} and others", named.join(", ")),
        }
    }
}

fn read(content_type: &str, body: Bytes, is_wanted: impl Fn(&Field<'_>) -> bool) -> Result<Form, ApiError> {
    let unreadable = |e: multer::Error| bad(format!("cannot read the multipart form: {e}"));
    let boundary = multer::parse_boundary(content_type).map_err(unreadable)?;
    let mut parser = Multipart::new(BodyDataStream::new(Full::new(body)), boundary);
    let mut read = pin!(async {
        let mut form = Form::default();
        while let Some(field) = parser.next_field().await.map_err(unreadable)? {
            let headers = field.headers().iter();
            if headers.map(|(name, value)| name.as_str().len() + value.len()).sum::<usize>() > MAX_HEAD {
                return Err(bad(format!("the headers of a form part may have at most {MAX_HEAD} bytes")));
            }
            let name = field.name().unwrap_or_default().to_owned();
            if form.names.len() <= NAMED.0 {
                form.names.insert(name.clone());
            }
            if !is_wanted(&field) {
                continue;
            }
            if form.parts.len() == MAX_FILES {
                let detail =
                    format!("a form may have at most {MAX_FILES} files; send the others in further requests");
                return Err(ApiError::new(ErrorCode::TooManyFiles, detail));
            }
            let filename = field.file_name().map(str::to_owned);
            form.parts.push(Part { field: name, filename, bytes: field.bytes().await.map_err(unreadable)? });
        }
        Ok(form)
    });
    // The whole body is in memory, so that the parser never has to wait.
    match read.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(form) => form,
        Poll::Pending => Err(bad("cannot read the multipart form: it ends early")),
    }
}

fn bad(detail: impl Into<String>) -> ApiError {
    ApiError::new(ErrorCode::BadMultipart, detail)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BOUNDARY: &str = "a-boundary";
    const CONTENT_TYPE: &str = "multipart/form-data; boundary=a-boundary";

    fn parts(content_type: &str, body: Bytes, name: &str) -> Result<Vec<Part>, ApiError> {
        read(content_type, body, |field| field.name() == Some(name)).map(|form| form.parts)
    }

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
            let body = Bytes::from(body);
            let errors = [
                parts(CONTENT_TYPE, body.clone(), "file").err(),
                image(CONTENT_TYPE, body.clone()).err(),
                images(CONTENT_TYPE, body).err(),
            ];
            prop_assert!(errors.iter().flatten().all(|error| error.code == ErrorCode::BadMultipart));
        }

        #[test]
        fn no_content_type_or_body_is_too_strange(
            content_type in "(multipart/form-data|multipart/mixed|)[ ;]{0,3}(boundary=)?.{0,80}",
            body in prop::collection::vec(any::<u8>(), 0..400),
        ) {
            if let Err(error) = parts(&content_type, body.into(), "file") {
                prop_assert_eq!(error.code, ErrorCode::BadMultipart);
            }
        }
    }

    /// A form of fields of these names, those with a dot being files; each holds its own name.
    fn form_of(names: &[&str]) -> Bytes {
        let part = |name: &&str| {
            let (field, file) = name.split_once('.').unwrap_or((name, ""));
            let file = if file.is_empty() { String::new() } else { format!("; filename=\"{file}\"") };
            format!(
                "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{field}\"{file}\r\n\r\n{name}\r\n"
            )
        };
        format!("{}--{BOUNDARY}--\r\n", names.iter().map(part).collect::<String>()).into()
    }

    #[test]
    fn the_image_is_in_file_or_in_image_or_the_only_file() {
        for (names, wanted) in [
            (&["file.a", "other.b", "image.c"][..], "file.a"),
            (&["other.a", "text", "file"], "file"),
            (&["other.a", "image.b"], "image.b"),
            (&["text", "picture.a"], "picture.a"),
            (&["text", ".a"], ".a"),
        ] {
            let found = image(CONTENT_TYPE, form_of(names)).ok().map(|part| part.bytes);
            assert_eq!(found.as_deref(), Some(wanted.as_bytes()), "{names:?}");
        }
    }

    #[test]
    fn several_images_or_none_are_refused_and_the_fields_named() {
        let many: Vec<_> = ('a'..='z').map(String::from).collect();
        let many: Vec<_> = many.iter().map(String::as_str).collect();
        for (names, detail) in [
            (&["file.a", "file.b"][..], "2 images"),
            (&["image.a", "image.b", "image.c"], "3 images"),
            (&["one.a", "two.b"], "2 images"),
            (&["photo", "id"], "\"file\" with an image; it has \"id\", \"photo\""),
            (&[&"x".repeat(1000)], &format!("it has \"{}\"", "x".repeat(40))),
            (&many, "\"g\", \"h\" and others"),
            (&[], "it has no fields"),
        ] {
            let error = image(CONTENT_TYPE, form_of(names)).err().unwrap_or_else(|| panic!("{names:?}"));
            assert_eq!(error.code, ErrorCode::BadMultipart);
            assert!(
                error.detail.ends_with(detail) || error.detail.contains(&format!("{detail};")),
                "{}",
                error.detail
            );
        }
        let error = images(CONTENT_TYPE, form_of(&["file.a"])).err().expect("no field \"files\"");
        assert!(error.detail.ends_with("\"files\" with an image; it has \"file\""), "{}", error.detail);
    }

    #[test]
    fn the_head_of_a_part_is_limited() {
        let part = |name: &str, filename: String| (name.to_owned(), filename, b"x".to_vec());
        let form_with =
            |length| form(&[part("text", "x".repeat(length)), part("file", "a".to_owned())]).into();
        assert!(image(CONTENT_TYPE, form_with(MAX_HEAD - 100)).is_ok());
        let error = image(CONTENT_TYPE, form_with(MAX_HEAD)).err().expect("an error");
        assert_eq!(error.code, ErrorCode::BadMultipart);
    }

    #[test]
    fn a_form_of_too_many_files_is_refused_and_other_fields_do_not_count() {
        let field = |name: &str| (name.to_owned(), "a".to_owned(), b"x".to_vec());
        let mut fields = vec![field("other"); 10];
        fields.extend(vec![field("files"); MAX_FILES]);
        assert_eq!(parts(CONTENT_TYPE, form(&fields).into(), "files").map_or(0, |p| p.len()), MAX_FILES);
        fields.push(field("files"));
        let error = parts(CONTENT_TYPE, form(&fields).into(), "files").err().expect("an error");
        assert_eq!(error.code, ErrorCode::TooManyFiles);
    }
}
