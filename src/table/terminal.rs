//! Tables that fit the terminal. As far as necessary, columns move together, names are cut, text is broken into lines and
//! columns with a rank are left out. If that is not enough, each row becomes a list.

use std::fmt;

use comfy_table::{Attribute, CellAlignment, Color, ColumnConstraint, Width, presets};
use unicode_width::UnicodeWidthStr as _;

use super::{Cell, Column, Kind, Table, Tone};
use crate::process::elided;
use crate::process::terminal::Look;

/// Columns of names and of text are not made narrower than this.
const LEAST_NAME: usize = 16;
const LEAST_TEXT: usize = 14;

/// The lines of a broken title are not made narrower than this.
const LEAST_TITLE: usize = 3;

/// A table with its rows, drawn by its `Display`.
pub(crate) struct Drawn {
    look: Look,
    columns: Vec<Head>,
    rows: Vec<Vec<Cell>>,
}

struct Head {
    title: String,
    kind: Kind,
    spare: Option<u8>,
}

/// Which columns are shown, and the width of what is in them.
struct Fit {
    columns: Vec<(usize, usize)>,
    tight: bool,
}

impl<T> Table<'_, T> {
    pub(crate) fn terminal<'r>(&self, look: Look, rows: impl IntoIterator<Item = &'r T>) -> Drawn
    where
        T: 'r,
    {
        let head = |(title, column): (&str, &Column<'_, T>)| Head {
            title: title.to_owned(),
            kind: column.kind,
            spare: column.spare,
        };
        let cells = |row: &T| {
            let tone = (self.tone)(row);
            self.shown().map(|(_, column)| (column.cell)(row)).map(|cell| cell.in_row(tone)).collect()
        };
        let rows = rows.into_iter().map(cells).collect();
        Drawn { look, columns: self.shown().map(head).collect(), rows }
    }
}

impl Cell {
    /// The row's tone counts, unless the cell has one that a terminal shows.
    fn in_row(self, tone: Tone) -> Self {
        if matches!(self.tone, Tone::Plain | Tone::Failed) { self.tone(tone) } else { self }
    }

    /// Of the widest line, in columns of the terminal.
    fn width(&self) -> usize {
        self.text.lines().chain(self.note.as_deref()).map(str::width).max().unwrap_or(0)
    }
}

impl Drawn {
    fn fit(&self) -> Option<Fit> {
        let available = self.look.width.map_or(usize::MAX, usize::from);
        let mut shown: Vec<usize> = (0..self.columns.len()).collect();
        let needs: Vec<_> = shown.iter().map(|column| self.needs(*column)).collect();
        let mut spare: Vec<usize> =
            (0..self.columns.len()).filter(|at| self.columns[*at].spare.is_some()).collect();
        spare.sort_by_key(|at| self.columns[*at].spare);
        let mut spare = spare.into_iter();
        loop {
            let needs: Vec<_> = shown.iter().map(|column| needs[*column]).collect();
            // Nothing is cut or broken before columns have moved together.
            let whole = needs.iter().map(|(_, all)| (*all, *all)).collect();
            for (tight, needs) in [(false, whole), (true, needs)] {
                let spaces = (0..shown.len()).map(|at| padding(at, shown.len(), tight));
                let frame =
                    1 + shown.len() + spaces.map(|(left, right)| usize::from(left + right)).sum::<usize>();
                if let Some(widths) = available.checked_sub(frame).and_then(|room| share(&needs, room)) {
                    return Some(Fit { columns: shown.into_iter().zip(widths).collect(), tight });
                }
            }
            let left_out = spare.next()?;
            shown.retain(|column| *column != left_out);
        }
    }

