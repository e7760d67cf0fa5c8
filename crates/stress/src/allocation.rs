//! An allocator that counts, for tests of what hostile input may make us allocate.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

/// The system's allocator, with a count of the bytes held.
///
/// ```
/// use lanescope_stress::Counting;
///
/// #[global_allocator]
/// static ALLOCATOR: Counting = Counting::new();
///
/// let most = ALLOCATOR.most_during(|| drop(vec![0_u8; 1000]));
/// assert!((1000..2000).contains(&most));
/// ```
#[derive(Debug, Default)]
pub struct Counting {
    held: AtomicUsize,
    most: AtomicUsize,
}

impl Counting {
    /// For a `static` that is the global allocator.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            held: AtomicUsize::new(0),
            most: AtomicUsize::new(0),
        }
    }

    /// Most bytes that were held at once during `work` beyond those held before. Those of other
    /// threads are counted too: such a test is the only one of its process.
    pub fn most_during(&self, work: impl FnOnce()) -> usize {
        let before = self.held.load(Ordering::Relaxed);
        self.most.store(before, Ordering::Relaxed);
        work();
        self.most.load(Ordering::Relaxed).saturating_sub(before)
    }
}

// SAFETY:
// - Memory comes from `System`, with the layouts that were asked for, and goes back there.
// - Counting allocates nothing and does not unwind.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let held = self.held.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        self.most.fetch_max(held, Ordering::Relaxed);
        // SAFETY: the layout is not of size 0: the caller says so of this very layout.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        self.held.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: `alloc` had the pointer from `System` for this layout: the caller says that it
        // came from this allocator with it.
        unsafe { System.dealloc(pointer, layout) };
    }
}
