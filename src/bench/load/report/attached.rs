//! Files of `--attach`, read before the load: what cannot be part of the document is an error before minutes of measuring.

use std::fs;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use skinclf::bounded::read_file;

use crate::cli::{Attachment, AttachmentKind};
use crate::process::terminal::printable;

/// A larger picture makes the page that shows it slow.
const LARGEST_PICTURE: u64 = 5 << 20;
/// Of a text or a section; of a text only the beginning is shown.
const LARGEST_TEXT: u64 = 1 << 20;
const MOST_LINES: usize = 40;
const LONGEST_LINE: usize = 1000;

/// A caption, and what it is of.
#[derive(Debug)]
pub(super) struct Attached {
    pub(super) caption: String,
    pub(super) content: Content,
}

#[derive(Debug)]
pub(super) enum Content {
    /// Its path, without symbolic links.
    Picture(PathBuf),
    /// Lines to show, and how many more there are.
    Text { lines: Vec<String>, left_out: usize },
    /// Markdown.
    Section(String),
}

pub(super) fn read(attachment: &Attachment) -> anyhow::Result<Attached> {
    let content = content(attachment).with_context(|| format!("--attach {}", attachment.path.display()))?;
    Ok(Attached { caption: printable(&attachment.caption), content })
}

fn content(attachment: &Attachment) -> anyhow::Result<Content> {
    let path = &attachment.path;
    if attachment.kind == AttachmentKind::Picture {
        let file = fs::metadata(path)?;
        ensure!(file.is_file(), "not a file");
        ensure!(
            file.len() <= LARGEST_PICTURE,
            "larger than {} MiB; make the picture smaller, e.g. with fewer colors",
            LARGEST_PICTURE >> 20
        );
        return Ok(Content::Picture(fs::canonicalize(path)?));
    }
    let Ok(text) = String::from_utf8(read_file(path, LARGEST_TEXT)?) else { bail!("not text in UTF-8") };
    Ok(match attachment.kind {
        AttachmentKind::Section => Content::Section(text),
        _ => beginning(&text),
    })
}

fn beginning(text: &str) -> Content {
    let mut lines: Vec<_> = text.lines().map(shortened).collect();
    let left_out = lines.len().saturating_sub(MOST_LINES);
    lines.truncate(MOST_LINES);
    Content::Text { lines, left_out }
}

fn shortened(line: &str) -> String {
    let line = printable(&line.replace('\t', "    "));
    match line.char_indices().nth(LONGEST_LINE) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

/// From a folder to a file, both without symbolic links, as the address of a link.
pub(super) fn link(folder: &Path, file: &Path) -> String {
    let common = folder.components().zip(file.components()).take_while(|(a, b)| a == b).count();
    let up = folder.components().skip(common).map(|_| "..".to_owned());
    let down = file.components().skip(common).map(|part| encoded(part));
    up.chain(down).collect::<Vec<_>>().join("/")
}

/// Percent-encoded but for what RFC 3986 calls unreserved.
fn encoded(part: Component<'_>) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let encode =
        |byte: &u8| if is_plain(*byte) { char::from(*byte).to_string() } else { format!("%{byte:02X}") };
    part.as_os_str().as_encoded_bytes().iter().map(encode).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_leads_from_the_report_to_the_picture() {
        for (folder, file, wanted) in [
            ("/a/docs", "/a/docs/x.png", "x.png"),
            ("/a/docs", "/a/x.png", "../x.png"),
            ("/a/docs", "/a/docs/p/x.png", "p/x.png"),
            ("/a/docs", "/b/x.png", "../../b/x.png"),
            ("/a", "/a/two words (1)%é.png", "two%20words%20%281%29%25%C3%A9.png"),
        ] {
            assert_eq!(link(Path::new(folder), Path::new(file)), wanted);
        }
    }

    #[test]
    fn a_long_text_is_shown_up_to_a_limit() {
        let long = "x".repeat(LONGEST_LINE + 1);
        let text = format!("{long}\na\u{1b}b\n{}", "line\n".repeat(100));
        let Content::Text { lines, left_out } = beginning(&text) else { panic!("a text") };
        assert_eq!((lines.len(), left_out), (MOST_LINES, 102 - MOST_LINES));
        assert_eq!((lines[0].chars().count(), &*lines[1]), (LONGEST_LINE + 1, "a\u{fffd}b"));
        assert!(lines[0].ends_with("x…"));
    }
}
