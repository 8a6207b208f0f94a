//! `--prior` and `?prior=…`: probabilities for the class shares of a user's own lesions.

use std::io::Write as _;

use serde_json::{Value, json};
use tempfile::NamedTempFile;

use crate::schema::assert_valid;
use crate::support::{Server, classify_json, embedded_but, form, model_of, run, skinclf, timeless};

const LESION: &str = "samples/lesion-3.jpg";
const CODES: [&str; 7] = ["akiec", "bcc", "bkl", "df", "mel", "nv", "vasc"];

/// A clinic that sees much melanoma: counts of 200 lesions.
const CLINIC: [f64; 7] = [10.0, 40.0, 20.0, 5.0, 60.0, 60.0, 5.0];
const QUERY: &str = "prior=akiec:10,bcc:40,bkl:20,df:5,mel:60,nv:60,vasc:5";

/// A file that ends with the test, and its name.
struct File(NamedTempFile);

impl File {
    fn new(content: &str) -> Self {
        let mut file = NamedTempFile::new().expect("a file");
        file.write_all(content.as_bytes()).expect("it is written");
        Self(file)
    }

    fn of(counts: [f64; 7]) -> Self {
        Self::new(&Value::from_iter(CODES.into_iter().zip(counts)).to_string())
    }

    fn name(&self) -> &str {
        self.0.path().to_str().expect("UTF-8")
    }
}

fn numbers(by_code: &Value) -> [f64; 7] {
    CODES.map(|code| by_code[code].as_f64().expect("a number"))
}

/// The shares in the embedded model's spec.
fn own_shares() -> [f64; 7] {
    let spec = std::fs::read("models/mobilenetv2.json").expect("the spec");
    let spec: Value = serde_json::from_slice(&spec).expect("JSON");
    std::array::from_fn(|class| spec["prior"][class].as_f64().expect("a share"))
}

/// `p · new / old`, which sum to 1.
fn rescaled(p: [f64; 7], new: [f64; 7], old: [f64; 7]) -> [f64; 7] {
    let products: [f64; 7] = std::array::from_fn(|class| p[class] * new[class] / old[class]);
    products.map(|product| product / products.iter().sum::<f64>())
}

#[track_caller]
fn assert_close(a: [f64; 7], b: [f64; 7]) {
    assert!(a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-5), "{a:?} and {b:?}");
}

#[test]
fn probabilities_are_for_the_shares_and_a_balanced_decision_stays() {
    let file = File::of(CLINIC);
    for more in [&[][..], &["--tta"]] {
        let plain = classify_json(&[&["samples"][..], more].concat());
        let prior = classify_json(&[&["samples", "--prior", file.name()][..], more].concat());
        assert_valid("classify", &prior.clone().into());
        for (plain, result) in plain.iter().zip(&prior).filter(|(plain, _)| plain["error"].is_null()) {
            // With --tta they are the means over the views that are rescaled.
            let wanted = rescaled(numbers(&plain["probabilities"]), CLINIC, own_shares());
            assert_close(numbers(&result["probabilities"]), wanted);
            assert_close(numbers(&result["prior"]), CLINIC.map(|count| count / 200.0));
            let most = CODES[(0..7).max_by(|a, b| wanted[*a].total_cmp(&wanted[*b])).expect("classes")];
            assert_eq!(result["most_probable"], most);
            let malignant = wanted[0] + wanted[1] + wanted[4];
            assert!((result["malignant_probability"].as_f64().expect("a number") - malignant).abs() < 1e-5);
            let class = result["class_name"].as_str().expect("a code");
            assert_eq!(result["confidence"], result["probabilities"][class]);
            for same in ["predicted_class", "class_name", "decision", "flagged", "usable", "quality"] {
                assert_eq!(result[same], plain[same], "{same}");
            }
        }
        assert!(plain.iter().all(|result| result.get("prior").is_none()));
        let flags = |wanted: bool| prior.iter().filter(|result| result["flagged"] == wanted).count();
        assert!(flags(true) > 0 && flags(false) > 0, "the samples show both");
    }
}

#[test]
fn prediction_sets_stay() {
    let clinic = File::of(CLINIC);
    let sets = |flags: &[&str]| {
        let results = classify_json(&[flags, &["--coverage", "0.98", "samples"]].concat());
        results.iter().map(|result| result["prediction_set"].clone()).collect::<Vec<_>>()
    };
    let without = sets(&[]);
    assert!(without.iter().any(|set| set.as_array().is_some_and(|set| set.len() > 1)), "{without:?}");
    assert_eq!(sets(&["--prior", clinic.name()]), without);
}

