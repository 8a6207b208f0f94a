//! Catching panics: of decoders on hostile bytes, and of bugs, which must cost one image only.

use std::any::Any;
use std::cell::Cell;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};

thread_local! {
    /// Nested calls of [`catch`] on this thread.
    static DEPTH: Cell<usize> = const { Cell::new(0) };
    /// Source of the last panic on this thread, until [`catch`] returns it.
    static PLACE: Cell<Option<String>> = const { Cell::new(None) };
}

/// A panic that was caught.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Panic {
    /// On one line.
    message: String,
    /// Source file and line, if [`silence_caught`] was called.
    place: Option<String>,
}

impl fmt::Display for Panic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Some(place) => write!(f, "{} at {place}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

/// Runs `work`. After a panic, values that it was changing must not be used any more.
///
/// # Errors
/// The panic, if there was one.
pub fn catch<T>(work: impl FnOnce() -> T) -> Result<T, Panic> {
    let _within = Within::enter();
    catch_unwind(AssertUnwindSafe(work))
        .map_err(|payload| Panic { message: message(&*payload), place: PLACE.take() })
}

/// From now on, panics that [`catch`] catches are not written to standard error. All others are, as before.
///
/// This wraps the panic hook of the whole process, so it is for a program to call, once.
pub fn silence_caught() {
    let others = take_hook();
    set_hook(Box::new(move |panic| {
        if DEPTH.get() == 0 {
            others(panic);
        } else {
            PLACE.set(panic.location().map(|place| format!("{}:{}", in_crate(place.file()), place.line())));
        }
    }));
}

/// Counts [`DEPTH`] up, and down again when dropped.
struct Within;

impl Within {
    fn enter() -> Self {
        DEPTH.set(DEPTH.get() + 1);
        Self
    }
}

impl Drop for Within {
    fn drop(&mut self) {
        DEPTH.set(DEPTH.get() - 1);
    }
}

/// `crate-1.0/src/file.rs` of a dependency, without the folders of the machine where it was built.
fn in_crate(file: &str) -> &str {
    let folder = file.rfind("/src/").and_then(|end| file[..end].rfind('/'));
    folder.map_or(file, |end| &file[end + 1..])
}

fn message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().copied();
    let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    // The message of an assertion has several lines.
    text.unwrap_or("a panic without a message").lines().map(str::trim).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_error_with_its_message() {
        assert_eq!(catch(|| 7), Ok(7));
        let caught = catch(|| -> u8 { panic!("this panic is part of a test,\n  number {}", 1) });
        assert_eq!(caught.map_err(|e| e.message), Err("this panic is part of a test, number 1".to_owned()));
        let inner = catch(|| {
            let inner = catch(|| panic!("so is this one")).map_err(|e| e.message);
            (inner, DEPTH.get())
        });
        assert_eq!(inner, Ok((Err("so is this one".to_owned()), 1)));
        assert_eq!(DEPTH.get(), 0);
    }

    #[test]
    fn files_are_named_from_their_crate_on() {
        for (file, named) in [
            (
                "/home/me/.cargo/registry/src/index-1/tiff-0.11.3/src/decoder/mod.rs",
                "tiff-0.11.3/src/decoder/mod.rs",
            ),
            ("/src/main.rs", "/src/main.rs"),
            ("src/classify/mod.rs", "src/classify/mod.rs"),
        ] {
            assert_eq!(in_crate(file), named);
        }
    }
}
