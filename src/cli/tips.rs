//! Flags that users know from other programs: what to do without them.

use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, Error};

const TIPS: [(&[&str], &str); 3] = [
    (&["-r", "-R", "--recursive"], "folders are always searched with all folders in them: leave it out"),
    (&["--json"], "use --format json (of serve: --log json)"),
    (
        &["-v", "--verbose"],
        "leave it out: errors and warnings are always printed; --version prints the version",
    ),
];

/// Adds a tip to the error about such a flag, in place of clap's, which take it for the name of a file or for a
/// misspelt flag.
pub(super) fn add_to(error: &mut Error) {
    let Some(ContextValue::String(flag)) = error.get(ContextKind::InvalidArg) else { return };
    if let Some((_, tip)) = TIPS.iter().find(|(flags, _)| flags.contains(&flag.as_str())) {
        let tip = ContextValue::StyledStrs(vec![StyledStr::from(*tip)]);
        error.insert(ContextKind::Suggested, tip);
        error.remove(ContextKind::SuggestedArg);
    }
}
