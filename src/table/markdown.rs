//! Tables and lists of a Markdown document.

use std::io::{self, Write};

use super::Table;

impl<T> Table<'_, T> {
    pub(crate) fn markdown<'r>(
        &self,
        out: &mut dyn Write,
        rows: impl IntoIterator<Item = &'r T>,
    ) -> io::Result<()>
    where
        T: 'r,
    {
        let titles: Vec<_> = self.shown().map(|(title, _)| escaped(title)).collect();
        writeln!(out, "| {} |", titles.join(" | "))?;
        let rules: Vec<_> =
            self.shown().map(|(_, c)| if c.kind.is_to_the_right() { "---:" } else { "---" }).collect();
        writeln!(out, "| {} |", rules.join(" | "))?;
        for row in rows {
            let cells: Vec<_> =
                self.shown().map(|(_, column)| escaped(&(column.cell)(row).lines(" "))).collect();
            writeln!(out, "| {} |", cells.join(" | "))?;
        }
        Ok(())
    }
}

/// A list after an empty line; nothing at all without items.
pub(crate) fn list(out: &mut dyn Write, items: &[String]) -> io::Result<()> {
    if !items.is_empty() {
        writeln!(out)?;
    }
    items.iter().try_for_each(|item| writeln!(out, "- {}", escaped(item)))
}

/// Text from outside as text: no table cell ends, no markup begins, no line breaks.
pub(crate) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            c if c.is_control() => safe.push(' '),
            '|' | '<' | '>' | '`' | '[' | ']' | '\\' => safe.extend(['\\', c]),
            '&' => safe.push_str("&amp;"),
            c => safe.push(c),
        }
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
        fn no_text_ends_its_cell_or_row(text in "\\PC{0,20}[|\n\r\\\\`<&]{0,4}\\PC{0,20}") {
            let text = written(&[(&text, 1)]);
            let row = text.lines().last().expect("a row");
            let unescaped = row.replace("\\\\", "").replace("\\|", "");
            prop_assert_eq!((text.lines().count(), unescaped.matches('|').count()), (3, 3), "{}", row);
        }
    }
}
