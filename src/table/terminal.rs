//! Tables that fit the terminal. As far as there is need, columns move together, names are cut, text is broken and
//! columns that can be spared are left out; where not even that is enough, each row becomes a list.

use std::fmt;

use comfy_table::{Attribute, CellAlignment, Color, ColumnConstraint, Width, presets};
use unicode_width::UnicodeWidthStr as _;

use crate::process::elided;
use crate::process::terminal::Look;

/// Columns of names and of text keep at least so much, if they hold it.
const LEAST_NAME: usize = 16;
const LEAST_TEXT: usize = 14;

/// A title that is broken keeps so much in a line.
const LEAST_TITLE: usize = 3;

/// What a column holds, and so how it is made narrower.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Of a file or the like: cut in the middle.
    Name,
    /// Broken at words.
    Text,
    /// Numbers and words that stay whole, to the right.
    Figure,
    /// The same under a title that may be broken anywhere.
    Count,
}

/// What stands in a row under a title.
#[derive(Debug, Clone, Default)]
pub(crate) struct Cell {
    text: String,
    color: Option<Color>,
    bold: bool,
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self { text: text.into(), ..Self::default() }
    }
}

impl Cell {
    pub(crate) fn color(self, color: Color) -> Self {
        Self { color: Some(color), ..self }
    }

    pub(crate) fn bold(self) -> Self {
        Self { bold: true, ..self }
    }

    /// Columns of its widest line.
    fn width(&self) -> usize {
        self.text.lines().map(str::width).max().unwrap_or(0)
    }
}

/// Titles and rows under them.
#[derive(Debug)]
pub(crate) struct Table {
    look: Look,
    titles: Vec<(String, Kind)>,
    rows: Vec<Vec<Cell>>,
    /// Titles of columns that may be left out, the least important first.
    spare: &'static [&'static str],
}

/// Which columns are shown, and how wide what is in them may be.
struct Layout {
    columns: Vec<(usize, usize)>,
    tight: bool,
}

