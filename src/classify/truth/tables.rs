//! The scores as tables for a terminal.

use std::io::{self, Write};

use super::columns;
use super::evaluation::Evaluation;
use crate::output::NOTICE;
use crate::process::terminal::Look;

pub(super) fn write(out: &mut dyn Write, evaluation: &Evaluation<'_>, look: Look) -> io::Result<()> {
    let mut out = look.wrapping(out);
    let overall =
        columns::estimates("", "value").terminal(look, &columns::overall_figures(&evaluation.scores));
    writeln!(out, "{}\n\n{overall}", evaluation.summary())?;
    if let Some(flagged) = evaluation.flagged() {
        writeln!(out, "{flagged}")?;
    }
    if let Some((title, sets)) = evaluation.sets_title().zip(evaluation.scores.sets.as_ref()) {
        let table = columns::estimates("", "value").terminal(look, &columns::set_figures(sets));
        writeln!(out, "\n{title}:\n{table}")?;
    }
    let per_class = columns::per_class(|class| class.code.to_owned(), "n");
    let per_class = per_class.terminal(look, &columns::classes(evaluation));
    writeln!(out, "\nBy class, against all others:\n{per_class}\n")?;
    let confusion = columns::confusion(evaluation, "", |count, _, _| count);
    let confusion = confusion.terminal(look, &columns::true_classes(evaluation));
    writeln!(out, "Images by true class (rows) and decision (columns):\n{confusion}\n")?;
    let error_rates = columns::estimates("images kept", "error rate");
    let error_rates = error_rates.terminal(look, &columns::error_rates(&evaluation.scores));
    writeln!(
        out,
        "Error rate of the predicted class if the least confident images are left out:\n{error_rates}\n"
    )?;
    writeln!(out, "{}\n{NOTICE}", evaluation.method())?;
    out.flush()
}
