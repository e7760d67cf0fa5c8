//! What an export takes in memory does not grow with the trace.
#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

use lanescope_export::perfetto::{self, Options};
use lanescope_trace::synth::Synth;
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

/// The system's allocator, which knows the most that was held at once.
struct Measured;

static HELD: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call goes to the system's allocator as it came; the counters allocate nothing.
unsafe impl GlobalAlloc for Measured {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let held = HELD.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        MOST.fetch_max(held, Ordering::Relaxed);
        // SAFETY: the layout is the caller's, who gives one that is not empty.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller gives back what `alloc` returned for this layout.
        unsafe { System.dealloc(pointer, layout) };
    }
}

#[global_allocator]
static ALLOCATOR: Measured = Measured;

/// The most that an export of so many tasks holds beyond the trace itself.
fn most_of(tasks: u32) -> usize {
    let synth = Synth {
        tasks,
        edges_per_task: 0,
        ..Synth::default()
    };
    let trace = synth.trace().unwrap();
    let before = HELD.load(Ordering::Relaxed);
    MOST.store(before, Ordering::Relaxed);
    perfetto::write(&trace, &Options::default(), std::io::sink()).unwrap();
    MOST.load(Ordering::Relaxed) - before
}

/// The only test of this program: another thread's memory would be counted too.
#[test]
fn an_export_holds_no_more_for_ten_times_the_tasks() {
    // The longest buffer and all names are reached by the smaller one.
    let (small, large) = (most_of(20_000), most_of(200_000));
    assert!(large <= small + small / 4, "{small} bytes, then {large}");
}
