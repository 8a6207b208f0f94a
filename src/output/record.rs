//! One image's result, as every output format takes it.

use std::fmt::Display;

use skinclf::{ClassifyError, ModelSpec, Prediction};

pub(crate) type Outcome = Result<Prediction, Failure>;

/// One image's result. Serialised, it is the same on the command line and over HTTP; see `answer.rs`.
pub(crate) struct Record<'a> {
    pub(crate) subject: Subject<'a>,
    pub(crate) outcome: Outcome,
    pub(crate) spec: &'a ModelSpec,
    /// How many of the best classes to list, if any.
    pub(crate) top_k: Option<usize>,
    pub(crate) heatmap: Option<Heatmap>,
}

#[derive(Debug)]
pub(crate) enum Heatmap {
    /// Where the PNG was written: `heatmap_file` in JSON.
    File(String),
    /// The bytes of the PNG: `heatmap` in JSON, in Base64.
    Png(Vec<u8>),
}

/// What an image is called. The variant decides by which key.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Subject<'a> {
    /// `path`: a file, or the name of an uploaded one.
    Path(&'a str),
    /// `filename`: a failed image of a batch.
    Filename(&'a str),
    /// No key: an upload without a name.
    Unnamed,
}

impl<'a> Subject<'a> {
    pub(crate) fn name(self) -> &'a str {
        match self {
            Self::Path(name) | Self::Filename(name) => name,
            Self::Unnamed => "",
        }
    }
}

/// Why there is no prediction: a stable code and a sentence.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Failure {
    pub(crate) code: &'static str,
    pub(crate) message: String,
}

impl Failure {
    /// The message becomes one line of at most 300 characters: the text of a decoder or an operating system can be
    /// anything, and may quote the file.
    pub(crate) fn new(code: &'static str, message: impl Display) -> Self {
        Self { code, message: one_line(&message.to_string()) }
    }
}

impl From<ClassifyError> for Failure {
    fn from(error: ClassifyError) -> Self {
        Self::new(error.code(), error)
    }
}

fn one_line(text: &str) -> String {
    const LONGEST: usize = 300;
    let breaks = |c: char| c.is_whitespace() || c.is_control();
    let words: Vec<&str> = text.split(breaks).filter(|word| !word.is_empty()).collect();
    let line = words.join(" ");
    match line.char_indices().nth(LONGEST) {
        None => line,
        Some(_) => line.chars().take(LONGEST - 1).chain(['…']).collect(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_message_is_one_line_of_at_most_300_characters() {
        for (text, line) in [
            ("as it is", "as it is"),
            ("two\nlines\r\n  and\ta tab ", "two lines and a tab"),
            ("\u{1b}[31mred\u{7}\u{2028}\u{85}end", "[31mred end"),
        ] {
            assert_eq!(Failure::new("internal", text).message, line);
        }
        let message = Failure::new("internal", "ä".repeat(301)).message;
        assert_eq!(message, format!("{}…", "ä".repeat(299)));
        assert_eq!(Failure::new("internal", "ä".repeat(300)).message, "ä".repeat(300));
    }

    proptest! {
        #[test]
        fn no_message_is_longer_than_300_characters_or_has_control_characters(text in "(?s).{0,700}") {
            let message = Failure::new("internal", text).message;
            prop_assert!(message.chars().count() <= 300 && !message.contains(char::is_control), "{:?}", message);
        }
    }
}
