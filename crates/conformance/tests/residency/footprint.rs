//! What this process, the device process and the driver hold at one moment.

use lanescope_conformance::SimulatedDriver;
use std::alloc::{GlobalAlloc, Layout, System};
use std::error::Error;
use std::sync::atomic::{AtomicI64, Ordering};

/// Counts what the host code has allocated and not freed.
struct Counting;

static LIVE_BYTES: AtomicI64 = AtomicI64::new(0);

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn count(bytes: usize, sign: i64) {
    let bytes = i64::try_from(bytes).expect("an allocation is smaller than the address space");
    LIVE_BYTES.fetch_add(sign * bytes, Ordering::Relaxed);
}

// SAFETY: every call goes to the system's allocator with the caller's own arguments.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 1);
        // SAFETY: the caller's promises about the layout are those that `System` asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 1);
        // SAFETY: the caller's promises about the layout are those that `System` asks for.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(layout.size(), -1);
        // SAFETY: the caller's pointer came from this allocator, so from `System`, with this layout.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        count(layout.size(), -1);
        count(bytes, 1);
        // SAFETY: the caller's pointer came from `System` with this layout; the new size is not 0.
        unsafe { System.realloc(pointer, layout, bytes) }
    }
}

/// What is held, by name; `host` is this process, `device` the device process.
#[derive(Clone, Debug)]
pub struct Footprint {
    amounts: Vec<Amount>,
}

#[derive(Clone, Copy, Debug)]
struct Amount {
    name: &'static str,
    value: u64,
    /// By how much it may differ from one moment to a like one.
    slack: u64,
}

/// Freed memory goes back to the system in pieces, and stacks and buffers grow once.
const RESIDENT_SLACK_BYTES: u64 = 16 << 20;
/// Lists that double now and then; a leak of one record a run would be more.
const HEAP_SLACK_BYTES: u64 = 16 << 10;

impl Footprint {
    /// Looks what is held while `device` is open.
    pub fn take(driver: &SimulatedDriver, device: i32) -> Result<Self, Box<dyn Error>> {
        let pid = driver.device_pid(device).to_string();
        let heap = u64::try_from(LIVE_BYTES.load(Ordering::Relaxed))?;
        let mut amounts = Vec::new();
        let mut add = |name, value, slack| amounts.push(Amount { name, value, slack });
        add("host heap bytes", heap, HEAP_SLACK_BYTES);
        add(
            "host resident bytes",
            resident("self")?,
            RESIDENT_SLACK_BYTES,
        );
        add("host files", entries("self", "fd")?, 0);
        add("host threads", entries("self", "task")?, 0);
        add(
            "device resident bytes",
            resident(&pid)?,
            RESIDENT_SLACK_BYTES,
        );
        add("device files", entries(&pid, "fd")?, 0);
        add("device threads", entries(&pid, "task")?, 0);
        for what in [
            "bytes",
            "allocations",
            "registrations",
            "streams",
            "programs",
        ] {
            add(what, driver.held(device, what), 0);
        }
        Ok(Self { amounts })
    }

    /// What is more than it was, beyond its slack.
    pub fn growth(&self, before: &Self) -> Vec<String> {
        let pairs = self.amounts.iter().zip(&before.amounts);
        pairs
            .filter(|(now, before)| now.value > before.value + now.slack)
            .map(|(now, before)| format!("{}: {} -> {}", now.name, before.value, now.value))
            .collect()
    }
}

fn entries(process: &str, folder: &str) -> Result<u64, Box<dyn Error>> {
    Ok(std::fs::read_dir(format!("/proc/{process}/{folder}"))?.count() as u64)
}

fn resident(process: &str) -> Result<u64, Box<dyn Error>> {
    const PAGE_BYTES: u64 = 4096;
    let text = std::fs::read_to_string(format!("/proc/{process}/statm"))?;
    let pages = text.split(' ').nth(1).ok_or("no second number in statm")?;
    Ok(pages.parse::<u64>()? * PAGE_BYTES)
}
