//! The command line as it was typed, for whoever repeats it.

/// This process's command line, fit for a shell, without keys.
pub(crate) fn line() -> String {
    let mut words = vec!["skinclf".to_owned()];
    let mut hide_next = false;
    for argument in std::env::args_os().skip(1) {
        let argument = argument.to_string_lossy().into_owned();
        let (flag, value) = argument.split_once('=').unwrap_or((&argument, ""));
        words.push(match (hide_next, flag == "--api-key", value) {
            (true, ..) => "KEY".to_owned(),
            (_, true, "") => argument.clone(),
            (_, true, _) => "--api-key=KEY".to_owned(),
            _ => quoted(&argument),
        });
        hide_next = !hide_next && argument == "--api-key";
    }
    words.join(" ")
}

fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "-_=+,./:@%".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}
