//! What is uploaded to `skinclf serve`: forms and queries.

use crate::support::{Server, form};

const LESION: &[u8] = include_bytes!("../../samples/lesion-1.jpg");

#[test]
fn a_form_may_call_its_image_as_it_likes() {
    let server = Server::start(&[]);
    for fields in [
        &[("image", "a.jpg", LESION)][..],
        &[("picture", "a.jpg", LESION)],
        &[("thumbnail", "b.jpg", b"x"), ("image", "a.jpg", LESION)],
    ] {
        let (content_type, body) = form(fields);
        let reply = server.post("/predict", &content_type, &body);
        assert_eq!((reply.status, &reply.json()["path"]), (200, &"a.jpg".into()), "{}", reply.text);
    }
}

#[test]
fn a_second_image_is_refused_and_not_dropped() {
    let server = Server::start(&[]);
    for field in ["file", "image", "picture"] {
        let (content_type, body) = form(&[(field, "a.jpg", LESION), (field, "b.jpg", LESION)]);
        let reply = server.post("/predict", &content_type, &body);
        assert_eq!((reply.status, reply.json()["code"].as_str()), (400, Some("bad_multipart")), "{field}");
        assert!(reply.text.contains("2 images") && reply.text.contains("/predict/batch"), "{}", reply.text);
    }
}

#[test]
fn a_form_without_an_image_is_told_what_it_has() {
    let server = Server::start(&[]);
    let content_type = "multipart/form-data; boundary=b";
    let body = b"--b\r\nContent-Disposition: form-data; name=\"photo\"\r\n\r\nno file\r\n--b--\r\n";
    for path in ["/predict", "/predict/batch"] {
        let detail = server.post(path, content_type, body).json()["detail"].to_string();
        assert!(detail.contains("it has \\\"photo\\\""), "{path}: {detail}");
    }
}

#[test]
fn the_head_of_a_part_has_a_limit() {
    let server = Server::start(&[]);
    for (length, status) in [(1_000, 200), (20_000, 400), (2_000_000, 400)] {
        let (content_type, body) = form(&[("file", &"x".repeat(length), LESION)]);
        let reply = server.post("/predict", &content_type, &body);
        assert_eq!(reply.status, status, "{length}: {}", &reply.text[..reply.text.len().min(300)]);
    }
}

#[test]
fn true_and_false_may_be_spelt_as_forms_and_scripts_do() {
    let server = Server::start(&[]);
    for (query, status) in [
        ("tta=1&strict=off", 200),
        ("tta=yes&strict=0", 200),
        ("tta=on&strict=No", 200),
        ("tta=True", 200),
        ("tta=2", 400),
        ("tta=", 400),
    ] {
        assert_eq!(server.post(&format!("/predict?{query}"), "image/jpeg", LESION).status, status, "{query}");
    }
}
