//! HTML reports: one page that needs nothing else, for screens of both colour schemes and for paper.
//! What it says is its command's. Text from outside is escaped by `maud`; no markup is made otherwise.

pub(crate) mod chart;
pub(crate) mod scale;

use maud::{DOCTYPE, Markup, PreEscaped, html};

/// The page loads nothing and runs nothing, whatever it says.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:";

const STYLE: &str = include_str!("style.css");

/// A whole page: the window's title, style rules to follow the common ones, and the body's content.
pub(crate) fn page(title: &str, style: &str, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="referrer" content="no-referrer";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                title { (title) }
                // An empty one, so that browsers ask no host for it.
                link rel="icon" href="data:,";
                style { (PreEscaped(STYLE)) (PreEscaped(style)) }
            }
            body { (body) }
        }
    }
}
