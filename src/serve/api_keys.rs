//! The API keys that open the guarded routes.

use std::fs::File;
use std::path::Path;

use anyhow::{Context as _, bail, ensure};
use sha2::{Digest as _, Sha256};
use skinclf::bounded;

/// Bytes of a file of keys.
const LARGEST_FILE: u64 = 64 << 10;

/// Each request with a wrong key is compared with all. Two are enough to replace one by another.
const MOST_KEYS: usize = 100;

/// Their SHA-256; empty if none is required.
pub(super) struct ApiKeys(Vec<[u8; 32]>);

impl ApiKeys {
    /// From `--api-key` or `--api-key-file`, of which clap accepts one.
    pub(super) fn from_args(key: Option<&str>, file: Option<&Path>) -> anyhow::Result<Self> {
        if let Some(path) = file {
            let keys = File::open(path).map_err(anyhow::Error::from).and_then(|file| {
                let text = bounded::read(file, 0, LARGEST_FILE)?;
                lines(&text).map(|keys| Self(keys.into_iter().map(digest).collect()))
            });
            return keys.with_context(|| format!("--api-key-file {}", path.display()));
        }
        ensure!(key.is_none_or(|key| !key.is_empty()), "--api-key must not be empty");
        Ok(Self(key.map(|key| digest(key.as_bytes())).into_iter().collect()))
    }

    pub(super) fn are_required(&self) -> bool {
        !self.0.is_empty()
    }

    /// Whether a key opens the guarded routes; if none is required anything does, nothing included.
    pub(super) fn accept(&self, key: Option<&[u8]>) -> bool {
        // Comparing digests takes a time that reveals nothing about the keys.
        !self.are_required() || key.is_some_and(|key| self.0.contains(&digest(key)))
    }
}

fn digest(key: &[u8]) -> [u8; 32] {
    Sha256::digest(key).into()
}

/// One key per line. Blanks around a key are dropped, as from the value of a header, and so are empty lines.
fn lines(text: &[u8]) -> anyhow::Result<Vec<&[u8]>> {
    let mut keys = Vec::new();
    for (number, line) in (1..).zip(text.split(|byte| *byte == b'\n')) {
        let key = line.trim_ascii();
        if !key.iter().all(u8::is_ascii_graphic) {
            bail!(
                "line {number} has a character that a key cannot have; use letters, digits and ASCII punctuation, one key per line"
            );
        }
        if !key.is_empty() {
            keys.push(key);
        }
    }
    ensure!(!keys.is_empty(), "no key in this file; write one key per line");
    ensure!(keys.len() <= MOST_KEYS, "more than {MOST_KEYS} keys; remove those that are no longer used");
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_one_key_per_line() {
        for (text, keys) in [
            ("sesame", vec!["sesame"]),
            ("sesame\n", vec!["sesame"]),
            ("sesame\r\n", vec!["sesame"]),
            (" old\t\n\nnew \n", vec!["old", "new"]),
            ("#1=+/~\n", vec!["#1=+/~"]),
        ] {
            let keys: Vec<_> = keys.iter().map(|key| key.as_bytes()).collect();
            assert_eq!(lines(text.as_bytes()).expect(text), keys, "{text:?}");
        }
        let many = "key\n".repeat(MOST_KEYS);
        assert_eq!(lines(many.as_bytes()).expect("the limit").len(), MOST_KEYS);
    }

    #[test]
    fn what_no_header_can_carry_is_refused_with_its_line_and_without_the_key() {
        let too_many = "secret\n".repeat(MOST_KEYS + 1);
        let cases: [(&[u8], &str); 7] = [
            (b"", "no key"),
            (b" \n\r\n", "no key"),
            (b"good\nsecret two\n", "line 2"),
            (b"secret\0", "line 1"),
            ("s\u{e9}cret".as_bytes(), "line 1"),
            (b"\xff\xfes\0e\0c\0r\0e\0t\0", "line 1"),
            (too_many.as_bytes(), "more than 100 keys"),
        ];
        for (text, part) in cases {
            let error = format!("{:#}", lines(text).expect_err(part));
            assert!(error.contains(part) && !error.contains("cret"), "{error}");
        }
    }
}
