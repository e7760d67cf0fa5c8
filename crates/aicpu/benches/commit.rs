//! What committing costs the AICPU, and beside it what a hand-off between two CPUs costs.
//!
//! The device is ordinary memory, inlined. Its clock is a counter, so that the cost of reading the
//! machine's clock, which commit does once for each `COND` that proves something, stays out of it.

#![expect(clippy::print_stdout, reason = "a bench prints its rows")]

#[path = "../tests/support/mod.rs"]
mod support;

use lanescope_abi::control::ControlHeader;
use lanescope_abi::token::COND_FIN;
use lanescope_abi::{Awaited, Barrier, CaptureHeader, Device, Token};
use lanescope_aicore::{Times, publish};
use lanescope_aicpu::Control;
use lanescope_aicpu::record::{RecordState, Recorder, Task};
use std::hint::black_box;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering, compiler_fence, fence};
use std::time::Instant;
use support::{Setup, TestDevice, independent};

const RING: usize = 2;
const RING_SIZE: u32 = 2;
const ROUNDS: u32 = 2000;
const PASSES: u32 = 15;
const TARGET_NS: f64 = 25.0;
const HAND_OFFS: u32 = 200_000;

fn main() {
    let recorded = least(|| commit_ns(4));
    let off = least(|| commit_ns(0));
    println!(
        "row: commit, slot line near | <= {TARGET_NS} ns | {recorded:.1} ns | {:.2}",
        recorded / TARGET_NS
    );
    println!("row: commit, profiling off | one branch | {off:.1} ns | -");
    let both_ways = hand_off_ns();
    println!("row: hand-off between two CPUs, both ways | - | {both_ways:.0} ns | -");
}

/// The least of several passes: whatever else runs on the core can only add to a pass.
fn least(pass: impl Fn() -> f64) -> f64 {
    (0..PASSES).map(|_| pass()).fold(f64::INFINITY, f64::min)
}

/// Nanoseconds of one commit, each `COND` proving one token, rotation included.
fn commit_ns(level: u32) -> f64 {
    let mut setup = Setup::new(independent(0));
    setup.ring_size = RING_SIZE;
    setup.issue_depth = RING_SIZE;
    setup.clusters = 8;
    setup.level = level;
    setup.lane.buffers = 8;
    setup.lane.records = 1000;
    let (world, header) = setup.build();
    let device = HostDevice::default();
    let control = attach(&device, &world, &setup);
    let mut state = RecordState::<RING>::new();
    let mut recorder = Recorder::attach(&control, 0, &mut state).expect("the layout is right");
    let staging = staging(&world, &header);
    let mut tokens = vec![Token::FIRST; setup.cores() as usize];
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        for (core, first) in (0u32..).zip(&tokens) {
            let mut token = *first;
            for _ in 0..RING {
                dispatch_and_publish(&device, &mut recorder, &staging, core, token);
                token = token.next();
            }
        }
        let begin = Instant::now();
        for (core, token) in (0u32..).zip(&mut tokens) {
            for _ in 0..RING {
                let finished = recorder.commit(core, COND_FIN | token.raw());
                black_box(&finished.expect("the token is in flight"));
                *token = token.next();
            }
        }
        rounds.push(begin.elapsed());
        let mut world = world.world();
        let world = &mut *world;
        world.host.drain(&world.memory);
        for lane in &mut world.host.lanes {
            lane.bytes.clear();
        }
    }
    // The median leaves out rounds in which something else had the CPU.
    rounds.sort();
    let records = f64::from(setup.cores() * RING_SIZE);
    rounds[rounds.len() / 2].as_secs_f64() * 1e9 / records
}

/// Nanoseconds from a dispatch to the commit of what a core on another CPU published for it.
fn hand_off_ns() -> f64 {
    let mut setup = Setup::new(independent(0));
    setup.ring_size = RING_SIZE;
    setup.clusters = 1;
    setup.lane.buffers = 1024;
    setup.lane.records = 1000;
    let (world, header) = setup.build();
    let device = HostDevice::default();
    let control = attach(&device, &world, &setup);
    let mut state = RecordState::<RING>::new();
    let mut recorder = Recorder::attach(&control, 0, &mut state).expect("the layout is right");
    let staging = staging(&world, &header)[0];
    let (data_main_base, cond) = (Line::default(), Line::default());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut token = Token::FIRST;
            for _ in 0..HAND_OFFS {
                while data_main_base.0.load(Ordering::Acquire) != token.raw() {
                    std::hint::spin_loop();
                }
                // SAFETY: the ring of core 0.
                unsafe { publish(&device, staging, RING_SIZE, token, 7, &Times::default()) };
                cond.0.store(COND_FIN | token.raw(), Ordering::Release);
                token = token.next();
            }
        });
        let begin = Instant::now();
        for _ in 0..HAND_OFFS {
            let token = recorder
                .dispatched(0, Task::default())
                .expect("nothing is in flight");
            data_main_base.0.store(token.raw(), Ordering::Release);
            while cond.0.load(Ordering::Acquire) != COND_FIN | token.raw() {
                std::hint::spin_loop();
            }
            let finished = recorder.commit(0, COND_FIN | token.raw());
            black_box(&finished.expect("the token is in flight"));
        }
        begin.elapsed().as_secs_f64() * 1e9 / f64::from(HAND_OFFS)
    })
}