impl Table {
    pub(crate) fn new<T: Into<String>>(
        look: Look,
        titles: impl IntoIterator<Item = (T, Kind)>,
        spare: &'static [&'static str],
    ) -> Self {
        let titles = titles.into_iter().map(|(title, kind)| (title.into(), kind)).collect();
        Self { look, titles, rows: Vec::new(), spare }
    }

    /// Adds a row, a cell for each title.
    pub(crate) fn add_row<C: Into<Cell>>(&mut self, cells: impl IntoIterator<Item = C>) {
        self.rows.push(cells.into_iter().map(Into::into).collect());
    }

    fn layout(&self) -> Option<Layout> {
        let available = self.look.width.map_or(usize::MAX, usize::from);
        let mut shown: Vec<usize> = (0..self.titles.len()).collect();
        let needs: Vec<_> = shown.iter().map(|column| self.needs(*column)).collect();
        let mut spare = self.spare.iter();
        loop {
            let needs: Vec<_> = shown.iter().map(|column| needs[*column]).collect();
            // Nothing is cut or broken before columns have moved together.
            let whole = needs.iter().map(|(_, all)| (*all, *all)).collect();
            for (tight, needs) in [(false, whole), (true, needs)] {
                let spaces = (0..shown.len()).map(|at| padding(at, shown.len(), tight));
                let frame =
                    1 + shown.len() + spaces.map(|(left, right)| usize::from(left + right)).sum::<usize>();
                if let Some(widths) = available.checked_sub(frame).and_then(|room| share(&needs, room)) {
                    return Some(Layout { columns: shown.into_iter().zip(widths).collect(), tight });
                }
            }
            let left_out = spare.next()?;
            shown.retain(|column| self.titles[*column].0 != *left_out);
        }
    }

    /// The least width of a column, and the width that shows all of it.
    fn needs(&self, column: usize) -> (usize, usize) {
        let (title, kind) = &self.titles[column];
        let cells =
            self.rows.iter().filter_map(|row| row.get(column)).map(Cell::width).max().unwrap_or(0).max(1);
        let all = cells.max(title.width());
        let least = match kind {
            Kind::Name => all.min(LEAST_NAME),
            Kind::Text => all.min(LEAST_TEXT),
            Kind::Figure => all,
            Kind::Count => cells.max(title.width().min(LEAST_TITLE)),
        };
        (least, all)
    }

    fn drawn(&self, layout: &Layout) -> comfy_table::Table {
        let mut table = comfy_table::Table::new();
        table.load_style(presets::UTF8_BORDERS_ONLY).force_no_tty();
        if self.look.colored {
            table.enforce_styling();
        }
        table.set_header(layout.columns.iter().map(|(column, _)| {
            let title = comfy_table::Cell::new(&self.titles[*column].0);
            title.add_attribute(Attribute::Bold)
        }));
        for row in &self.rows {
            table.add_row(layout.columns.iter().map(|(column, width)| self.cell(row, *column, *width)));
        }
        for (at, ((column, width), drawn)) in layout.columns.iter().zip(table.column_iter_mut()).enumerate() {
            let (left, right) = padding(at, layout.columns.len(), layout.tight);
            let width = u16::try_from(*width).unwrap_or(u16::MAX);
            drawn.set_padding((left, right));
            drawn
                .set_constraint(ColumnConstraint::Absolute(Width::Fixed(width.saturating_add(left + right))));
            if matches!(self.titles[*column].1, Kind::Figure | Kind::Count) {
                drawn.set_cell_alignment(CellAlignment::Right);
            }
        }
        table
    }

    fn cell(&self, row: &[Cell], column: usize, width: usize) -> comfy_table::Cell {
        let Some(cell) = row.get(column) else { return comfy_table::Cell::new("") };
        let drawn = match self.titles[column].1 {
            Kind::Name => comfy_table::Cell::new(elided(&cell.text, width)),
            _ => comfy_table::Cell::new(&cell.text),
        };
        let drawn = if cell.bold { drawn.add_attribute(Attribute::Bold) } else { drawn };
        match cell.color {
            Some(color) => drawn.fg(color),
            None => drawn,
        }
    }

    /// Each row's first cell, and below it the others with their titles.
    fn list(&self) -> Vec<String> {
        let width = self.look.width.map_or(usize::MAX, usize::from);
        let titles = self.titles.iter().skip(1).map(|(title, _)| title);
        let title_width = titles.clone().map(|title| title.width()).max().unwrap_or(0);
        let mut lines = Vec::new();
        for row in &self.rows {
            let mut cells = row.iter().map(|cell| cell.text.replace('\n', " "));
            lines.extend(cells.next().filter(|name| !name.is_empty()).map(|name| elided(&name, width)));
            let cells = titles.clone().zip(cells).filter(|(_, text)| !text.is_empty());
            lines.extend(cells.map(|(title, text)| format!("  {title:title_width$}  {text}")));
        }
        lines
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(layout) = self.layout() else { return f.write_str(&self.list().join("\n")) };
        write!(f, "{}", self.drawn(&layout))?;
        let is_shown = |column: usize| layout.columns.iter().any(|(shown, _)| *shown == column);
        let titles = self.titles.iter().enumerate();
        let left_out: Vec<_> =
            titles.filter(|(column, _)| !is_shown(*column)).map(|(_, (title, _))| title.as_str()).collect();
        match self.look.width {
            Some(width) if !left_out.is_empty() => {
                write!(f, "\nLeft out to fit {width} columns: {}", left_out.join(", "))
            }
            _ => Ok(()),
        }
    }
}

/// Spaces to the left and to the right of a column, besides the one that is between any two.
fn padding(at: usize, columns: usize, tight: bool) -> (u16, u16) {
    let (first, last) = (at == 0, at + 1 == columns);
    if tight { (u16::from(first), u16::from(first || last)) } else { (1, 1) }
}

