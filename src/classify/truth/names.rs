//! Names in a warning: the first few, and how many more there are.

use std::fmt;

use crate::process::terminal::printable;

const FEW: usize = 3;

#[derive(Default)]
pub(super) struct Names {
    first: Vec<String>,
    count: u64,
}

impl Names {
    pub(super) fn push(&mut self, name: &str) {
        if self.first.len() < FEW {
            self.first.push(printable(name));
        }
        self.count += 1;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub(super) fn count(&self) -> u64 {
        self.count
    }
}

impl<'a> FromIterator<&'a str> for Names {
    fn from_iter<I: IntoIterator<Item = &'a str>>(names: I) -> Self {
        let mut all = Self::default();
        names.into_iter().for_each(|name| all.push(name));
        all
    }
}

impl fmt::Display for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("none");
        }
        f.write_str(&self.first.join(", "))?;
        match self.count - self.first.len() as u64 {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}
