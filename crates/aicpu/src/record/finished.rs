//! The tasks that one `COND` has proven finished.

use core::fmt;
use core::mem::MaybeUninit;
use core::ops::Deref;

/// The tags of the tasks that a `COND` has proven finished, oldest first.
#[derive(Clone, Copy)]
pub struct Finished<const RING: usize> {
    /// Written up to `count`. JUSTIFICATION: one is made for every `COND` that is read; clearing 16
    /// tags would cost a sixth of a commit.
    tags: [MaybeUninit<u32>; RING],
    count: usize,
}

impl<const RING: usize> Finished<RING> {
    #[inline]
    pub(super) const fn new() -> Self {
        Self {
            tags: [MaybeUninit::uninit(); RING],
            count: 0,
        }
    }

    /// How many.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a ring has at most 16 slots"
    )]
    #[inline]
    #[must_use]
    pub const fn count(&self) -> u32 {
        self.count as u32
    }

    #[inline]
    pub(super) fn push(&mut self, tag: u32) {
        self.tags[self.count].write(tag);
        self.count += 1;
    }
}

impl<const RING: usize> Deref for Finished<RING> {
    type Target = [u32];

    #[inline]
    fn deref(&self) -> &[u32] {
        let written = &self.tags[..self.count];
        // SAFETY: `push` wrote every tag below `count`.
        unsafe { written.assume_init_ref() }
    }
}

impl<const RING: usize> fmt::Debug for Finished<RING> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}
