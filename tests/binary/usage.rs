//! Help, version, and error messages about flags and paths.

use std::os::unix::fs::symlink;

use serde_json::Value;

use crate::support::{classify_json, run};

const LESION: &str = "samples/lesion-1.jpg";

/// Words of parsers, which mean nothing to whoever typed a wrong value.
const JARGON: [&str; 7] =
    ["non-zero", "SI unit", "ByteSize", "digit", "target type", "is not in", "invalid character"];

#[test]
fn an_error_of_a_value_says_what_is_wanted_with_an_example() {
    let load = ["bench", "--url", "http://127.0.0.1:1"];
    let threads = "must be a whole number from 1 to 1024, for example 4";
    let count = "must be a whole number from 1 to 1000000, for example 4";
    let time = "must be a time with its unit, at most 30 days, for example 500ms, 30s or 2m";
    let size = "must be a size above 0 and at most 1.0 GiB, for example 16MiB";
    let rate = "must be a number per second from 0.001 to 1000000, for example 50 or 0.5";
    for (args, wanted) in [
        (&["classify", LESION, "-k", "0"][..], count),
        (&["classify", LESION, "-k", "three"], count),
        (&["classify", LESION, "-j", "0"], threads),
        (&["classify", LESION, "-j", "99999999999999999999"], threads),
        (&["classify", LESION, "-j", "1000000000000"], threads),
        (&["bench", "-j", "1,0"], threads),
        (&["bench", "-j", "x"], threads),
        (&["bench", "--iterations", "0"], "must be a whole number from 1 to 100000000, for example 1000"),
        (&["bench", "--iterations", "1e3"], "must be a whole number from 1 to 100000000, for example 1000"),
        (&["bench", "--warmup", "some"], "must be a whole number from 0 to 100000000, for example 50"),
        (&["serve", "--port", "70000"], "must be a whole number from 0 to 65535, for example 8000"),
        (&["serve", "--port", "http"], "must be a whole number from 0 to 65535, for example 8000"),
        (&["serve", "--workers", "0"], threads),
        (&["serve", "--queue", "0"], count),
        (&["serve", "--queue", "18446744073709551615"], count),
        (&["serve", "--max-connections", "many"], count),
        (&["serve", "--max-body", "5x"], size),
        (&["serve", "--max-body", "0"], size),
        (&["serve", "--max-body", "four"], size),
        (&["serve", "--header-timeout", "0s"], "must be above 0, for example 10s"),
        (&["serve", "--body-timeout", "5"], time),
        (&["serve", "--shutdown-timeout", "1 fortnight"], time),
        (&[&load[..], &["--duration", "§"]].concat(), time),
        (&[&load[..], &["--users", "0"]].concat(), count),
        (&[&load[..], &["--rate", "fast"]].concat(), rate),
        (&[&load[..], &["--spawn-rate", "0"]].concat(), rate),
        (&[&load[..], &["--think", "3s-1s"]].concat(), "for example 500ms, 1s-3s or 0"),
        (&[&load[..], &["--think", "1"]].concat(), "for example 500ms, 1s-3s or 0"),
        (
            &[&load[..], &["--sweep", "users=1,0"]].concat(),
            "numbers of users from 1 to 1000000, for example users=1,2,4,8",
        ),
        (
            &[&load[..], &["--mix", "predict=0"]].concat(),
            "a whole number from 1 to 1000000; try predict=4,health=1",
        ),
        (&[&load[..], &["--seed", "x"]].concat(), "must be a whole number from 0"),
        (
            &["health", "http://[::1"],
            "must be a host with an optional port and path; try http://localhost:8000",
        ),
    ] {
        let ran = run(args);
        assert_eq!(ran.code, Some(2), "{args:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(wanted), "{args:?}: {}", ran.stderr);
        let jargon = JARGON.iter().find(|jargon| ran.stderr.contains(*jargon));
        assert_eq!(jargon, None, "{args:?}: {}", ran.stderr);
    }
}

#[test]
fn a_flag_of_other_programs_gets_a_tip() {
    for (args, tip) in [
        (&["classify", "-r", "samples"][..], "tip: directories are always searched recursively"),
        (&["classify", "samples", "--recursive"], "tip: directories are always searched recursively"),
        (&["classify", LESION, "--json"], "tip: use --format json"),
        (&["bench", "--json"], "tip: use --format json"),
        (&["serve", "--json"], "--log json"),
        (&["classify", "-v", LESION], "--version prints the version"),
        (&["-v"], "--version prints the version"),
        (&["serve", "--verbose"], "tip: omit it"),
    ] {
        let ran = run(args);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{args:?}: {}", ran.stderr);
        assert_eq!(ran.stderr.matches("tip:").count(), 1, "{}", ran.stderr);
        assert!(ran.stderr.contains(tip), "{args:?}: {}", ran.stderr);
    }
    // clap's own tips stay.
    let ran = run(["classify", "--treads", "2", LESION]);
    assert!(ran.stderr.contains("tip: a similar argument exists: '--threads'"), "{}", ran.stderr);
}

#[test]
fn help_of_a_command_is_found_both_ways() {
    for command in ["classify", "bench", "serve", "health", "completions"] {
        let [one, other] = [["help", command], [command, "--help"]].map(run);
        assert_eq!((one.code, one.stdout), (Some(0), other.stdout), "{}", one.stderr);
    }
    assert_eq!(run(["help"]).stdout, run(["--help"]).stdout);
}

#[test]
fn the_version_names_the_model() {
    let model = &classify_json(&[LESION])[0]["model"];
    let field = |name: &str| model[name].as_str().expect("text").to_owned();
    let program = format!("skinclf {}", env!("CARGO_PKG_VERSION"));
    let both = format!("{program}\nmodel {} {}\n", field("name"), field("version"));
    assert_eq!(run(["--version"]).stdout, both);
    assert_eq!(run(["-V"]).stdout, format!("{program}\n"));
}

#[test]
fn a_folder_that_cannot_be_searched_is_named_once() {
    let folder = tempfile::tempdir().expect("a folder");
    symlink("nowhere.jpg", folder.path().join("dangling.jpg")).expect("a link");
    symlink(".", folder.path().join("ring")).expect("a link");
    let path = folder.path().to_str().expect("UTF-8");
    let results = classify_json(&[path]);
    let messages: Vec<_> = results.iter().map(|result: &Value| &result["error"]["message"]).collect();
    assert_eq!(
        messages,
        [
            "cannot be read: No such file or directory (os error 2)",
            "is a link to a folder that contains it, which is not searched again"
        ]
    );
    let url = ["bench", "--url", "http://127.0.0.1:1", "--images"];
    let dangling = format!("--images: {path}/dangling.jpg: No such file or directory (os error 2)");
    for (images, wanted) in [
        (path, dangling.as_str()),
        ("no/folder", "--images: no/folder: No such file or directory (os error 2)"),
    ] {
        let ran = run(url.iter().chain(&[images]));
        assert_eq!((ran.code, ran.stderr), (Some(4), format!("error: {wanted}\n")));
    }
}
