//! Tips for flags that users know from other programs.

use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, Error};

const TIPS: [(&[&str], &str); 3] = [
    (&["-r", "-R", "--recursive"], "directories are always searched recursively; omit this flag"),
    (&["--json"], "use --format json (for serve: --log json)"),
    (&["-v", "--verbose"], "omit it: errors and warnings are always printed; --version prints the version"),
];

/// Replaces the tip of clap, which treats such a flag as the name of a file or as a misspelt flag.
pub(super) fn add_to(error: &mut Error) {
    let Some(ContextValue::String(flag)) = error.get(ContextKind::InvalidArg) else { return };
    if let Some((_, tip)) = TIPS.iter().find(|(flags, _)| flags.contains(&flag.as_str())) {
        let tip = ContextValue::StyledStrs(vec![StyledStr::from(*tip)]);
        error.insert(ContextKind::Suggested, tip);
        error.remove(ContextKind::SuggestedArg);
    }
}
