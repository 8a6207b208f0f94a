//! The parts of the document that come from files of `--attach`.

use std::io::{self, Write};
use std::path::Path;

use crate::bench::load::report::attached::{Attached, Content, link};
use crate::bench::words::counted;
use crate::table::escaped;

/// Sections between the results and the findings.
pub(super) fn sections(out: &mut dyn Write, attached: &[Attached]) -> io::Result<()> {
    for Attached { caption, content } in attached {
        if let Content::Section(text) = content {
            writeln!(out, "## {}\n\n{}\n\n---\n", escaped(caption), text.trim())?;
        }
    }
    Ok(())
}

/// Pictures and logs. `folder` is that of the document, without symbolic links.
pub(super) fn screenshots(out: &mut dyn Write, attached: &[Attached], folder: &Path) -> io::Result<()> {
    if attached.iter().all(|one| matches!(one.content, Content::Section(_))) {
        return Ok(());
    }
    writeln!(out, "## Screenshots\n")?;
    for Attached { caption, content } in attached {
        let caption = escaped(caption);
        match content {
            Content::Section(_) => {}
            Content::Picture(path) => {
                writeln!(out, "### {caption}\n\n![{caption}]({})\n", link(folder, path))?;
            }
            Content::Text { lines, left_out } => {
                writeln!(out, "### {caption}\n")?;
                let fence = fence(lines);
                writeln!(out, "{fence}\n{}\n{fence}\n", lines.join("\n"))?;
                if *left_out > 0 {
                    writeln!(out, "{} of the file not shown.\n", counted(*left_out as u64, "more line"))?;
                }
            }
        }
    }
    writeln!(out, "---\n")
}

/// Longer than any row of backticks in the lines, so that none ends the block.
fn fence(lines: &[String]) -> String {
    let longest = |line: &String| line.split(|c| c != '`').map(str::len).max();
    "`".repeat(lines.iter().filter_map(longest).fold(2, usize::max) + 1)
}

#[cfg(test)]
mod tests {
    use super::fence;

    #[test]
    fn no_line_ends_a_block() {
        for (lines, wanted) in [(&["a`b"][..], 3), (&["x", "a ````"], 5), (&[], 3)] {
            let lines: Vec<_> = lines.iter().map(ToString::to_string).collect();
            assert_eq!(fence(&lines), "`".repeat(wanted), "{lines:?}");
        }
    }
}
