//! Contradictions among the flags of `classify` that clap cannot express.

use std::path::Path;

use super::inputs::is_stdin;
use crate::cli::{ClassifyArgs, wrong_usage};
use crate::destination;
use crate::output::Format;

/// Ends the process with status 2 if flags contradict each other, before any file is touched.
pub(super) fn refuse_contradictions(args: &ClassifyArgs) {
    if let Some(message) = contradiction(args) {
        wrong_usage("classify", &message);
    }
}

fn contradiction(args: &ClassifyArgs) -> Option<String> {
    if args.top_k.is_some() && !args.format.ranks_classes() {
        return Some(format!(
            "--top-k cannot be used with --format {}, which has one column per class",
            args.format.name()
        ));
    }
    if args.truth.is_some() && !matches!(args.format, Format::Table | Format::Json) {
        return Some("--truth needs --format table or json: it prints scores, not one row per image".into());
    }
    if args.resume && !args.format.can_be_resumed() {
        return Some("--resume needs --format jsonl or csv".into());
    }
    if args.resume && args.output.as_deref().is_some_and(is_stdin) {
        return Some("--resume needs a file to continue: --output FILE".into());
    }
    if args.resume && args.paths.iter().any(|path| is_stdin(path)) {
        return Some("--resume cannot be used with - as an image, which can be read only once".into());
    }
    let is_page = |path: &Path| !is_stdin(path) && (path.extension().is_none() || destination::is_page(path));
    if args.report.as_deref().is_some_and(|path| !is_page(path)) {
        return Some("--report writes an HTML page; use a name such as FILE.html".into());
    }
    let read = || args.paths.iter().chain(&args.files_from).chain(&args.truth).map(AsRef::as_ref);
    if read().filter(|path| is_stdin(path)).count() > 1 {
        return Some("standard input (-) can be read only once".into());
    }
    let written = [("--output", &args.output), ("--report", &args.report)];
    let written: Vec<_> =
        written.into_iter().filter_map(|(flag, path)| Some((flag, path.as_deref()?))).collect();
    let setup: Vec<_> = args.model.files().chain(args.prior.clone()).collect();
    destination::loss(&written, read().filter(|path| !is_stdin(path)).chain(setup.iter().map(AsRef::as_ref)))
}
