//! `--resume`: goes on where the file of an earlier run ends. [`open`] is the function to read first.
//!
//! The file itself tells what was done: it has no companion that could be lost or belong to another. An image is known by
//! the text that its row has as its path.

mod agreement;
mod done;
mod layout;
mod records;
mod scan;

use anyhow::{Context as _, ensure};
use skinclf::{Classifier, Options};

pub(super) use self::done::Done;
use self::layout::Layout;
use self::scan::Scan;
use super::heatmaps::Heatmaps;
use crate::cli::ClassifyArgs;
use crate::destination::{Destination, Growing};
use crate::output::Format;
use crate::process::terminal;

/// What an earlier run left.
#[derive(Default)]
pub(super) struct Earlier {
    pub(super) done: Done,
    /// Rows of errors that stay in the file.
    pub(super) failed: u64,
}

/// Opens the file of an earlier run to append to it, once it is certain that its rows are those that this run would
/// write. A torn last row is dropped and, with `--retry-failed`, each row of an error. Heatmaps of the earlier run keep
/// their names.
///
/// # Errors
/// When the file cannot be read or written, is not one of this format, model and options, or is being written. It is left
/// as it was.
pub(super) fn open(
    args: &ClassifyArgs,
    options: &Options,
    classifier: &Classifier,
    heatmaps: Option<&mut Heatmaps>,
) -> anyhow::Result<(Destination, Earlier)> {
    let path = args.output.as_deref().context("--resume needs --output FILE")?;
    let shown = || format!("--output {}", path.display());
    let mut file = Growing::open(path).with_context(|| format!("{}: cannot be resumed", shown()))?;
    let layout = Layout::new(args.format, classifier.spec())?;
    let expected = agreement::Expected::new(args, options, classifier.spec());
    let content = file.content().with_context(shown)?;
    let found = scan::scan(content, &layout, &expected, heatmaps).with_context(shown)?;
    agree(args, options, classifier, &layout, &found).with_context(shown)?;
    let Scan { done, failed, length, .. } = found;
    file.cut(length).with_context(|| format!("{}: cannot be written", shown()))?;
    let failed = if args.retry_failed && failed > 0 {
        let rewritten = file.rewrite(|content, out| scan::copy_classified(content, out, &layout));
        rewritten.with_context(|| format!("{}: cannot be rewritten without its errors", shown()))?;
        0
    } else {
        failed
    };
    Ok((Destination::extend(path, file)?, Earlier { done, failed }))
}

/// Classifies one image of the file again: the only way to find options that a row does not show, such as `--tta`.
fn agree(
    args: &ClassifyArgs,
    options: &Options,
    classifier: &Classifier,
    layout: &Layout<'_>,
    found: &Scan,
) -> anyhow::Result<()> {
    let Some(row) = &found.first_classified else { return Ok(()) };
    let checked = agreement::check(row, layout, args, options, classifier)?;
    if !checked && !args.quiet {
        terminal::note(
            "warning: the options of the earlier run are not checked, because the first image of its file cannot be read",
        );
    }
    // Rows of CSV name no heatmaps, and a heatmap that could not be written has no name either.
    let lacks = args.heatmap.is_some() && args.format == Format::Jsonl && !found.has_heatmaps;
    ensure!(!lacks, "written without --heatmap; remove it or choose another file");
    Ok(())
}
