//! What publishing costs a core, against two clock reads and one 64-byte store.
//!
//! Both are measured in one process, in turn; the row says the ratio of the medians.

#![expect(clippy::print_stdout, reason = "a bench prints its rows")]

use lanescope_abi::{Awaited, Barrier, Device, Token};
use lanescope_aicore::{Times, publish};
use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering, compiler_fence};
use std::time::Instant;

const ROUNDS: usize = 101;
const CALLS: u32 = 100_000;
const RING_SIZE: u32 = 2;
const TARGET: f64 = 1.5;

/// Ordinary memory and the CPU's own counter, inlined.
#[derive(Debug)]
struct HostDevice;

impl Device for HostDevice {
    unsafe fn load32(&self, _: u64) -> u32 {
        unreachable!("publishing loads nothing")
    }

    unsafe fn load64(&self, _: u64) -> u64 {
        unreachable!("publishing loads nothing")
    }

    unsafe fn store32(&self, _: u64, _: u32) {
        unreachable!("publishing stores whole words")
    }

    #[inline]
    unsafe fn store64(&self, address: u64, value: u64) {
        let address = usize::try_from(address).expect("an address of this process");
        let word = std::ptr::with_exposed_provenance_mut(address);
        // SAFETY: the bench's ring, aligned.
        unsafe { AtomicU64::from_ptr(word) }.store(value, Ordering::Relaxed);
    }

    #[inline]
    fn clean(&self, _: u64) {
        compiler_fence(Ordering::SeqCst);
    }

    #[inline]
    fn invalidate(&self, _: u64) {}

    #[inline]
    fn barrier(&self, _: Barrier) {
        compiler_fence(Ordering::SeqCst);
    }

    unsafe fn read_reg(&self, _: u64) -> u32 {
        unreachable!("publishing reads no register")
    }

    unsafe fn write_reg(&self, _: u64, _: u32) {
        unreachable!("publishing writes no register")
    }

    #[inline]
    fn ticks(&self) -> u64 {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the instruction has no requirement.
        return unsafe { core::arch::x86_64::_rdtsc() };
        #[cfg(not(target_arch = "x86_64"))]
        return u64::try_from(Instant::now().elapsed().as_nanos()).unwrap_or(0);
    }

    fn relax(&self, _: &Awaited<'_>) {}
}

#[repr(align(64))]
struct Ring([AtomicU64; 8 * RING_SIZE as usize]);

fn main() {
    let ring = Ring(std::array::from_fn(|_| AtomicU64::new(0)));
    let staging = ring.0.as_ptr().expose_provenance() as u64;
    let mut baseline = Vec::new();
    let mut published = Vec::new();
    for _ in 0..ROUNDS {
        baseline.push(nanoseconds_each(|_| {
            let start = HostDevice.ticks();
            let end = HostDevice.ticks();
            for word in 0..8 {
                let value = if word % 2 == 0 { start } else { end };
                // SAFETY: a line of the ring.
                unsafe { HostDevice.store64(staging + word * 8, value) };
            }
        }));
        published.push(nanoseconds_each(|token| {
            let start = HostDevice.ticks();
            let end = HostDevice.ticks();
            let times = Times {
                receive: start,
                start,
                end,
            };
            // SAFETY: the ring has as many slots.
            unsafe { publish(&HostDevice, staging, RING_SIZE, token, 1, &times) };
        }));
    }
    let (baseline, published) = (median(&mut baseline), median(&mut published));
    println!(
        "row: publish, two clock reads included | <= {TARGET} x {baseline:.1} ns | {published:.1} ns | {:.2}",
        published / baseline
    );
}

fn nanoseconds_each(mut step: impl FnMut(Token)) -> f64 {
    let mut token = Token::FIRST;
    let begin = Instant::now();
    for _ in 0..CALLS {
        step(black_box(token));
        token = token.next();
    }
    begin.elapsed().as_secs_f64() * 1e9 / f64::from(CALLS)
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
