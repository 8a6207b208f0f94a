//! Names the build profile to the program: Cargo's own `PROFILE` is `release` for all that inherit from it.

use std::path::Path;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // TARGET[/TRIPLE]/PROFILE/build/…
    let out_dir = std::env::var("OUT_DIR").unwrap_or_default();
    let folders = Path::new(&out_dir).ancestors().find(|folder| folder.ends_with("build"));
    let profile = folders.and_then(Path::parent).and_then(Path::file_name).and_then(|name| name.to_str());
    println!("cargo::rustc-env=BUILD_PROFILE={}", profile.unwrap_or("unknown"));
}
