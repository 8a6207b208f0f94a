//! Routes, and what each answers; no sockets.

use std::time::Instant;

use serde::Serialize;
use skinclf::Classifier;

use super::multipart::{self, Part};
use crate::interrupt;
use crate::output::{Failure, ModelId, Record, Subject};

/// A whole request.
pub(super) struct Request {
    pub(super) method: String,
    /// Without the query.
    pub(super) path: String,
    pub(super) content_type: String,
    pub(super) body: Vec<u8>,
}

/// A whole answer; the body is JSON.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
    /// Methods that would have been answered, for status 405.
    pub(super) allow: Option<&'static str>,
}

impl Answer {
    fn json(status: u16, value: &impl Serialize) -> Self {
        let body = serde_json::to_vec(value).expect("maps with string keys and finite numbers are JSON");
        Self { status, body, allow: None }
    }
}

/// Why a request was not served.
#[derive(Debug)]
pub(super) struct Problem {
    status: u16,
    code: &'static str,
    detail: String,
}

impl Problem {
    pub(super) fn new(status: u16, code: &'static str, detail: impl Into<String>) -> Self {
        Self { status, code, detail: detail.into() }
    }
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        let status = match failure.code {
            "internal" => 500,
            "not_an_image" => 400,
            _ => 422,
        };
        Self::new(status, failure.code, failure.message)
    }
}

impl From<Problem> for Answer {
    fn from(problem: Problem) -> Self {
        let Problem { status, code, detail } = problem;
        Self::json(status, &ErrorBody { detail, code })
    }
}

type Handler = fn(&Api, &Request) -> Result<Answer, Problem>;

/// The service, shared by all workers.
pub(super) struct Api {
    classifier: Classifier,
    started: Instant,
}

impl Api {
    pub(super) fn new(classifier: Classifier) -> Self {
        Self { classifier, started: Instant::now() }
    }

    /// The answer to a request; never fails, for a failure is an answer too.
    pub(super) fn answer(&self, request: &Request) -> Answer {
        let (allow, handler): (_, Handler) = match request.path.as_str() {
            "/predict" => ("POST", Self::predict),
            "/predict/batch" => ("POST", Self::predict_batch),
            "/health" => ("GET, HEAD", |api, _| Ok(api.health())),
            path => return Problem::new(404, "not_found", format!("there is no {path} here")).into(),
        };
        if !allow.split(", ").any(|method| method == request.method) {
            let detail = format!("{} answers {allow} only", request.path);
            let answer = Answer::from(Problem::new(405, "method_not_allowed", detail));
            return Answer { allow: Some(allow), ..answer };
        }
        handler(self, request).unwrap_or_else(Answer::from)
    }

    fn predict(&self, request: &Request) -> Result<Answer, Problem> {
        let media_type = media_type(&request.content_type);
        if media_type == "multipart/form-data" {
            let part = multipart::parts(&request.content_type, &request.body, "file")?.into_iter().next();
            let Part { filename, bytes } = part.ok_or(Problem::new(
                400,
                "bad_multipart",
                "the form has no field \"file\" with an image",
            ))?;
            return self.predict_one(filename.as_deref(), &bytes);
        }
        if media_type.starts_with("image/") || media_type == "application/octet-stream" {
            return self.predict_one(None, &request.body);
        }
        Err(unsupported(
            &request.content_type,
            "an image (image/*, application/octet-stream) or a form with a field \"file\"",
        ))
    }

    fn predict_one(&self, filename: Option<&str>, bytes: &[u8]) -> Result<Answer, Problem> {
        let subject = filename.map_or(Subject::Unnamed, Subject::Path);
        let record = self.classify(subject, bytes);
        match &record.outcome {
            Ok(_) => Ok(Answer::json(200, &record)),
            Err(failure) => Err(failure.clone().into()),
        }
    }

    fn predict_batch(&self, request: &Request) -> Result<Answer, Problem> {
        if media_type(&request.content_type) != "multipart/form-data" {
            return Err(unsupported(&request.content_type, "a form with one or more fields \"files\""));
        }
        let parts = multipart::parts(&request.content_type, &request.body, "files")?;
        if parts.is_empty() {
            return Err(Problem::new(400, "bad_multipart", "the form has no field \"files\" with an image"));
        }
        let predictions: Vec<_> = parts
            .iter()
            .map(|part| {
                let name = part.filename.as_deref().unwrap_or_default();
                let record = self.classify(Subject::Path(name), &part.bytes);
                let subject =
                    if record.outcome.is_ok() { Subject::Path(name) } else { Subject::Filename(name) };
                Record { subject, ..record }
            })
            .collect();
        Ok(Answer::json(200, &Batch { total_images: predictions.len(), predictions }))
    }

    fn classify<'a>(&'a self, subject: Subject<'a>, bytes: &[u8]) -> Record<'a> {
        let outcome = self.classifier.classify_timed(bytes).map_err(Failure::from);
        Record { subject, outcome, spec: self.classifier.spec(), top_k: None }
    }

    fn health(&self) -> Answer {
        let draining = interrupt::requested();
        let health = Health {
            status: if draining { "draining" } else { "healthy" },
            model_loaded: true,
            uptime_seconds: (self.started.elapsed().as_secs_f64() * 1e3).round() / 1e3,
            device: "cpu",
            version: env!("CARGO_PKG_VERSION"),
            model: self.classifier.spec().into(),
        };
        Answer::json(if draining { 503 } else { 200 }, &health)
    }
}

#[derive(Serialize)]
struct ErrorBody {
    detail: String,
    code: &'static str,
}

#[derive(Serialize)]
struct Batch<'a> {
    predictions: Vec<Record<'a>>,
    total_images: usize,
}

#[derive(Serialize)]
struct Health<'a> {
    status: &'static str,
    model_loaded: bool,
    uptime_seconds: f64,
    device: &'static str,
    version: &'static str,
    model: ModelId<'a>,
}

/// `Image/JPEG; q=1` is `image/jpeg`.
fn media_type(content_type: &str) -> String {
    content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

fn unsupported(content_type: &str, wanted: &str) -> Problem {
    let got = if content_type.is_empty() {
        "no Content-Type was sent".to_owned()
    } else {
        format!("got {content_type}")
    };
    Problem::new(415, "unsupported_media_type", format!("{got}; send {wanted}"))
}
