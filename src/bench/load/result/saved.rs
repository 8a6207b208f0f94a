//! A load test as `--format json` saves it and `--from` and `--compare` read it back. Read [`read_all`] first.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use serde::{Deserialize, Serialize};

use super::compare::{Comparison, compare};
use super::differences::Side;
use super::run::{Knee, Run};
use crate::bench::environment::Environment;
use crate::bench::words::counted;
use crate::cli::SavedFile;

/// All runs of one invocation.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(from = "Wire", into = "Wire")]
pub(crate) struct LoadTest {
    /// As typed, without keys.
    pub(crate) command: String,
    pub(crate) runs: Vec<Run>,
    /// Of a sweep.
    pub(crate) knee: Option<Knee>,
    /// The machine of the generator.
    pub(crate) environment: Environment,
}

impl LoadTest {
    pub(crate) fn run_names(&self) -> Vec<String> {
        self.runs.iter().map(Run::name).collect()
    }

    fn append(&mut self, further: Self) {
        self.runs.extend(further.runs);
        self.knee = self.knee.take().or(further.knee);
        self.command = format!("{}\n{}", self.command, further.command);
    }
}

/// One run is saved as one object, several as a list of them.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Wire {
    Several {
        runs: Vec<Run>,
        knee: Option<Knee>,
        command: String,
        environment: Environment,
    },
    One {
        #[serde(flatten)]
        run: Box<Run>,
        command: String,
        environment: Environment,
    },
}

impl From<LoadTest> for Wire {
    fn from(test: LoadTest) -> Self {
        let LoadTest { command, mut runs, knee, environment } = test;
        match runs.pop() {
            Some(run) if runs.is_empty() && knee.is_none() => {
                Self::One { run: Box::new(run), command, environment }
            }
            last => {
                runs.extend(last);
                Self::Several { runs, knee, command, environment }
            }
        }
    }
}

impl From<Wire> for LoadTest {
    fn from(wire: Wire) -> Self {
        match wire {
            Wire::Several { runs, knee, command, environment } => Self { command, runs, knee, environment },
            Wire::One { run, command, environment } => {
                Self { command, runs: vec![*run], knee: None, environment }
            }
        }
    }
}

/// The runs of all files, one after the other, as if measured now.
pub(crate) fn read_all(paths: &[PathBuf]) -> anyhow::Result<LoadTest> {
    let (first, others) = paths.split_first().context("--from: no file")?;
    let mut all = read("--from", first)?;
    for path in others {
        let further = read("--from", path)?;
        ensure!(
            all.knee.is_none() || further.knee.is_none(),
            "--from {}: a second sweep, but a report can show only one; write a report of its own for it",
            path.display()
        );
        all.append(further);
    }
    all.command = format!("{}\n{}", all.command, command_line());
    Ok(all)
}

/// The runs of the files of `--compare`, which have the names of their files now, and their comparison with the first;
/// `None` without files.
pub(crate) fn read_compared(files: &[SavedFile]) -> anyhow::Result<Option<(LoadTest, Comparison)>> {
    let tests: Vec<_> = files.iter().map(read_one).collect::<anyhow::Result<_>>()?;
    let environments: Vec<_> = tests.iter().map(|test| test.environment.clone()).collect();
    let Some(mut all) = tests.into_iter().reduce(|mut all, further| {
        all.append(further);
        all
    }) else {
        return Ok(None);
    };
    all.command = format!("{}\n{}", all.command, command_line());
    let sides: Vec<_> = (all.runs.iter().zip(files).zip(&environments).enumerate())
        .map(|(index, ((run, file), environment))| Side {
            containers: file.containers.unwrap_or(index + 1),
            run,
            environment,
        })
        .collect();
    let comparison = compare(&sides);
    Ok(Some((all, comparison)))
}

/// The run of a file of `--compare`.
fn read_one(file: &SavedFile) -> anyhow::Result<LoadTest> {
    let mut test = read("--compare", &file.path)?;
    let count = test.runs.len();
    let shown = file.path.display();
    ensure!(count == 1, "--compare {shown}: {}; compare files with one run each", counted(count, "run"));
    if let (Some(stem), Some(run)) = (file.path.file_stem(), test.runs.first_mut()) {
        run.scenario = run.scenario.in_file(&stem.to_string_lossy());
    }
    // That of a sweep with one run, which says nothing about these.
    test.knee = None;
    Ok(test)
}

fn read(flag: &str, path: &Path) -> anyhow::Result<LoadTest> {
    let name = path.display();
    let text = std::fs::read(path).with_context(|| format!("{flag} {name}"))?;
    parse(&text).with_context(|| {
        format!("{flag} {name}: not what this version of skinclf bench --url --format json prints")
    })
}

fn parse(text: &[u8]) -> anyhow::Result<LoadTest> {
    serde_json::from_slice(text).map_err(|_| what_is_wrong(text))
}

/// The error of the run itself: serde does not report it for a format that may be one run or several.
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

/// This process's command line, fit for a shell, without keys.
pub(crate) fn command_line() -> String {
    without_keys(std::env::args_os().skip(1).map(|argument| argument.to_string_lossy().into_owned()))
}

fn without_keys(arguments: impl Iterator<Item = String>) -> String {
    let mut words = vec!["skinclf".to_owned()];
    let mut is_key = false;
    for argument in arguments {
        words.push(match argument.split_once('=') {
            _ if is_key => "KEY".to_owned(),
            Some(("--api-key", _)) => "--api-key=KEY".to_owned(),
            _ => quoted(&argument),
        });
        is_key = !is_key && argument == "--api-key";
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
