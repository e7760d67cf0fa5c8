//! An AICPU thread that panics at any call of the device interface stops the others, and nothing hangs.
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "the panic is what is tested"
)]

use crate::support::{Setup, TestDevice, chain, counters_at};
use lanescope_abi::control::DeviceError;
use lanescope_abi::{Awaited, Barrier, Chip, Device};
use lanescope_aicpu::Failure;
use lanescope_aicpu::schedule::{self, Noted};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};

/// A device whose caller panics at one of its calls.
struct Panicking<'a> {
    device: &'a TestDevice,
    calls_left: AtomicU64,
}

impl Panicking<'_> {
    fn called(&self) -> &TestDevice {
        // Below 0 it wraps, and does not come to 0 again.
        if self.calls_left.fetch_sub(1, Ordering::Relaxed) == 1 {
            panic!("asked for");
        }
        self.device
    }
}

impl Device for Panicking<'_> {
    unsafe fn load32(&self, address: u64) -> u32 {
        // SAFETY: the caller's; the device checks every address.
        unsafe { self.called().load32(address) }
    }

    unsafe fn load64(&self, address: u64) -> u64 {
        // SAFETY: the caller's; the device checks every address.
        unsafe { self.called().load64(address) }
    }

    unsafe fn store32(&self, address: u64, value: u32) {
        // SAFETY: the caller's; the device checks every address.
        unsafe { self.called().store32(address, value) };
    }

    unsafe fn store64(&self, address: u64, value: u64) {
        // SAFETY: the caller's; the device checks every address.
        unsafe { self.called().store64(address, value) };
    }

    fn clean(&self, address: u64) {
        self.called().clean(address);
    }

    fn invalidate(&self, address: u64) {
        self.called().invalidate(address);
    }

    fn barrier(&self, barrier: Barrier) {
        self.called().barrier(barrier);
    }

    unsafe fn read_reg(&self, address: u64) -> u32 {
        // SAFETY: the caller's; the device checks every address.
        unsafe { self.called().read_reg(address) }
    }

    unsafe fn write_reg(&self, address: u64, value: u32) {
        // SAFETY: the caller's; the device takes any address.
        unsafe { self.called().write_reg(address, value) };
    }

    fn ticks(&self) -> u64 {
        self.called().ticks()
    }

    fn relax(&self, awaited: &Awaited<'_>) {
        self.called().relax(awaited);
    }
}

/// What the entry of the AICPU program does with a panic.
fn enter(device: &impl Device, address: u64) -> Result<(), Failure> {
    let mut noted = Noted::<2>::new();
    let run = || {
        // SAFETY: the regions were laid out by the setup and outlive the run.
        unsafe { schedule::run_noted(device, address, Chip::A2a3, &mut noted) }
    };
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|_| {
        // SAFETY: the regions outlive the run, and `noted` is as the run left it.
        unsafe { schedule::poison(device, address, Chip::A2a3, &mut noted) };
        Err(DeviceError::Internal.into())
    })
}

#[test]
fn a_thread_that_panics_stops_the_others() {
    let mut stopped = 0;
    // From the first look at the header to the middle of the graph.
    for calls in (1..400).step_by(7).chain([700, 1000, 1500, 2000, 3000]) {
        let mut setup = Setup::new(chain(6, 200));
        setup.threads = 2;
        setup.clusters = 2;
        let (device, _) = setup.build();
        let address = device.world().memory.base();
        let panicking = Panicking {
            device: &device,
            calls_left: AtomicU64::new(calls),
        };
        let (panicked, other) = std::thread::scope(|scope| {
            let panicked = scope.spawn(|| enter(&panicking, address));
            let other = scope.spawn(|| enter(&device, address));
            (panicked.join().unwrap(), other.join().unwrap())
        });
        let panicked = panicked.map_err(|failure| failure.error);
        let other = other.map_err(|failure| failure.error);
        if panicked.is_ok() {
            // The run was over before it came to that.
            continue;
        }
        assert_eq!(panicked, Err(DeviceError::Internal), "after {calls} calls");
        // It may have done all there was; it never waits for tasks of the one that is gone.
        let is_good = matches!(other, Ok(()) | Err(DeviceError::Sibling));
        assert!(is_good, "after {calls} calls: {other:?}");
        stopped += u32::from(other.is_err());
    }
    assert!(stopped > 0, "no other thread had anything left to do");
}

#[test]
fn a_thread_that_panics_leaves_the_switches_of_the_counters_as_they_were() {
    const BEFORE: u32 = 0x30;
    let mut panics = 0;
    for calls in (1..1200).step_by(5).chain([3000]) {
        let mut setup = Setup::new(chain(5, 30));
        setup.pmu_event = 4;
        setup.issue_depth = 1;
        let (device, _) = setup.build();
        let chip = Chip::A2a3.info();
        let [(switch, on)] = chip.registers.pmu.switches else {
            panic!("a2a3 has one")
        };
        assert_ne!(*on, BEFORE);
        let places = (0..setup.cores()).map(|core| counters_at(chip, core) + u64::from(*switch));
        for place in places.clone() {
            device.world().registers.insert(place, BEFORE);
        }
        let address = device.world().memory.base();
        let panicking = Panicking {
            device: &device,
            calls_left: AtomicU64::new(calls),
        };
        panics += u32::from(enter(&panicking, address).is_err());
        for place in places {
            let held = device.world().registers[&place];
            assert_eq!(held, BEFORE, "after {calls} calls");
        }
    }
    assert!(panics > 200, "{panics}");
}
