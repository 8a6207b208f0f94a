//! Tables of a page.

use maud::{Markup, html};

use super::{Cell, Table, Tone};

impl<T> Table<'_, T> {
    /// A line above the titles.
    pub(crate) fn captioned(self, caption: &'static str) -> Self {
        Self { caption: Some(caption), ..self }
    }

    /// A class of the style sheet.
    pub(crate) fn styled(self, class: &'static str) -> Self {
        Self { class: Some(class), ..self }
    }

    /// Where a click on the name of the row with this index leads.
    pub(crate) fn linked(self, link: fn(usize) -> String) -> Self {
        Self { link: Some(link), ..self }
    }

    /// The table in a box that scrolls sideways where the page is narrow; `label` tells screen readers what it holds.
    pub(crate) fn html<'r>(&self, label: &str, rows: impl IntoIterator<Item = &'r T>) -> Markup
    where
        T: 'r,
    {
        html! {
            div.wide role="region" aria-label=(label) tabindex="0" { table class=[self.class] {
                @if let Some(caption) = self.caption { caption { (caption) } }
                thead { tr { @for (title, _) in self.shown() { th scope="col" { (title) } } } }
                tbody {
                    @for (index, row) in rows.into_iter().enumerate() { (self.html_row(index, row)) }
                }
            } }
        }
    }

    fn html_row(&self, index: usize, row: &T) -> Markup {
        let mut cells = self.shown().map(|(_, column)| (column.cell)(row));
        html! {
            tr class=[(self.tone)(row).class()] {
                @if let Some(name) = cells.next() {
                    th scope="row" {
                        @if let Some(link) = self.link { a href=(link(index)) { (name.html()) } } @else { (name.html()) }
                    }
                }
                @for cell in cells {
                    td class=[cell.tone.class()] style=[cell.share.map(style)] { (cell.html()) }
                }
            }
        }
    }
}

impl Cell {
    fn html(&self) -> Markup {
        html! { (self.text) @if let Some(note) = &self.note { div.interval { (note) } } }
    }
}

impl Tone {
    /// Its class in the style sheets.
    fn class(self) -> Option<&'static str> {
        match self {
            Self::Total => Some("total"),
            Self::Warned => Some("warned"),
            Self::Failed => Some("failed"),
            Self::Right => Some("right"),
            Self::Plain | Self::Benign | Self::Malignant | Self::Doubtful => None,
        }
    }
}

fn style(share: f64) -> String {
    format!("--share: {:.1}%", share * 100.0)
}

#[cfg(test)]
mod tests {
    use super::super::Column;
    use super::*;

    #[test]
    fn the_first_cell_names_the_row_and_text_stays_text() {
        let table = Table::new([
            Column::name("<i>", |row: &(&str, f64)| row.0),
            Column::figure("share", |row: &(&str, f64)| {
                Cell::from("1").note("0\u{2013}1").tone(Tone::Failed).share(row.1)
            }),
        ]);
        let table = table.tone(|row| if row.0 == "Total" { Tone::Total } else { Tone::Plain });
        let table = table.captioned("All").styled("small").linked(|index| format!("#row-{index}"));
        let page = table.html("\"it\"", &[("<b>", 0.25), ("Total", 1.0)]).into_string();
        for part in [
            "aria-label=\"&quot;it&quot;\"",
            "<table class=\"small\"><caption>All</caption><thead><tr><th scope=\"col\">&lt;i&gt;</th>",
            "<tr><th scope=\"row\"><a href=\"#row-0\">&lt;b&gt;</a></th>\
             <td class=\"failed\" style=\"--share: 25.0%\">1<div class=\"interval\">0\u{2013}1</div></td></tr>",
            "<tr class=\"total\"><th scope=\"row\"><a href=\"#row-1\">Total</a>",
        ] {
            assert!(page.contains(part), "{part} is not in {page}");
        }
    }

    #[test]
    fn an_empty_table_has_titles() {
        let page = Table::new([Column::name("a", |row: &&str| *row)]).html("none", &[]).into_string();
        assert!(
            page.ends_with("<th scope=\"col\">a</th></tr></thead><tbody></tbody></table></div>"),
            "{page}"
        );
    }
}
