//! What is uploaded to `skinclf serve`: forms, large pictures, and what is counted of them.

use image::{Rgb, RgbImage};

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
fn the_error_about_a_form_without_an_image_lists_its_fields() {
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

#[test]
fn the_log_counts_the_bytes_that_arrived_and_not_those_that_were_announced() {
    let server = Server::start(&["--log", "json", "--max-body", "1KiB"]);
    let request =
        "POST /predict HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: image/png\r\n";
    server.raw(format!("{request}Content-Length: 500000\r\n\r\n").as_bytes());
    server.raw(format!("{request}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n").as_bytes());
    server.raw(format!("{request}Content-Length: 3\r\n\r\nabc").as_bytes());
    let (_, log) = server.terminate();
    let entries = log.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON"));
    let received: Vec<_> = entries.map(|entry| entry["received_bytes"].clone()).collect();
    assert_eq!(received, [0, 5, 3], "{log}");
}

/// Eight pictures of 48 megapixels, for a worker each: 144 MB of pixels, of which 512 MiB may be there at once.
#[cfg(target_os = "linux")]
#[test]
fn large_pictures_share_their_memory_and_all_are_answered() {
    let mut png = std::io::Cursor::new(Vec::new());
    let picture = RgbImage::from_pixel(8000, 6000, Rgb([200, 150, 140]));
    picture.write_to(&mut png, image::ImageFormat::Png).expect("a picture");
    let png = png.into_inner();
    let server = Server::start(&["--workers", "8"]);
    std::thread::scope(|scope| {
        let answers: Vec<_> =
            (0..8).map(|_| scope.spawn(|| server.post("/predict", "image/png", &png))).collect();
        for answer in answers {
            let reply = answer.join().expect("a client");
            assert_eq!((reply.status, &reply.json()["width"]), (200, &8000.into()), "{}", reply.text);
        }
    });
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.process().id())).expect("proc(5)");
    let peak =
        status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.strip_suffix("kB")).expect("a peak");
    let peak: u64 = peak.trim().parse().expect("a number");
    assert!(peak < 768 << 10, "{peak} KiB");
}