    /// The least width of a column, and the width that shows all of it.
    fn needs(&self, column: usize) -> (usize, usize) {
        let Head { title, kind, .. } = &self.columns[column];
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

    fn drawn(&self, fit: &Fit) -> comfy_table::Table {
        let mut table = comfy_table::Table::new();
        table.load_style(presets::UTF8_BORDERS_ONLY).force_no_tty();
        if self.look.colored {
            table.enforce_styling();
        }
        table.set_header(fit.columns.iter().map(|(column, _)| {
            let title = comfy_table::Cell::new(&self.columns[*column].title);
            title.add_attribute(Attribute::Bold)
        }));
        for row in &self.rows {
            table.add_row(fit.columns.iter().map(|(column, width)| self.cell(row, *column, *width)));
        }
        for (at, ((column, width), drawn)) in fit.columns.iter().zip(table.column_iter_mut()).enumerate() {
            let (left, right) = padding(at, fit.columns.len(), fit.tight);
            let width = u16::try_from(*width).unwrap_or(u16::MAX);
            drawn.set_padding((left, right));
            drawn
                .set_constraint(ColumnConstraint::Absolute(Width::Fixed(width.saturating_add(left + right))));
            if self.columns[*column].kind.is_to_the_right() {
                drawn.set_cell_alignment(CellAlignment::Right);
            }
        }
        table
    }

    fn cell(&self, row: &[Cell], column: usize, width: usize) -> comfy_table::Cell {
        let Some(cell) = row.get(column) else { return comfy_table::Cell::new("") };
        let text = cell.lines("\n");
        let drawn = comfy_table::Cell::new(match self.columns[column].kind {
            Kind::Name => elided(&text, width),
            Kind::Text | Kind::Figure | Kind::Count => text,
        });
        match cell.tone {
            Tone::Plain | Tone::Failed => drawn,
            Tone::Total | Tone::Right => drawn.add_attribute(Attribute::Bold),
            Tone::Warned => drawn.add_attribute(Attribute::Bold).fg(Color::Red),
            Tone::Benign => drawn.fg(Color::Green),
            Tone::Malignant => drawn.fg(Color::Red),
            Tone::Doubtful => drawn.fg(Color::Yellow),
        }
    }

    /// Each row's first cell, and below it the others with their titles.
    fn list(&self) -> Vec<String> {
        let width = self.look.width.map_or(usize::MAX, usize::from);
        let titles = self.columns.iter().skip(1).map(|head| head.title.as_str());
        let title_width = titles.clone().map(str::width).max().unwrap_or(0);
        let mut lines = Vec::new();
        for row in &self.rows {
            let mut cells = row.iter().map(|cell| cell.lines(" ").replace('\n', " "));
            lines.extend(cells.next().filter(|name| !name.is_empty()).map(|name| elided(&name, width)));
            let cells = titles.clone().zip(cells).filter(|(_, text)| !text.is_empty());
            lines.extend(cells.map(|(title, text)| format!("  {title:title_width$}  {text}")));
        }
        lines
    }
}

impl fmt::Display for Drawn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(fit) = self.fit() else { return f.write_str(&self.list().join("\n")) };
        write!(f, "{}", self.drawn(&fit))?;
        let is_shown = |column: usize| fit.columns.iter().any(|(shown, _)| *shown == column);
        let columns = self.columns.iter().enumerate().filter(|(column, _)| !is_shown(*column));
        let left_out: Vec<_> = columns.map(|(_, head)| head.title.as_str()).collect();
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

    type Row = [String; 4];

    fn drawn(width: Option<u16>, rows: &[Row]) -> String {
        let table = Table::new([
            Column::name("image", |row: &Row| row[0].clone()),
            Column::new(Kind::Text, "class", |row: &Row| row[1].clone()),
            Column::figure("p50", |row: &Row| row[2].clone()).csv("p50_ms"),
            Column::csv_only("in_files", |row: &Row| row[2].clone()),
            Column::figure("p99", |row: &Row| row[3].clone()).spare(1),
        ]);
        table.terminal(Look { colored: false, width }, rows).to_string()
    }

    fn table(width: Option<u16>) -> String {
        let row = ["samples/a-very-long-name-of-a-picture.jpg", "a nevus or some such", "12.3 %", "7"];
        drawn(width, &[row.map(str::to_owned)])
    }

    #[test]
    fn without_a_width_all_is_shown() {
        let shown = table(None);
        let lines: Vec<_> = shown.lines().collect();
        assert_eq!(lines.len(), 5, "{shown}");
        assert!(
            lines[3].contains(" samples/a-very-long-name-of-a-picture.jpg   a nevus or some such   12.3 % "),
            "{shown}"
        );
    }

    #[test]
    fn names_are_cut_and_text_is_broken() {
        let shown = table(Some(62));
        assert!(
            shown.contains("│ samples/a-ve…-picture.jpg  a nevus or some such 12.3 %   7 │\n└"),
            "{shown}"
        );
        let shown = table(Some(49));
        assert!(shown.contains("│ samples…ture.jpg  a nevus or some  12.3 %   7 │\n"), "{shown}");
        assert!(shown.contains("│                   such                        │\n└"), "{shown}");
    }