/// Shares room among columns by what each needs at least and at most; `None` if it is not enough. What is left after
/// all have the least goes to the narrowest that wants more.
fn share(needs: &[(usize, usize)], room: usize) -> Option<Vec<usize>> {
    let all: Vec<usize> = needs.iter().map(|(_, all)| *all).collect();
    if all.iter().sum::<usize>() <= room {
        return Some(all);
    }
    let mut widths: Vec<usize> = needs.iter().map(|(least, _)| *least).collect();
    for _ in 0..room.checked_sub(widths.iter().sum())? {
        let wanting = widths.iter_mut().zip(&all).filter(|(width, all)| **width < **all);
        if let Some((width, _)) = wanting.min_by_key(|(width, _)| **width) {
            *width += 1;
        }
    }
    Some(widths)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn table(width: Option<u16>) -> Table {
        let titles =
            [("image", Kind::Name), ("class", Kind::Text), ("p50", Kind::Figure), ("p99", Kind::Figure)];
        let mut table = Table::new(Look { colored: false, width }, titles, &["p99", "no such title"]);
        table.add_row(["samples/a-very-long-name-of-a-picture.jpg", "a nevus or some such", "12.3 %", "7"]);
        table
    }

    #[test]
    fn without_a_width_all_is_shown() {
        let shown = table(None).to_string();
        let lines: Vec<_> = shown.lines().collect();
        assert_eq!(lines.len(), 5, "{shown}");
        assert!(
            lines[3].contains(" samples/a-very-long-name-of-a-picture.jpg   a nevus or some such   12.3 % "),
            "{shown}"
        );
    }

    #[test]
    fn names_are_cut_and_text_is_broken() {
        let shown = table(Some(62)).to_string();
        assert!(
            shown.contains("│ samples/a-ve…-picture.jpg  a nevus or some such 12.3 %   7 │\n└"),
            "{shown}"
        );
        let shown = table(Some(49)).to_string();
        assert!(shown.contains("│ samples…ture.jpg  a nevus or some  12.3 %   7 │\n"), "{shown}");
        assert!(shown.contains("│                   such                        │\n└"), "{shown}");
    }

    #[test]
    fn columns_move_together_and_are_left_out_and_at_last_rows_are_lists() {
        let shown = table(Some(83)).to_string();
        assert!(shown.contains("a-picture.jpg   a nevus or some such   12.3 %     7 │\n"), "{shown}");
        let shown = table(Some(82)).to_string();
        assert!(shown.contains("a-picture.jpg  a nevus or some such 12.3 %   7 │\n"), "{shown}");
        let shown = table(Some(43)).to_string();
        assert!(!shown.contains("  7 │") && shown.ends_with("Left out to fit 43 columns: p99"), "{shown}");
        let shown = table(Some(30)).to_string();
        let list =
            "samples/a-very…f-a-picture.jpg\n  class  a nevus or some such\n  p50    12.3 %\n  p99    7";
        assert_eq!(shown, list);
    }

    #[test]
    fn titles_of_counts_are_broken() {
        let titles = [("", Kind::Name), ("akiec", Kind::Count), ("vasc", Kind::Count)];
        let mut table = Table::new(Look { colored: false, width: Some(18) }, titles, &[]);
        table.add_row(["akiec", "12", "3"]);
        let shown = table.to_string();
        assert!(shown.contains("│        aki vas │") && shown.contains("│ akiec   12   3 │"), "{shown}");
    }

    proptest! {
        #[test]
        fn no_line_is_too_wide(
            rows in prop::collection::vec(["\\PC{0,40}", "[a-z]{0,9}( [a-z]{1,30}){0,9}", "[0-9]{0,9}", "[0-9]{0,3}"], 0..4),
            width in 1_u16..120,
        ) {
            let mut table = table(Some(width));
            rows.into_iter().for_each(|row| table.add_row(row));
            let shown = table.to_string();
            // The lines of a list are broken by who writes them.
            if shown.starts_with('┌') {
                let table = shown.lines().take_while(|line| line.starts_with(['┌', '╞', '│', '└']));
                prop_assert!(table.into_iter().all(|line| line.width() <= width.into()), "{}", shown);
            }
        }
    }
}
