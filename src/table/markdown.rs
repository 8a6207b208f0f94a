//! Tables and lists of a Markdown document.

use std::io::{self, Write};

use super::{Column, Table, Tone};

impl<T> Table<'_, T> {
    pub(crate) fn markdown<'r>(
        &self,
        out: &mut dyn Write,
        rows: impl IntoIterator<Item = &'r T>,
    ) -> io::Result<()>
    where
        T: 'r,
    {
        self.markdown_header(out)?;
        rows.into_iter().try_for_each(|row| self.markdown_row(out, row))
    }

    /// For rows that are written one by one and not kept.
    pub(crate) fn markdown_header(&self, out: &mut dyn Write) -> io::Result<()> {
        let rule = |column: &Column<'_, T>| if column.kind.is_to_the_right() { "---:" } else { "---" };
        write_row(out, self.shown().map(|(title, _)| escaped_cell(title)))?;
        write_row(out, self.shown().map(|(_, column)| rule(column).to_owned()))
    }

    /// The name of a row of totals is bold.
    pub(crate) fn markdown_row(&self, out: &mut dyn Write, row: &T) -> io::Result<()> {
        let mut cells = self.shown().map(|(_, column)| escaped_cell(&(column.cell)(row).lines(" ")));
        let name = cells.next().map(|name| match (self.tone)(row) {
            Tone::Total => format!("**{name}**"),
            _ => name,
        });
        write_row(out, name.into_iter().chain(cells))
    }
}

fn write_row(out: &mut dyn Write, cells: impl Iterator<Item = String>) -> io::Result<()> {
    writeln!(out, "| {} |", cells.collect::<Vec<_>>().join(" | "))
}

/// A list after an empty line; nothing at all without items.
pub(crate) fn list(out: &mut dyn Write, items: &[String]) -> io::Result<()> {
    if !items.is_empty() {
        writeln!(out)?;
    }
    items.iter().try_for_each(|item| writeln!(out, "- {}", escaped(item)))
}

/// Text from outside as text, for any place outside a table: no markup begins, no line breaks. Web addresses can still
/// become links.
pub(crate) fn escaped(text: &str) -> String {
    let text = escaped_cell(text);
    let text = text.trim_start();
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, rest) = text.split_at(digits);
    let mut rest_chars = rest.chars();
    // At the start of a line: a heading, an item of a list, the rule below a heading, a numbered item.
    let begins_block = match rest_chars.next() {
        Some('#' | '-' | '+' | '=') => number.is_empty(),
        Some('.' | ')') => !number.is_empty() && rest_chars.next().is_none_or(char::is_whitespace),
        _ => false,
    };
    let backslash = if begins_block { "\\" } else { "" };
    format!("{number}{backslash}{rest}")
}

/// In a cell, which cannot hold a list or a heading, a dash may come first.
fn escaped_cell(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    let mut in_word = false;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            c if c.is_control() => safe.push(' '),
            // Inside a word, as in `status_503`, it begins nothing.
            '_' if in_word && chars.peek().is_some_and(|next| next.is_alphanumeric()) => safe.push('_'),
            '|' | '<' | '>' | '`' | '[' | ']' | '\\' | '*' | '_' | '~' => safe.extend(['\\', c]),
            '&' => safe.push_str("&amp;"),
            c => safe.push(c),
        }
        in_word = c.is_alphanumeric();
    }
    safe
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{Cell, Column};
    use super::*;

    fn written(rows: &[(&str, u32)]) -> String {
        let table = Table::new([
            Column::name("a|b", |row: &(&str, u32)| row.0),
            Column::figure("n", |row: &(&str, u32)| Cell::number(row.1).note("of 9")),
            Column::csv_only("not_here", |row: &(&str, u32)| Cell::number(row.1)),
        ]);
        let mut out = Vec::new();
        table.markdown(&mut out, rows).expect("memory takes all");
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn names_are_to_the_left_figures_to_the_right_and_columns_of_csv_left_out() {
        assert_eq!(written(&[]), "| a\\|b | n |\n| --- | ---: |\n");
        assert_eq!(written(&[("x\ny", 7)]).lines().nth(2), Some("| x y | 7 of 9 |"));
    }

    #[test]
    fn the_name_of_a_total_is_bold_and_a_name_is_not() {
        let table = Table::new([Column::name("n", |row: &&str| *row), Column::figure("x", |_: &&str| "-")]);
        let table = table.tone(|row| if *row == "Total" { Tone::Total } else { Tone::Plain });
        let mut out = Vec::new();
        table.markdown(&mut out, &["**a**", "Total"]).expect("memory takes all");
        let text = String::from_utf8(out).expect("text");
        assert!(text.ends_with("| \\*\\*a\\*\\* | - |\n| **Total** | - |\n"), "{text}");
    }

    #[test]
    fn no_markup_begins_in_a_text() {
        for (text, wanted) in [
            ("*a* ~~b~~ `c` [d](e) <f> g|h", r"\*a\* \~\~b\~\~ \`c\` \[d\](e) \<f\> g\|h"),
            ("_a_ status_503 b__c", r"\_a\_ status_503 b\_\_c"),
            ("# a", r"\# a"),
            ("- a", r"\- a"),
            ("  + a", r"\+ a"),
            ("---", r"\---"),
            ("===", r"\==="),
            ("12. a", r"12\. a"),
            ("1)", r"1\)"),
            ("1.20 cores, 4 of 5 - #6", "1.20 cores, 4 of 5 - #6"),
            (". a", ". a"),
        ] {
            assert_eq!(escaped(text), wanted);
        }
    }

    #[test]
    fn a_list_needs_items() {
        let lines = |items: &[String]| {
            let mut out = Vec::new();
            list(&mut out, items).expect("memory takes all");
            String::from_utf8(out).expect("text")
        };
        assert_eq!(lines(&[]), "");
        assert_eq!(lines(&["one".to_owned(), "<two>".to_owned()]), "\n- one\n- \\<two\\>\n");
    }

    proptest! {
        #[test]
        fn no_text_ends_its_cell_or_row(text in "\\PC{0,20}[|\n\r\\\\`<&*_~]{0,4}\\PC{0,20}") {
            let text = written(&[(&text, 1)]);
            let row = text.lines().last().expect("a row");
            let unescaped = row.replace("\\\\", "").replace("\\|", "");
            prop_assert_eq!((text.lines().count(), unescaped.matches('|').count()), (3, 3), "{}", row);
        }
    }
}