#[test]
fn the_most_probable_class_follows_if_the_model_predicts_it() {
    let (_folder, onnx) = embedded_but(|spec| {
        spec["prior"] = json!(own_shares());
        spec["malignancy_threshold"] = json!(0.5);
    });
    let model = ["--model", onnx.to_str().expect("UTF-8")];
    let mostly_melanoma = File::of([1.0, 1.0, 1.0, 1.0, 1e5, 1.0, 1.0]);
    let maps = tempfile::tempdir().expect("a folder");
    let maps = maps.path().to_str().expect("UTF-8");
    let lesion = "samples/lesion-1.jpg";
    let plain = classify_json(&[&model[..], &["--heatmap", maps, lesion]].concat()).remove(0);
    let map = std::fs::read(plain["heatmap_file"].as_str().expect("a file")).expect("a PNG");
    let args = ["--prior", mostly_melanoma.name(), "--heatmap", maps, lesion];
    let result = classify_json(&[&model[..], &args].concat()).remove(0);
    assert_eq!((&plain["class_name"], &result["class_name"]), (&"nv".into(), &"mel".into()));
    assert_eq!(result["most_probable"], "mel");
    assert!(result["malignant_probability"].as_f64().expect("a number") > 0.5);
    assert_eq!(result["flagged"], false, "the threshold is one of the model's own probabilities");
    let of_melanoma = std::fs::read(result["heatmap_file"].as_str().expect("a file")).expect("a PNG");
    assert!(map != of_melanoma, "the heatmap is that of the predicted class");
}

#[test]
fn counts_are_as_good_as_shares_and_the_shares_of_the_spec_change_nothing() {
    let result = |file: &File| timeless(classify_json(&["--prior", file.name(), LESION]).remove(0));
    let shares = result(&File::of(CLINIC.map(|count| count / 200.0)));
    assert_close(numbers(&shares["probabilities"]), numbers(&result(&File::of(CLINIC))["probabilities"]));
    let own = result(&File::of(own_shares()));
    let plain = classify_json(&[LESION]).remove(0);
    assert_close(numbers(&own["probabilities"]), numbers(&plain["probabilities"]));
}

#[test]
fn each_format_has_the_rescaled_probabilities() {
    let file = File::of(CLINIC);
    // So low a threshold flags every sample.
    let (_folder, model) = embedded_but(|spec| {
        spec["decision"] = json!("balanced-argmax");
        spec["prior"] = json!(own_shares());
        spec["malignancy_threshold"] = json!(0.001);
    });
    let model = model.to_str().expect("UTF-8");
    let printed = |format: &str, prior: bool| {
        let prior = if prior { &["--prior", file.name()][..] } else { &[] };
        let images = ["classify", "--model", model, "-f", format, "samples/lesion-2.jpg", LESION];
        run([&images[..], prior].concat()).stdout
    };
    let [csv, plain_csv] = [true, false].map(|prior| printed("csv", prior));
    assert_eq!(csv.lines().next(), plain_csv.lines().next(), "no column is added");
    let json: Value = serde_json::from_str(&printed("json", true)).expect("JSON");
    let header: Vec<_> = csv.lines().next().expect("a header").split(',').collect();
    let row: Vec<_> = csv.lines().nth(1).expect("a row").split(',').collect();
    let cell = |name: &str| row[header.iter().position(|column| *column == name).expect(name)];
    assert_eq!(cell("mel"), json[0]["probabilities"]["mel"].to_string());
    assert_eq!(cell("malignant_probability"), json[0]["malignant_probability"].to_string());
    // Its scores are what a balanced decision ranks by.
    assert_eq!(printed("isic", true), printed("isic", false));
    let table = printed("table", true);
    let meaning = "probabilities are for the class shares of --prior: akiec 5.0 %, bcc 20.0 %, bkl 10.0 %, df 2.5 %, mel 30.0 %, nv 30.0 %, vasc 2.5 %\n";
    assert_eq!(table.matches(meaning).count(), 1, "{table}");
    assert!(table.contains("flagged: malignant probability before --prior is at least 0.1 %"), "{table}");
    assert!(!printed("table", false).contains("--prior"));
}

