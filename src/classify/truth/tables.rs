//! The scores as tables for a terminal.

use std::io::{self, Write};

use super::columns;
use super::evaluation::Evaluation;
use crate::output::NOTICE;
use crate::process::terminal::Look;

pub(super) fn write(out: &mut dyn Write, evaluation: &Evaluation<'_>, look: Look) -> io::Result<()> {
    let mut out = look.wrapping(out);
    let overall = columns::overall("").terminal(look, &columns::overall_figures(&evaluation.scores));
    writeln!(out, "{}\n\n{overall}", evaluation.summary())?;
    if let Some(flagged) = evaluation.flagged() {
        writeln!(out, "{flagged}")?;
    }
    let per_class = columns::per_class(|class| class.code.to_owned(), "n");
    let per_class = per_class.terminal(look, &columns::classes(evaluation));
    writeln!(out, "\nBy class, against all others:\n{per_class}\n")?;
    let confusion = columns::confusion(evaluation, "", |count, _, _| count);
    let confusion = confusion.terminal(look, &columns::true_classes(evaluation));
    writeln!(out, "Images by true class (rows) and decision (columns):\n{confusion}\n")?;
    writeln!(out, "{}\n{NOTICE}", evaluation.method())?;
    out.flush()
}
