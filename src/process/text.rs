//! Text fitted to a width: names cut in the middle, lines broken at words.

use std::io::{self, Write};

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

const ELLIPSIS: char = '…';

/// Colours take no columns.
pub(crate) fn columns_of(line: &str) -> usize {
    let mut parts = line.split('\u{1b}');
    let plain = parts.next().unwrap_or_default();
    // The rest begin with a colour's number and the letter that ends it.
    let after = parts.map(|part| part.split_once('m').map_or("", |(_, text)| text));
    std::iter::once(plain).chain(after).map(str::width).sum()
}

/// A name in at most so many columns, cut in its middle, since its ends identify it best.
pub(crate) fn elided(name: &str, width: usize) -> String {
    if name.width() <= width {
        return name.to_owned();
    }
    // The first fits, but for emoji that are wider than their characters.
    let mut cuts = (0..width).rev().map(|room| {
        let head: String = within(name.chars(), room / 2).collect();
        let tail: Vec<char> = within(name.chars().rev(), room - room / 2).collect();
        // A combining character whose base is cut off goes with it.
        let tail = tail.into_iter().rev().skip_while(|c| c.width() == Some(0));
        format!("{head}{ELLIPSIS}{}", tail.collect::<String>())
    });
    cuts.find(|cut| cut.width() <= width).unwrap_or_default()
}

fn within(characters: impl Iterator<Item = char>, width: usize) -> impl Iterator<Item = char> {
    let column = |column: &mut usize, c: char| {
        *column += c.width().unwrap_or(1);
        Some((*column, c))
    };
    characters.scan(0, column).take_while(move |(column, _)| *column <= width).map(|(_, c)| c)
}

/// As many of the parts, from the first, as fit side by side; at least one.
pub(crate) fn fitting(parts: &[String], width: usize) -> String {
    let mut line = String::new();
    for part in parts {
        if line.is_empty() {
            line.push_str(part);
        } else if columns_of(&line) + 2 + columns_of(part) <= width {
            line = format!("{line}  {part}");
        } else {
            break;
        }
    }
    line
}

/// A word that is longer than the terminal is wide, a path say, stays whole: the terminal breaks it in a way that
/// can still be copied.
fn wrapped(line: &str, width: usize) -> String {
    if columns_of(line) <= width {
        return line.to_owned();
    }
    let indent = match line.len() - line.trim_start_matches(' ').len() {
        0 if line.starts_with("- ") => 2,
        0 => 0,
        indent => indent + 2,
    };
    let mut text = String::new();
    let mut column = 0;
    let mut has_word = false;
    for (index, word) in line.split(' ').enumerate() {
        if has_word && !word.is_empty() && column + 1 + columns_of(word) > width {
            text.truncate(text.trim_end_matches(' ').len());
            text.extend(std::iter::once('\n').chain(std::iter::repeat_n(' ', indent)));
            column = indent;
        } else if index > 0 {
            text.push(' ');
            column += 1;
        }
        text.push_str(word);
        column += columns_of(word);
        has_word |= !word.is_empty();
    }
    text.truncate(text.trim_end_matches(' ').len());
    text
}

/// Breaks lines at words if a width is given; passes them on unchanged otherwise.
pub(crate) struct Wrapping<W> {
    out: W,
    width: Option<usize>,
    /// Not ended yet.
    line: Vec<u8>,
}

impl<W: Write> Wrapping<W> {
    pub(crate) fn new(out: W, width: Option<u16>) -> Self {
        Self { out, width: width.map(usize::from), line: Vec::new() }
    }
}

impl<W: Write> Write for Wrapping<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(width) = self.width else { return self.out.write(bytes) };
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.line.extend(part);
            if let Some(line) = self.line.strip_suffix(b"\n") {
                writeln!(self.out, "{}", wrapped(&String::from_utf8_lossy(line), width))?;
                self.line.clear();
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.write_all(&std::mem::take(&mut self.line))?;
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_are_cut_in_the_middle_by_columns() {
        for (name, width, cut) in [
            ("samples/lesion-1.jpg", 20, "samples/lesion-1.jpg"),
            ("samples/lesion-1.jpg", 15, "samples…n-1.jpg"),
            ("a/皮膚病変の画像.jpg", 12, "a/皮…像.jpg"),
            ("e\u{301}e\u{301}e\u{301}e\u{301}", 3, "e\u{301}…e\u{301}"),
            ("abc", 1, "…"),
        ] {
            assert_eq!(elided(name, width), cut, "{name} in {width}");
        }
    }

    #[test]
    fn lines_are_broken_at_words() {
        for (line, width, broken) in [
            ("one two three", 13, "one two three"),
            ("one two three", 9, "one two\nthree"),
            ("- one two three", 9, "- one two\n  three"),
            ("  one two three", 9, "  one two\n    three"),
            ("a path/that/is/long b", 6, "a\npath/that/is/long\nb"),
            ("\u{1b}[1;31mBAD\u{1b}[0m: two", 8, "\u{1b}[1;31mBAD\u{1b}[0m: two"),
            ("one   two", 5, "one\ntwo"),
        ] {
            assert_eq!(wrapped(line, width), broken, "{line} in {width}");
        }
    }

    #[test]
    fn parts_are_left_out_from_the_last() {
        let parts = ["one", "two", "three"].map(str::to_owned);
        assert_eq!([0, 8, 15].map(|width| fitting(&parts, width)), ["one", "one  two", "one  two  three"]);
    }

    proptest! {
        #[test]
        fn what_is_cut_fits_and_what_is_broken_keeps_its_words(line in "\\PC{0,60}", width in 1_usize..70) {
            prop_assert!(elided(&line, width).width() <= width);
            let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
            prop_assert_eq!(words(&wrapped(&line, width)), words(&line));
        }

        #[test]
        fn only_a_long_word_makes_a_line_too_long(line in "[a-z ]{0,80}", width in 4_usize..40) {
            let broken = wrapped(&line, width);
            for part in broken.lines().filter(|part| part.len() > width) {
                prop_assert_eq!(part.split_whitespace().count(), 1, "{}", broken);
            }
        }
    }
}
