//! A load test as `--format json` saves it and `--from` and `--compare` read it back. Read [`read_all`] first.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::compare::{Comparisons, compare};
use super::differences::Side;
use super::run::{Knee, Run};
use crate::bench::environment::Environment;
use crate::bench::words::counted;
use crate::cli::SavedFile;
use crate::process::terminal::printable;

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(from = "Wire", into = "Wire")]
pub(crate) struct LoadTest {
    /// As typed, without keys.
    pub(crate) command: String,
    pub(crate) runs: Vec<Run>,
    /// Of a sweep.
    pub(crate) knee: Option<Knee>,
    pub(crate) environment: Environment,
}

impl LoadTest {
    pub(crate) fn run_names(&self) -> Vec<String> {
        self.runs.iter().map(|run| run.name()).collect()
    }

    fn append(&mut self, further: Self) {
        self.runs.extend(further.runs);
        self.knee = self.knee.take().or(further.knee);
        self.add_command(&further.command);
    }

    /// What has also been run for it, one command a line; each once.
    pub(crate) fn add_command(&mut self, commands: &str) {
        for command in commands.lines() {
            if !self.command.lines().any(|known| known == command) {
                self.command = format!("{}\n{command}", self.command);
            }
        }
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
    Ok(all)
}

/// The runs of the files of each `--compare`, which have the names of their files now, and the comparisons of each series
/// with its first; `None` without files.
pub(crate) fn read_compared(series: &[Vec<SavedFile>]) -> anyhow::Result<Option<(LoadTest, Comparisons)>> {
    let mut all: Option<LoadTest> = None;
    let mut comparisons = Vec::new();
    for files in series {
        let tests: Vec<_> = files.iter().map(read_one).collect::<anyhow::Result<_>>()?;
        let sides: Vec<_> = (tests.iter().zip(files).enumerate())
            .filter_map(|(index, (test, file))| {
                Some(Side {
                    containers: file.containers.unwrap_or(index + 1),
                    run: test.runs.first()?,
                    environment: &test.environment,
                })
            })
            .collect();
        comparisons.extend(compare(&sides));
        for test in tests {
            match &mut all {
                Some(all) => all.append(test),
                None => all = Some(test),
            }
        }
    }
    Ok(all.map(|all| (all, Comparisons(comparisons))))
}

/// The run of a file of `--compare`.
fn read_one(file: &SavedFile) -> anyhow::Result<LoadTest> {
    let mut test = read("--compare", &file.path)?;
    let count = test.runs.len();
    let shown = file.path.display();
    ensure!(count == 1, "--compare {shown}: {}; compare files with one run each", counted(count, "run"));
    if let (Some(stem), Some(run)) = (file.path.file_stem(), test.runs.first_mut()) {
        run.measured.scenario = run.scenario.in_file(&stem.to_string_lossy());
    }
    // That of a sweep with one run, which is not about these runs.
    test.knee = None;
    Ok(test)
}

fn read(flag: &str, path: &Path) -> anyhow::Result<LoadTest> {
    let name = path.display();
    let text = std::fs::read(path).with_context(|| format!("{flag} {name}"))?;
    parse(&text).with_context(|| {
        format!("{flag} {name}: not a load test saved with skinclf bench --url --format json, or one of another version")
    })
}

fn parse(text: &[u8]) -> anyhow::Result<LoadTest> {
    let test: LoadTest = serde_json::from_slice(text).map_err(|_| what_is_wrong(text))?;
    // What is read may be from anybody, and is printed: its text must not control the terminal.
    let mut value = serde_json::to_value(test)?;
    make_printable(&mut value);
    Ok(serde_json::from_value(value)?)
}

fn make_printable(value: &mut Value) {
    match value {
        Value::String(text) => *text = text.split('\n').map(printable).collect::<Vec<_>>().join("\n"),
        Value::Array(values) => values.iter_mut().for_each(make_printable),
        Value::Object(values) => values.values_mut().for_each(make_printable),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The error of the run itself: serde does not report it for a format that may be one run or several.
fn what_is_wrong(text: &[u8]) -> anyhow::Error {
    let runs = |value: Value| match value.get("runs") {
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

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::bench::load::result::fixture;
    use crate::bench::load::result::run::Scenario;

    fn fixture_json() -> Value {
        serde_json::from_str(fixture::JSON).expect("JSON")
    }

    fn parsed(value: &Value) -> anyhow::Result<LoadTest> {
        parse(value.to_string().as_bytes())
    }

    fn run_json() -> Value {
        let mut run = fixture_json();
        let fields = run.as_object_mut().expect("an object");
        fields.retain(|name, _| !["command", "environment"].contains(&&**name));
        run
    }

    fn sweep(knee: &Value) -> Value {
        let environment = &fixture_json()["environment"];
        json!({"runs": [run_json(), run_json()], "knee": knee, "command": "skinclf", "environment": environment})
    }

    fn knee() -> Value {
        json!({"left_out": [4], "users": 2, "rps": 1.0, "max_rps": 1.0, "reached": true, "predicted_users": 2.5})
    }

    #[test]
    fn the_text_of_a_saved_test_cannot_control_the_terminal() {
        let mut saved = fixture_json();
        saved["verdict_reasons"][0] = json!("red \u{1b}[31m\r and\nmore");
        saved["endpoints"][0]["name"] = json!("/\u{7}");
        let run = &parsed(&saved).expect("a load test").runs[0];
        assert_eq!(run.verdict_reasons[0], "red \u{fffd}[31m\u{fffd} and\nmore");
        assert_eq!(run.endpoints.each[0].name, "/\u{fffd}");
    }

    #[test]
    fn one_run_is_saved_as_one_object_and_several_as_a_list() {
        for saved in [fixture_json(), sweep(&Value::Null), sweep(&knee())] {
            let test = parsed(&saved).expect("a load test");
            assert_eq!(serde_json::to_value(&test).expect("JSON"), saved);
        }
    }

    #[test]
    fn fields_are_saved_in_the_order_of_the_schema() {
        let schema = include_str!("../../../../docs/load-schema.json");
        let schema: Value = serde_json::from_str(schema).expect("JSON");
        let text = serde_json::to_string(&fixture::run()).expect("JSON");
        let names = schema["$defs"]["run"]["required"].as_array().expect("names");
        let places: Vec<_> = names.iter().map(|name| text.find(&format!("{name}:"))).collect();
        assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{places:?}");
    }

    #[test]
    fn an_old_sweep_has_no_runs_left_out() {
        let mut old = knee();
        old.as_object_mut().expect("an object").remove("left_out");
        let knee = parsed(&sweep(&old)).expect("a load test").knee.expect("a knee");
        assert_eq!((knee.users, knee.left_out), (2, Vec::new()));
    }

    #[test]
    fn a_file_that_knows_no_balancer_has_no_replicas() {
        let mut old = fixture_json();
        let added = ["replicas", "served_by", "containers"];
        old.as_object_mut().expect("an object").retain(|name, _| !added.contains(&&**name));
        for old in [
            old.clone(),
            json!({"runs": [old], "knee": null, "command": "", "environment": old["environment"]}),
        ] {
            let run = &parsed(&old).expect("a load test").runs[0];
            assert!(run.replicas.is_empty() && run.served_by.is_empty() && run.containers.is_empty());
        }
    }

    #[test]
    fn the_names_of_replicas_cannot_control_the_terminal() {
        let mut saved = fixture_json();
        saved["served_by"] = json!([{"name": "\u{1b}[31mred", "requests": 1, "share": 1.0}]);
        assert_eq!(parsed(&saved).expect("a load test").runs[0].served_by[0].name, "\u{fffd}[31mred");
    }

    #[test]
    fn a_broken_file_is_refused_with_what_is_wrong() {
        type Change = fn(&mut Value);
        let cases: [(Change, &str); 6] = [
            (|file| _ = file.as_object_mut().expect("an object").remove("series"), "missing field `series`"),
            (|file| file["endpoints"] = json!([]), "the last of the endpoints is not Total"),
            (
                |file| _ = file["endpoints"].as_array_mut().expect("endpoints").pop(),
                "the last of the endpoints is not Total",
            ),
            (|file| file["verdict"] = json!("GOOD"), "unknown variant `GOOD`"),
            (
                |file| _ = file.as_object_mut().expect("an object").remove("environment"),
                "not their command and environment",
            ),
            (|file| *file = json!([1]), "invalid"),
        ];
        for (change, wanted) in cases {
            let mut file = fixture_json();
            change(&mut file);
            let refused = parsed(&file).expect_err(wanted).to_string();
            assert!(refused.contains(wanted), "{wanted}: {refused}");
        }
        assert!(parse(b"{").is_err());
    }

    #[test]
    fn what_another_version_names_stays_text() {
        let mut file = fixture_json();
        file["scenario"] = json!("night");
        file["thresholds"] = json!([{"condition": "p96>1s", "measured": 3.0, "missed": false},
                                    {"condition": "p96>1s", "measured": null, "missed": true}]);
        let test = parsed(&file).expect("a load test");
        let run = &test.runs[0];
        assert_eq!(run.name(), "night");
        let outcomes: Vec<_> = run.thresholds.iter().map(|threshold| threshold.outcome(run)).collect();
        assert_eq!(outcomes, ["measured 3 in the steady state", "not known"]);
        assert_eq!(serde_json::to_value(&test).expect("JSON"), file);
    }

    fn files(contents: &[(&str, Value)]) -> (tempfile::TempDir, Vec<PathBuf>) {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |(name, value): &(&str, Value)| {
            let path = folder.path().join(name);
            std::fs::write(&path, value.to_string()).expect("a file");
            path
        };
        let paths = contents.iter().map(write).collect();
        (folder, paths)
    }

    #[test]
    fn runs_of_all_files_follow_each_other() {
        let (_folder, paths) = files(&[("one.json", fixture_json()), ("sweep.json", sweep(&knee()))]);
        let all = read_all(&paths).expect("a load test");
        assert_eq!((all.runs.len(), all.knee.is_some()), (3, true));
        assert!(all.command.ends_with("--users 50 --duration 5s\nskinclf"), "{}", all.command);
        let twice = [&paths[..], &paths[1..]].concat();
        let refused = read_all(&twice).expect_err("two sweeps").to_string();
        assert!(refused.contains("sweep.json: a second sweep"), "{refused}");
    }

    #[test]
    fn a_compared_run_has_the_name_of_its_file() {
        let mut custom = fixture_json();
        custom["scenario"] = json!("custom");
        let (_folder, paths) = files(&[
            ("medium.json", fixture_json()),
            ("light.json", custom.clone()),
            ("custom.json", custom),
        ]);
        let saved = |(path, containers): (&PathBuf, _)| SavedFile { path: path.clone(), containers };
        let saved: Vec<_> = paths.iter().zip([None, Some(4), None]).map(saved).collect();
        let (test, comparisons) = read_compared(&[saved]).expect("runs").expect("files");
        // The second is not the written test that its file is named like.
        let named = |name: &str| Scenario::Named(name.to_owned());
        let scenarios: Vec<_> = test.runs.iter().map(|run| run.scenario.clone()).collect();
        assert_eq!(scenarios, [Scenario::Medium, named("light"), named("custom")]);
        let rows: Vec<_> = comparisons.0[0].rows.iter().map(|row| (&*row.name, row.containers)).collect();
        assert_eq!(rows, [("medium", 1), ("light", 4), ("custom", 3)]);
        assert!(read_compared(&[]).expect("nothing").is_none());
    }

    #[test]
    fn each_series_is_compared_with_its_own_first() {
        let mut full = fixture_json();
        full["plan"]["load"]["think_s"] = json!([0.0, 0.0]);
        let (_folder, paths) = files(&[
            ("a.json", fixture_json()),
            ("b.json", fixture_json()),
            ("c.json", full.clone()),
            ("d.json", full),
        ]);
        let saved: Vec<_> =
            paths.iter().map(|path| SavedFile { path: path.clone(), containers: None }).collect();
        let series: Vec<_> = saved.chunks(2).map(<[SavedFile]>::to_vec).collect();
        let (test, comparisons) = read_compared(&series).expect("runs").expect("files");
        assert_eq!(test.runs.len(), 4);
        // All have the command of the fixture.
        assert_eq!(test.command.lines().count(), 1);
        let rows = |n: usize| {
            comparisons.0[n].rows.iter().map(|row| (&*row.name, row.containers)).collect::<Vec<_>>()
        };
        assert_eq!((rows(0), rows(1)), (vec![("a", 1), ("b", 2)], vec![("c", 1), ("d", 2)]));
        assert!(!comparisons.0[1].warnings.iter().any(|warning| warning.contains("think time")));
    }

    #[test]
    fn only_files_with_one_run_are_compared() {
        let (_folder, paths) = files(&[("sweep.json", sweep(&Value::Null))]);
        let saved = SavedFile { path: paths[0].clone(), containers: None };
        let refused = read_compared(&[vec![saved]]).expect_err("two runs").to_string();
        assert!(refused.ends_with("sweep.json: 2 runs; compare files with one run each"), "{refused}");
    }

    #[test]
    fn the_command_line_is_fit_for_a_shell_and_without_keys() {
        let line = |words: &[&str]| without_keys(words.iter().map(|word| (*word).to_owned()));
        assert_eq!(line(&["bench", "--api-key", "sesame", "-u", "3"]), "skinclf bench --api-key KEY -u 3");
        assert_eq!(line(&["bench", "--api-key=sesame"]), "skinclf bench --api-key=KEY");
        assert_eq!(line(&["--api-key", "--api-key", "x"]), "skinclf --api-key KEY x");
        assert_eq!(line(&["--fail-if", "p95>1s", "it's", ""]), r"skinclf --fail-if 'p95>1s' 'it'\''s' ''");
    }
}
