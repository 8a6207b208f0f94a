//! A file of `--attach`, and what its name says of it.

use std::path::PathBuf;
use std::str::FromStr;

/// `Locust dashboard=locust.png`
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Attachment {
    pub(crate) caption: String,
    pub(crate) path: PathBuf,
    pub(crate) kind: AttachmentKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AttachmentKind {
    Picture,
    Text,
    /// Markdown.
    Section,
}

impl FromStr for Attachment {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (caption, path) = text
            .split_once('=')
            .map(|(caption, path)| (caption.trim(), PathBuf::from(path)))
            .filter(|(caption, _)| !caption.is_empty())
            .ok_or("must be a caption and a file, e.g. 'Locust dashboard=locust.png'")?;
        let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase());
        let kind = match ending.as_deref() {
            Some("png" | "jpg" | "jpeg" | "webp" | "svg") => AttachmentKind::Picture,
            Some("txt" | "log" | "json" | "jsonl" | "csv") => AttachmentKind::Text,
            Some("md") => AttachmentKind::Section,
            _ => {
                return Err(
                    "must end in .png, .jpg, .jpeg, .webp or .svg (a picture), .txt, .log, .json, .jsonl or .csv \
                     (text), or .md (a section)",
                );
            }
        };
        Ok(Self { caption: caption.to_owned(), path, kind })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ending_says_what_an_attachment_is() {
        use AttachmentKind::{Picture, Section, Text};
        for (text, caption, path, kind) in [
            ("Locust dashboard=a/b.png", "Locust dashboard", "a/b.png", Picture),
            ("x=B.JPEG", "x", "B.JPEG", Picture),
            ("ten lines =a=b.jsonl", "ten lines", "a=b.jsonl", Text),
            ("Locust=l.md", "Locust", "l.md", Section),
        ] {
            let wanted = Attachment { caption: caption.to_owned(), path: path.into(), kind };
            assert_eq!(text.parse(), Ok(wanted));
        }
        for (text, said) in [
            ("a.png", "must be a caption"),
            (" =a.png", "must be a caption"),
            ("", "must be a caption"),
            ("a=", "must end in"),
            ("a=b.html", "must end in"),
            ("a=png", "must end in"),
        ] {
            let refused = text.parse::<Attachment>();
            assert!(refused.is_err_and(|why| why.starts_with(said)), "{text}");
        }
    }
}
