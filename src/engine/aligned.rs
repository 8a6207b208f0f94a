//! Memory that starts on a cache line, so that no vector load straddles two of them.

use std::fmt;
use std::ops::{Deref, DerefMut};

const LINE_BYTES: usize = 64;
const LINE: usize = LINE_BYTES / size_of::<f32>();

/// Zeroed `f32`s on a 64-byte boundary.
#[derive(Default)]
pub(crate) struct Aligned {
    /// Never resized after `zeroed`, so it never moves and `start` stays right.
    memory: Vec<f32>,
    start: usize,
    len: usize,
}

impl Aligned {
    pub(crate) fn zeroed(len: usize) -> Self {
        let memory = vec![0.0; len + LINE - 1];
        // An allocator of `f32`s need not promise more than 4 bytes; `usize::MAX` would mean that
        // the boundary cannot be reached at all.
        let start = memory.as_ptr().align_offset(LINE_BYTES).min(LINE - 1);
        Self { memory, start, len }
    }

    /// At least `len` values, the old ones or, where more memory was needed, zeros.
    pub(crate) fn grow(&mut self, len: usize) -> &mut [f32] {
        if self.len < len {
            *self = Self::zeroed(len);
        }
        &mut self[..len]
    }
}

impl Deref for Aligned {
    type Target = [f32];
    fn deref(&self) -> &[f32] {
        &self.memory[self.start..self.start + self.len]
    }
}

impl DerefMut for Aligned {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.memory[self.start..self.start + self.len]
    }
}

impl fmt::Debug for Aligned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} aligned f32s", self.len)
    }
}