#[test]
fn a_file_that_does_not_fit_is_named_with_what_is_wrong() {
    let missing = File::new(r#"{"mel":1}"#);
    let unknown = File::new(r#"{"mel":1,"melanoma":1}"#);
    let large = File::new(&" ".repeat(70_000));
    let (_folder, without) = embedded_but(|_| ());
    let (_other_folder, other) =
        model_of("channel-means.onnx", |spec| spec["prior"] = json!([0.2, 0.3, 0.5]));
    let [without, other] = [&without, &other].map(|path| path.to_str().expect("UTF-8"));
    let good = File::of(CLINIC);
    let cases: [(&str, &[&str], &str); 7] = [
        ("no/such/file.json", &[], "cannot be read: No such file"),
        ("samples", &[], "cannot be read: Is a directory"),
        (large.name(), &[], "cannot be read: larger than 64.0 KiB"),
        (missing.name(), &[], "there is no number for akiec"),
        (unknown.name(), &[], "\"melanoma\" is not a class of the model"),
        (good.name(), &["--model", without], "has no prior in its spec"),
        (good.name(), &["--model", other], "its classes are red, green, blue"),
    ];
    for (file, more, wanted) in cases {
        for command in [&["classify", LESION][..], &["serve", "--port", "0"]] {
            let ran = run([command, &["--prior", file], more].concat());
            assert_eq!((ran.code, ran.stdout.as_str()), (Some(4), ""), "{}", ran.stderr);
            assert!(ran.stderr.starts_with(&format!("error: --prior {file}: ")), "{}", ran.stderr);
            assert!(
                ran.stderr.contains(wanted) && ran.stderr.lines().count() == 1,
                "{wanted}: {}",
                ran.stderr
            );
        }
    }
    let before = std::fs::read(good.name()).expect("a file");
    let ran = run(["classify", LESION, "--prior", good.name(), "-o", good.name()]);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert!(ran.stderr.contains("is also read"), "{}", ran.stderr);
    assert_eq!(std::fs::read(good.name()).expect("a file"), before);
}

#[test]
fn a_run_is_resumed_with_the_same_shares_only() {
    let [clinic, other] = [File::of(CLINIC), File::of(own_shares())];
    let (clinic, other) = (&["--prior", clinic.name()][..], &["--prior", other.name()][..]);
    let folder = tempfile::tempdir().expect("a folder");
    for (format, first, then, word) in [
        ("jsonl", clinic, clinic, ""),
        ("csv", clinic, clinic, ""),
        ("jsonl", clinic, &[], "written with --prior"),
        ("jsonl", &[], clinic, "written without --prior"),
        ("jsonl", clinic, other, "other shares of --prior"),
        ("csv", clinic, &[], "such as --tta or --prior"),
        ("csv", &[], clinic, "such as --tta or --prior"),
        ("csv", clinic, other, "such as --tta or --prior"),
    ] {
        let file = folder.path().join(format!("out.{format}"));
        let file = file.to_str().expect("UTF-8");
        let resume = |prior: &[&str], image: &str| {
            run([&["classify", "-f", format, "--resume", "-o", file, LESION, image][..], prior].concat())
        };
        assert_eq!(resume(first, LESION).code, Some(0));
        let ran = resume(then, "samples/lesion-1.jpg");
        let code = if word.is_empty() { 0 } else { 4 };
        assert_eq!(ran.code, Some(code), "{format} {first:?} {then:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(word), "{word}: {}", ran.stderr);
        std::fs::remove_file(file).expect("a file");
    }
}

#[test]
fn an_evaluation_is_of_the_rescaled_probabilities_and_the_same_decisions() {
    let file = File::of(CLINIC);
    let evaluate = |format: &str, prior: bool| {
        let prior = if prior { &["--prior", file.name()][..] } else { &[] };
        run([&["classify", "--truth", "samples/labels.csv", "-f", format, "samples"][..], prior].concat())
            .stdout
    };
    let [plain, result] = [false, true].map(|prior| evaluate("json", prior));
    let [plain, result]: [Value; 2] = [plain, result].map(|json| serde_json::from_str(&json).expect("JSON"));
    assert_valid("scores", &result);
    assert_eq!(plain.get("prior"), None);
    assert_close(numbers(&result["prior"]), CLINIC.map(|count| count / 200.0));
    for same in ["confusion", "at_threshold", "images"] {
        assert_eq!(result[same], plain[same], "{same}");
    }

    let labels = std::fs::read_to_string("samples/labels.csv").expect("labels");
    let truth = |path: &str| {
        let stem = std::path::Path::new(path).file_stem().expect("a name").to_str().expect("UTF-8");
        let row = labels.lines().map(|line| line.split(',').collect::<Vec<_>>()).find(|row| row[0] == stem);
        row.expect("a label")[1].to_owned()
    };
    let results = classify_json(&["samples", "--prior", file.name()]);
    let squares = results.iter().filter(|result| result["error"].is_null()).map(|result| {
        let truth = truth(result["path"].as_str().expect("a path"));
        let p = numbers(&result["probabilities"]);
        CODES.iter().zip(p).map(|(code, p)| (p - f64::from(*code == truth)).powi(2)).sum::<f64>()
    });
    let squares: Vec<_> = squares.collect();
    let brier = squares.iter().sum::<f64>() / squares.len() as f64;
    let value = |scores: &Value| scores["metrics"]["brier"]["value"].as_f64().expect("a number");
    assert!((value(&result) - brier).abs() < 1e-5 && (value(&plain) - brier).abs() > 1e-3, "{brier}");

    let table = evaluate("table", true);
    for sentence in
        ["class shares of --prior: akiec 5.0 %", "(malignant probability before --prior at least 5.3 %)"]
    {
        assert!(table.contains(sentence), "{table}");
    }
    assert!(!evaluate("table", false).contains("--prior"));
}

#[test]
fn the_server_has_shares_and_so_may_a_request() {
    let own = File::of(own_shares().map(|share| share * 1000.0));
    let server = Server::start(&["--prior", own.name()]);
    let plain = Server::start(&[]);
    let lesion = std::fs::read(LESION).expect("a sample");
    let answer = |server: &Server, path: &str| {
        let reply = server.post(path, "image/jpeg", &lesion);
        assert_eq!(reply.status, 200, "{}", reply.text);
        assert_valid("prediction", &reply.json());
        timeless(reply.json())
    };
    let of_command = |file: &File| {
        let mut result = timeless(classify_json(&["--prior", file.name(), LESION]).remove(0));
        result.as_object_mut().expect("an object").remove("path");
        result
    };
    assert_eq!(answer(&server, "/predict"), of_command(&own));
    assert_eq!(answer(&plain, "/predict").get("prior"), None);
    let wanted = of_command(&File::of(CLINIC));
    let encoded = QUERY.replace(':', "%3A").replace(',', "%2c");
    for (server, query) in [(&server, QUERY), (&plain, QUERY), (&plain, &encoded)] {
        assert_eq!(answer(server, &format!("/predict?tta=false&{query}")), wanted);
    }
    let (content_type, body) = form(&[("files", "a.jpg", &lesion), ("files", "b.jpg", &lesion)]);
    let batch = plain.post(&format!("/predict/batch?{QUERY}"), &content_type, &body).json();
    assert_valid("batch", &batch);
    for result in batch["predictions"].as_array().expect("an array") {
        assert_eq!(result["probabilities"], wanted["probabilities"]);
    }

    let mut command = skinclf();
    let from_variable =
        Server::start_as(command.args(["serve", "--port", "0"]).env("SKINCLF_PRIOR", own.name()));
    assert_eq!(answer(&from_variable, "/predict")["prior"], of_command(&own)["prior"]);
}

#[test]
fn shares_that_do_not_fit_are_a_bad_query() {
    let server = Server::start(&[]);
    let (_folder, onnx) = embedded_but(|_| ());
    let without = Server::start(&["--model", onnx.to_str().expect("UTF-8")]);
    for (server, query, named) in [
        (&server, "prior=mel:1", "no number for akiec"),
        (&server, "prior=true", "CODE:NUMBER"),
        (&server, &QUERY.replace("nv:60", "nv:0"), "the number for nv is not above 0"),
        (&server, &QUERY.replace("nv:60", "nv:1e9"), "the share of akiec is below 0.000001"),
        (&server, &format!("{QUERY},mel:3"), "mel is named twice"),
        (&server, &format!("{QUERY}&{QUERY}"), "prior is given twice"),
        (&without, QUERY, "has no prior in its spec"),
    ] {
        for path in ["/predict", "/predict/batch"] {
            let reply = server.post(&format!("{path}?{query}"), "image/jpeg", b"x");
            assert_eq!((reply.status, reply.json()["code"].as_str()), (400, Some("bad_query")), "{query}");
            let detail = reply.json()["detail"].as_str().expect("text").to_owned();
            assert!(detail.contains(named) && detail.lines().count() == 1, "{query}: {detail}");
        }
    }
}
