//! Tables. The columns of a kind of row are defined once, as a [`Table`], and four renderers write the rows: `terminal`,
//! `markdown`, `csv` and `html`. Read [`Column`] first.

mod csv;
mod html;
mod markdown;
mod terminal;

use std::borrow::Cow;

pub(crate) use self::csv::Csv;
pub(crate) use self::markdown::{escaped, list};

/// What a column holds: it decides the alignment, and how the column becomes narrower on a narrow terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A name, such as that of a file: cut in the middle.
    Name,
    /// Text that is broken at words.
    Text,
    /// Numbers and words that stay whole.
    Figure,
    /// Numbers below a title that may be broken anywhere.
    Count,
}

impl Kind {
    fn is_to_the_right(self) -> bool {
        matches!(self, Self::Figure | Self::Count)
    }
}

/// Why a row or a cell is emphasised. Each renderer decides how, if at all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Tone {
    #[default]
    Plain,
    /// A row of totals.
    Total,
    /// Figures that should not be relied on.
    Warned,
    /// Requests that failed.
    Failed,
    /// On the diagonal of a confusion matrix.
    Right,
    Benign,
    Malignant,
    Doubtful,
}

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

    /// Sets the figure that CSV files have instead of the text, which may be rounded. `None` is an empty field.
    pub(crate) fn exactly(self, figure: Option<f64>) -> Self {
        Self { exact: Some(figure.map_or(String::new(), |figure| figure.to_string())), ..self }
    }

    /// Adds a second line, smaller where that is possible.
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

    /// A share (0 to 1), which a page shows as the colour of the background.
    pub(crate) fn share(self, share: f64) -> Self {
        Self { share: Some(share), ..self }
    }
}

type ToCell<'a, T> = Box<dyn Fn(&T) -> Cell + 'a>;

/// A title, and how the cell below it is made from a row.
pub(crate) struct Column<'a, T> {
    /// Without a title, the column is in CSV files only.
    title: Option<Cow<'a, str>>,
    /// The name of the column in CSV files; without one, they do not have the column.
    csv: Option<Cow<'a, str>>,
    kind: Kind,
    /// A narrow terminal leaves columns out by rank, 1 first; without a rank, never.
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

    /// A column of CSV files only.
    pub(crate) fn csv_only<C: Into<Cell>>(
        name: impl Into<Cow<'a, str>>,
        cell: impl Fn(&T) -> C + 'a,
    ) -> Self {
        Self { title: None, ..Self::new(Kind::Figure, "", cell).csv(name) }
    }

    /// Adds the column to CSV files.
    pub(crate) fn csv(self, name: impl Into<Cow<'a, str>>) -> Self {
        Self { csv: Some(name.into()), ..self }
    }

    /// Lets a narrow terminal leave the column out; columns with a lower rank go first.
    pub(crate) fn spare(self, rank: u8) -> Self {
        Self { spare: Some(rank), ..self }
    }

    /// The same column of rows that contain the rows of this one.
    pub(crate) fn of_part<U>(self, part: impl Fn(&U) -> &T + 'a) -> Column<'a, U>
    where
        T: 'a,
    {
        let Self { title, csv, kind, spare, cell } = self;
        Column { title, csv, kind, spare, cell: Box::new(move |row| cell(part(row))) }
    }
}

/// The columns of rows `T`, of which the first has the name of the row.
pub(crate) struct Table<'a, T> {
    columns: Vec<Column<'a, T>>,
    tone: fn(&T) -> Tone,
    /// These three are for pages only.
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

    /// Lets a narrow terminal leave out the columns with these titles, in this order.
    pub(crate) fn spare(mut self, titles: &[&str]) -> Self {
        for (rank, title) in (1..).zip(titles) {
            let column = self.columns.iter_mut().find(|column| column.title.as_deref() == Some(title));
            column.expect("the title of a column").spare = Some(rank);
        }
        self
    }

    pub(crate) fn into_columns(self) -> Vec<Column<'a, T>> {
        self.columns
    }

    /// All columns but those of CSV files only, with their titles.
    fn shown(&self) -> impl Iterator<Item = (&str, &Column<'a, T>)> {
        self.columns.iter().filter_map(|column| Some((column.title.as_deref()?, column)))
    }
}