/// A register on a line of its own.
#[derive(Default)]
#[repr(align(64))]
struct Line(AtomicU32);

fn attach<'d>(
    device: &'d HostDevice,
    world: &TestDevice,
    setup: &Setup,
) -> Control<'d, HostDevice> {
    let address = world.world().memory.base();
    // SAFETY: the region was laid out in memory that outlives the bench.
    let control = unsafe { Control::attach(device, address, setup.chip, setup.ring_size) };
    control.expect("the layout is right")
}

/// Address of the staging ring of each core.
fn staging(world: &TestDevice, header: &ControlHeader) -> Vec<u64> {
    if header.capture_address == 0 {
        return Vec::new();
    }
    let capture: CaptureHeader = world.world().memory.read(header.capture_address);
    (0..capture.core_count)
        .map(|core| header.capture_address + capture.staging.at(core))
        .collect()
}

fn dispatch_and_publish(
    device: &HostDevice,
    recorder: &mut Recorder<'_, HostDevice, RING>,
    staging: &[u64],
    core: u32,
    token: Token,
) {
    let task = Task {
        task_id: u64::from(core),
        func_id: 1,
        tag: 1,
    };
    let dispatched = recorder.dispatched(core, task);
    assert_eq!(dispatched, Ok(token));
    if let Some(staging) = staging.get(core as usize) {
        // SAFETY: the ring of this core.
        unsafe { publish(device, *staging, RING_SIZE, token, 7, &Times::default()) };
    }
}

/// Ordinary memory, inlined.
#[derive(Debug, Default)]
struct HostDevice {
    ticks: AtomicU64,
}

fn word<T>(address: u64) -> *mut T {
    let address = usize::try_from(address).expect("an address of this process");
    std::ptr::with_exposed_provenance_mut(address)
}

impl Device for HostDevice {
    #[inline]
    unsafe fn load32(&self, address: u64) -> u32 {
        // SAFETY: the caller promises an aligned word of the regions.
        unsafe { AtomicU32::from_ptr(word(address)) }.load(Ordering::Relaxed)
    }

    #[inline]
    unsafe fn load64(&self, address: u64) -> u64 {
        // SAFETY: the caller promises an aligned word of the regions, which outlive the bench.
        unsafe { AtomicU64::from_ptr(word(address)) }.load(Ordering::Relaxed)
    }

    #[inline]
    unsafe fn store32(&self, address: u64, value: u32) {
        // SAFETY: the caller promises an aligned word of the regions, which outlive the bench.
        unsafe { AtomicU32::from_ptr(word(address)) }.store(value, Ordering::Relaxed);
    }

    #[inline]
    unsafe fn store64(&self, address: u64, value: u64) {
        // SAFETY: the caller promises an aligned word of the regions, which outlive the bench.
        unsafe { AtomicU64::from_ptr(word(address)) }.store(value, Ordering::Relaxed);
    }

    #[inline]
    fn clean(&self, _: u64) {
        compiler_fence(Ordering::SeqCst);
    }

    #[inline]
    fn invalidate(&self, _: u64) {
        compiler_fence(Ordering::SeqCst);
    }

    #[inline]
    fn barrier(&self, barrier: Barrier) {
        fence(match barrier {
            Barrier::Load => Ordering::Acquire,
            Barrier::Store => Ordering::Release,
        });
    }

    unsafe fn read_reg(&self, _: u64) -> u32 {
        unreachable!("recording reads no register")
    }

    unsafe fn write_reg(&self, _: u64, _: u32) {
        unreachable!("recording writes no register")
    }

    #[inline]
    fn ticks(&self) -> u64 {
        let ticks = self.ticks.load(Ordering::Relaxed) + 1;
        self.ticks.store(ticks, Ordering::Relaxed);
        ticks
    }

    fn relax(&self, _: &Awaited<'_>) {
        std::hint::spin_loop();
    }
}
