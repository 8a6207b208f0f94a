//! HTML reports: one self-contained page, for light and dark screens and for paper. The content is the command's.
//! All markup is made by `maud`, which escapes text from outside.

pub(crate) mod chart;
pub(crate) mod scale;

use maud::{DOCTYPE, Markup, PreEscaped, html};

/// Whatever text gets into the page, it loads nothing and runs no script.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:";

const STYLE: &str = include_str!("style.css");

/// `style` holds rules of this page, after the common ones.
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
                // Empty, so that browsers do not request one.
                link rel="icon" href="data:,";
                style { (PreEscaped(STYLE)) (PreEscaped(style)) }
            }
            body { (body) }
        }
    }
}
