//! stub
use std::io::{self, Write};

use crate::bench::load::compare::Comparison;
use crate::bench::load::outcome::Report;

pub(super) fn write(
    _out: &mut dyn Write,
    _report: &Report,
    _comparison: Option<&Comparison>,
) -> io::Result<()> {
    Ok(())
}
