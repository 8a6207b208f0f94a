//! What is written of a panic. A panic hook is the process's, so this test runs itself again in one of its own.

use std::process::Command;

use skinclf::panics;

const CHILD: &str = "SKINCLF_TEST_PANICS";

#[test]
fn what_is_caught_is_not_written_to_standard_error_and_all_else_is() {
    if std::env::var_os(CHILD).is_some() {
        panics::silence_caught();
        let caught = panics::catch(|| panic!("the first panic of a test"));
        let said = caught.expect_err("it panics").to_string();
        assert!(said.starts_with("the first panic of a test at tests/library/panics.rs:"), "{said}");
        let thread = std::thread::spawn(|| panic!("the second panic of a test"));
        thread.join().expect_err("it panics");
        return;
    }
    let test = "panics::what_is_caught_is_not_written_to_standard_error_and_all_else_is";
    let mut child = Command::new(std::env::current_exe().expect("this test"));
    let ended = child.args(["--exact", test, "--nocapture"]).env(CHILD, "1").output().expect("it starts");
    let written = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert!(ended.status.success(), "{written}");
    assert!(!written.contains("the first panic") && written.contains("the second panic"), "{written}");
}
