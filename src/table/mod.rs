//! Tables: what a row is and which columns it has is said once, as a [`Table`]; four renderers write it, for a terminal, a
//! Markdown document, a CSV file and an HTML page.
//!
//! Read [`Column`] first. A column that is added to a table is in all of its outputs.

mod csv;
mod html;
mod markdown;
mod terminal;

use std::borrow::Cow;

pub(crate) use self::csv::Csv;
pub(crate) use self::markdown::{escaped, list};

/// What a column holds: figures are aligned to the right, and each kind gives way differently where a terminal is narrow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Of a file or the like: cut in the middle.
    Name,
    /// Broken at words.
    Text,
    /// Numbers and words that stay whole.
    Figure,
    /// The same under a title that may be broken anywhere.
    Count,
}

impl Kind {
    fn is_to_the_right(self) -> bool {
        matches!(self, Self::Figure | Self::Count)
    }
}

/// Why a row or a cell stands out; each renderer has its own means to show it, or none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Tone {
    #[default]
    Plain,
    /// Of all rows together.
    Total,
    /// Figures that are not to be relied on.
    Warned,
    /// Requests that failed.
    Failed,
    /// On the diagonal of a confusion matrix.
    Right,
    Benign,
    Malignant,
    Doubtful,
}

/// What stands in a row under a title.
#[derive(Debug, Clone, Default)]
pub(crate) struct Cell {
    text: String,
    note: Option<String>,
    exact: Option<String>,
    tone: Tone,
    share: Option<f64>,
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self { text: text.into(), ..Self::default() }
    }
}

impl Cell {
    pub(crate) fn number(number: impl ToString) -> Self {
        number.to_string().into()
    }

    /// A figure for programs: CSV files have it in place of the text, which may be rounded; nothing if it is not known.
    pub(crate) fn exactly(self, figure: Option<f64>) -> Self {
        Self { exact: Some(figure.map_or(String::new(), |figure| figure.to_string())), ..self }
    }

    /// A second line, smaller where that is possible.
    pub(crate) fn note(self, note: impl Into<String>) -> Self {
        Self { note: Some(note.into()), ..self }
    }

    pub(crate) fn tone(self, tone: Tone) -> Self {
        Self { tone, ..self }
    }

    /// The text and the note after it.
    fn lines(&self, between: &str) -> String {
        match &self.note {
            Some(note) => format!("{}{between}{note}", self.text),
            None => self.text.clone(),
        }
    }

    /// A share (0 to 1) that a page shows by the colour behind the cell.
    pub(crate) fn share(self, share: f64) -> Self {
        Self { share: Some(share), ..self }
    }
}

type ToCell<'a, T> = Box<dyn Fn(&T) -> Cell + 'a>;

/// A title, and how the cell below it is made from a row.
pub(crate) struct Column<'a, T> {
    /// For people; without one the column is in CSV files alone.
    title: Option<Cow<'a, str>>,
    /// For programs; without one the column is in no CSV file.
    csv: Option<Cow<'a, str>>,
    kind: Kind,
    /// The place among the columns that a narrow terminal leaves out, 1 the first.
    spare: Option<u8>,
    cell: ToCell<'a, T>,
}

impl<'a, T> Column<'a, T> {
    pub(crate) fn new<C: Into<Cell>>(
        kind: Kind,
        title: impl Into<Cow<'a, str>>,
        cell: impl Fn(&T) -> C + 'a,
    ) -> Self {
        let cell = Box::new(move |row: &T| cell(row).into());
        Self { title: Some(title.into()), csv: None, kind, spare: None, cell }
    }

    pub(crate) fn name<C: Into<Cell>>(title: impl Into<Cow<'a, str>>, cell: impl Fn(&T) -> C + 'a) -> Self {
        Self::new(Kind::Name, title, cell)
    }

    pub(crate) fn figure<C: Into<Cell>>(title: impl Into<Cow<'a, str>>, cell: impl Fn(&T) -> C + 'a) -> Self {
        Self::new(Kind::Figure, title, cell)
    }

    /// Of CSV files alone.
    pub(crate) fn of_csv<C: Into<Cell>>(name: impl Into<Cow<'a, str>>, cell: impl Fn(&T) -> C + 'a) -> Self {
        Self { title: None, ..Self::new(Kind::Figure, "", cell).csv(name) }
    }

    /// Adds the column to CSV files, by this name.
    pub(crate) fn csv(self, name: impl Into<Cow<'a, str>>) -> Self {
        Self { csv: Some(name.into()), ..self }
    }

    /// Lets a narrow terminal leave the column out, the one with the smallest rank first.
    pub(crate) fn spare(self, rank: u8) -> Self {
        Self { spare: Some(rank), ..self }
    }

    /// The column for rows that this one's rows are a part of.
    pub(crate) fn of_part<U>(self, part: impl Fn(&U) -> &T + 'a) -> Column<'a, U>
    where
        T: 'a,
    {
        let Self { title, csv, kind, spare, cell } = self;
        Column { title, csv, kind, spare, cell: Box::new(move |row| cell(part(row))) }
    }
}

/// The columns of rows `T`, the first of which names the row, and what is special about a row as a whole.
pub(crate) struct Table<'a, T> {
    columns: Vec<Column<'a, T>>,
    tone: fn(&T) -> Tone,
    /// What follows is for pages alone.
    caption: Option<&'static str>,
    class: Option<&'static str>,
    link: Option<fn(usize) -> String>,
}

impl<'a, T> Table<'a, T> {
    pub(crate) fn new(columns: impl IntoIterator<Item = Column<'a, T>>) -> Self {
        let columns = columns.into_iter().collect();
        Self { columns, tone: |_| Tone::Plain, caption: None, class: None, link: None }
    }

    pub(crate) fn tone(self, tone: fn(&T) -> Tone) -> Self {
        Self { tone, ..self }
    }

    /// The columns alone, for a table of more.
    pub(crate) fn into_columns(self) -> Vec<Column<'a, T>> {
        self.columns
    }

    /// Titles and columns that people see.
    fn shown(&self) -> impl Iterator<Item = (&str, &Column<'a, T>)> {
        self.columns.iter().filter_map(|column| Some((column.title.as_deref()?, column)))
    }
}
