//! Runs that `--format json` has saved.

use std::path::Path;

use anyhow::{Context as _, ensure};

use super::command;
use super::compare::{Comparison, Saved, Side, compare};
use super::run::{LoadTest, Run};
use crate::bench::load::report::Outputs;
use crate::bench::words::counted;
use crate::cli::BenchArgs;
use crate::process::Exit;

/// `bench --from` and `--compare`: no measuring.
pub(crate) fn run(args: &BenchArgs) -> anyhow::Result<Exit> {
    // Before any file is made anew: it may be one of these.
    let compared = compared(&args.load.compare)?;
    if args.load.from.is_empty() {
        let (report, comparison) = compared.context("--compare: no file")?;
        Outputs::open(args, &names(&report))?.write_compared(&report, &comparison)?;
    } else {
        let report = read_all(&args.load.from)?;
        let comparison = compared.map(|(_, comparison)| comparison);
        Outputs::open(args, &names(&report))?.write(&report, comparison.as_ref())?;
    }
    Ok(Exit::Done)
}

fn names(report: &LoadTest) -> Vec<String> {
    report.runs.iter().map(Run::name).collect()
}

/// The runs of all files, one after the other, as if measured now.
fn read_all(paths: &[impl AsRef<Path>]) -> anyhow::Result<LoadTest> {
    let (first, others) = paths.split_first().context("--from: no file")?;
    let mut all = read("--from", first.as_ref())?;
    for path in others {
        let path = path.as_ref();
        let report = read("--from", path)?;
        ensure!(
            all.knee.is_none() || report.knee.is_none(),
            "--from {}: a second sweep, and a report has room for the knee of one; give it a report of its own",
            path.display()
        );
        append(&mut all, report);
    }
    all.command = format!("{}\n{}", all.command, command::line());
    Ok(all)
}

/// The runs of `--compare`, named as their files are, and what they say beside each other; `None` without files.
pub(crate) fn compared(files: &[Saved]) -> anyhow::Result<Option<(LoadTest, Comparison)>> {
    let mut all: Option<LoadTest> = None;
    let (mut containers, mut environments) = (Vec::new(), Vec::new());
    for (index, file) in files.iter().enumerate() {
        let mut report = read("--compare", &file.path)?;
        let count = report.runs.len();
        let shown = file.path.display();
        ensure!(count == 1, "--compare {shown}: {}; compare files with one run each", counted(count, "run"));
        if let Some(stem) = file.path.file_stem() {
            report.runs[0].scenario = stem.to_string_lossy().into_owned();
        }
        // A sweep of one run has one, which says nothing of these.
        report.knee = None;
        containers.push(file.containers.unwrap_or(index + 1));
        environments.push(report.environment.clone());
        match &mut all {
            Some(all) => append(all, report),
            None => all = Some(report),
        }
    }
    let Some(mut all) = all else { return Ok(None) };
    all.command = format!("{}\n{}", all.command, command::line());
    let sides: Vec<_> = all
        .runs
        .iter()
        .zip(containers)
        .zip(&environments)
        .map(|((run, containers), environment)| Side { name: &run.scenario, containers, run, environment })
        .collect();
    let comparison = compare(&sides);
    Ok(Some((all, comparison)))
}

fn read(flag: &str, path: &Path) -> anyhow::Result<LoadTest> {
    let name = path.display();
    let text = std::fs::read(path).with_context(|| format!("{flag} {name}"))?;
    serde_json::from_slice(&text).map_err(|_| what_is_wrong(&text)).with_context(|| {
        format!("{flag} {name}: not what this version of skinclf bench --url --format json prints")
    })
}

/// Why a run cannot be read; serde does not say it of a format that may be one run or several.
fn what_is_wrong(text: &[u8]) -> anyhow::Error {
    let runs = |value: serde_json::Value| match value.get("runs") {
        Some(runs) => serde_json::from_value::<Vec<Run>>(runs.clone()).map(drop),
        None => serde_json::from_value::<Run>(value).map(drop),
    };
    match serde_json::from_slice(text).and_then(runs) {
        Err(error) => error.into(),
        Ok(()) => anyhow::anyhow!("the runs are there, but not their command and environment"),
    }
}

fn append(all: &mut LoadTest, further: LoadTest) {
    all.runs.extend(further.runs);
    all.knee = all.knee.take().or(further.knee);
    all.command = format!("{}\n{}", all.command, further.command);
}
