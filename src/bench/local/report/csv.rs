//! For a spreadsheet: one row a stage and number of threads.

use std::io::{self, Write};

use super::COLUMNS;
use crate::bench::local::Report;

pub(in crate::bench::local) fn write(out: &mut dyn Write, report: &Report<'_>) -> io::Result<()> {
    let mut writer = csv::Writer::from_writer(out);
    let titles = COLUMNS.map(|(title, _)| format!("{}_ms", title.replace('.', "")));
    let fixed = ["threads", "images_per_second", "stage", "count"].map(str::to_owned);
    writer.write_record(fixed.iter().chain(&titles))?;
    for run in &report.runs {
        for (name, summary) in run.stages.named() {
            let fixed = [run.threads.to_string(), run.images_per_second.to_string(), name.to_owned()];
            let figures = COLUMNS.map(|(_, value)| value(summary).map_or(String::new(), |ms| ms.to_string()));
            let count = summary.count.to_string();
            writer.write_record(fixed.iter().chain([&count]).chain(&figures))?;
        }
    }
    writer.flush()
}