    #[test]
    fn columns_move_together_and_are_left_out_and_at_last_rows_are_lists() {
        let shown = table(Some(83));
        assert!(shown.contains("a-picture.jpg   a nevus or some such   12.3 %     7 │\n"), "{shown}");
        let shown = table(Some(82));
        assert!(shown.contains("a-picture.jpg  a nevus or some such 12.3 %   7 │\n"), "{shown}");
        let shown = table(Some(43));
        assert!(!shown.contains("  7 │") && shown.ends_with("Left out to fit 43 columns: p99"), "{shown}");
        let shown = table(Some(30));
        let list =
            "samples/a-very…f-a-picture.jpg\n  class  a nevus or some such\n  p50    12.3 %\n  p99    7";
        assert_eq!(shown, list);
    }

    #[test]
    fn titles_of_counts_are_broken() {
        let table = Table::new([
            Column::name("", |row: &[&str; 3]| row[0]),
            Column::new(Kind::Count, "akiec", |row: &[&str; 3]| row[1]),
            Column::new(Kind::Count, "vasc", |row: &[&str; 3]| row[2]),
        ]);
        let look = Look { colored: false, width: Some(18) };
        let shown = table.terminal(look, &[["akiec", "12", "3"]]).to_string();
        assert!(shown.contains("│        aki vas │") && shown.contains("│ akiec   12   3 │"), "{shown}");
    }

    #[test]
    fn an_empty_table_has_titles() {
        let shown = drawn(None, &[]);
        assert!(shown.contains("│ image   class   p50   p99 │"), "{shown}");
    }

    #[test]
    fn columns_are_left_out_by_rank_until_the_rest_fits() {
        let column = |title: &'static str, rank| Column::figure(title, |_: &()| "1234567890").spare(rank);
        let table = Table::new([
            Column::name("name", |_: &()| "n"),
            column("kept longest", 3),
            column("first", 1),
            column("second", 2),
        ]);
        let shown = |width| table.terminal(Look { colored: false, width: Some(width) }, &[()]).to_string();
        assert!(!shown(80).contains("Left out"), "{}", shown(80));
        assert!(shown(40).ends_with("Left out to fit 40 columns: first"), "{}", shown(40));
        assert!(shown(30).ends_with("Left out to fit 30 columns: first, second"), "{}", shown(30));
    }

    #[test]
    fn a_note_is_a_line_of_its_own_and_tones_are_colours_where_there_are_any() {
        let cell = |row: &Tone| Cell::from("1.5").note("1\u{2013}2").tone(*row);
        let table = Table::new([Column::name("", |_: &Tone| "name"), Column::figure("value", cell)]);
        let table = table.tone(|_| Tone::Total);
        let look = |colored| Look { colored, width: None };
        let plain = table.terminal(look(false), &[Tone::Warned]).to_string();
        assert!(plain.contains("│ name   value │\n") || plain.contains("│ name     1.5 │\n"), "{plain}");
        assert!(plain.contains("│          1\u{2013}2 │\n") && !plain.contains('\u{1b}'), "{plain}");
        let bold_and_red = table.terminal(look(true), &[Tone::Warned]).to_string();
        assert!(
            bold_and_red.contains("\u{1b}[1m") && bold_and_red.contains("\u{1b}[38;5;9m"),
            "{bold_and_red}"
        );
        let name_is_bold = table.terminal(look(true), &[Tone::Plain]).to_string();
        assert!(!name_is_bold.contains("\u{1b}[38"), "{name_is_bold}");
    }

    proptest! {
        #[test]
        fn no_line_is_too_wide(
            rows in prop::collection::vec(["\\PC{0,40}", "[a-z]{0,9}( [a-z]{1,30}){0,9}", "[0-9]{0,9}", "[0-9]{0,3}"], 0..4),
            width in 1_u16..120,
        ) {
            let shown = drawn(Some(width), &rows);
            // The lines of a list are broken by who writes them.
            if shown.starts_with('┌') {
                let table = shown.lines().take_while(|line| line.starts_with(['┌', '╞', '│', '└']));
                prop_assert!(table.into_iter().all(|line| line.width() <= width.into()), "{}", shown);
            }
        }
    }
}
