//! What committing costs the AICPU, and beside it what a hand-off between two CPUs costs.
//!
//! The device is ordinary memory, inlined. Its clock is a counter, so that the cost of reading the
//! machine's clock, which commit does once for each `COND` that proves something, stays out of it.

#![expect(clippy::print_stdout, reason = "a bench prints its rows")]

#[path = "../tests/support/mod.rs"]
mod support;

use lanescope_abi::control::ControlHeader;
use lanescope_abi::token::COND_FIN;
use lanescope_abi::{Awaited, Barrier, CaptureHeader, Chip, Device, PhaseKind, Token};
use lanescope_aicore::{Counters, Times, publish, publish_counted};
use lanescope_aicpu::Control;
use lanescope_aicpu::record::{Phase, RecordState, Recorder, Task};
use std::hint::black_box;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering, compiler_fence, fence};
use std::time::{Duration, Instant};
use support::{Setup, TestDevice, independent};

const RING: usize = 2;
const RING_SIZE: u32 = 2;
const ROUNDS: u32 = 2000;
const PASSES: u32 = 15;
const PHASES: u32 = 64;
const TARGET_NS: f64 = 25.0;
const HAND_OFFS: u32 = 200_000;

fn main() {
    let recorded = least(|| commit_ns(&SWIMLANE));
    let off = least(|| {
        commit_ns(&Recorded {
            level: 0,
            ..SWIMLANE
        })
    });
    println!(
        "row: commit, slot line near | <= {TARGET_NS} ns | {recorded:.1} ns | {:.2}",
        recorded / TARGET_NS
    );
    println!("row: commit, profiling off | one branch | {off:.1} ns | -");
    let staged = least(|| commit_ns(&STAGED_COUNTERS));
    println!("row: commit of counters that the core staged | - | {staged:.1} ns | -");
    let read = least(|| commit_ns(&READ_COUNTERS));
    println!("row: commit of counters, without its 10 register loads | - | {read:.1} ns | -");
    let phase = least(phase_ns);
    println!("row: commit of a phase | - | {phase:.1} ns | -");
    let both_ways = hand_off_ns();
    println!("row: hand-off between two CPUs, both ways | - | {both_ways:.0} ns | -");
}

/// What a run records.
struct Recorded {
    chip: Chip,
    level: u32,
    pmu_event: u32,
    /// Tokens in flight on a core.
    depth: u32,
}

const SWIMLANE: Recorded = Recorded {
    chip: Chip::A2a3,
    level: 4,
    pmu_event: 0,
    depth: RING_SIZE,
};
const STAGED_COUNTERS: Recorded = Recorded {
    chip: Chip::A5,
    level: 0,
    pmu_event: 2,
    depth: RING_SIZE,
};
/// The AICPU reads them before the core gets anything else.
const READ_COUNTERS: Recorded = Recorded {
    chip: Chip::A2a3,
    depth: 1,
    ..STAGED_COUNTERS
};

impl Recorded {
    fn setup(&self) -> Setup {
        let mut setup = Setup::new(independent(0));
        setup.chip = self.chip;
        setup.ring_size = RING_SIZE;
        setup.issue_depth = self.depth;
        setup.clusters = 8;
        setup.level = self.level;
        setup.pmu_event = self.pmu_event;
        setup.lane.buffers = 8;
        setup.lane.records = 1000;
        setup
    }
}

/// The least of several passes: whatever else runs on the core can only add to a pass.
fn least(pass: impl Fn() -> f64) -> f64 {
    (0..PASSES).map(|_| pass()).fold(f64::INFINITY, f64::min)
}

/// Nanoseconds of one commit, each `COND` proving one token, rotation included.
fn commit_ns(recorded: &Recorded) -> f64 {
    let setup = recorded.setup();
    let (world, header) = setup.build();
    let device = HostDevice::default();
    let control = attach(&device, &world, &setup);
    let mut state = RecordState::<RING>::new();
    let mut recorder = Recorder::attach(&control, 0, &mut state).expect("the layout is right");
    for core in 0..setup.cores() {
        let opened = recorder.open_counters(core, core);
        opened.expect("the thread has all cores");
    }
    let staging = staging(&world, &header);
    let mut tokens = vec![Token::FIRST; setup.cores() as usize];
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        for (core, first) in (0u32..).zip(&tokens) {
            let mut token = *first;
            for _ in 0..recorded.depth {
                let staging = staging.get(core as usize).copied();
                dispatch_and_publish(&device, &mut recorder, staging, core, token, recorded);
                token = token.next();
            }
        }
        let begin = Instant::now();
        for (core, token) in (0u32..).zip(&mut tokens) {
            for _ in 0..recorded.depth {
                let finished = recorder.commit(core, COND_FIN | token.raw());
                black_box(&finished.expect("the token is in flight"));
                *token = token.next();
            }
        }
        rounds.push(begin.elapsed());
        drain(&world);
    }
    median_ns(rounds, setup.cores() * recorded.depth)
}

/// Nanoseconds of one phase, rotation included.
fn phase_ns() -> f64 {
    let setup = SWIMLANE.setup();
    let (world, _) = setup.build();
    let device = HostDevice::default();
    let control = attach(&device, &world, &setup);
    let mut state = RecordState::<RING>::new();
    let mut recorder = Recorder::attach(&control, 0, &mut state).expect("the layout is right");
    let mut rounds = Vec::new();
    for round in 0..ROUNDS {
        let phase = Phase {
            kind: PhaseKind::Dispatch,
            begin_ticks: u64::from(round) * 10,
            end_ticks: u64::from(round) * 10 + 7,
            round,
            tasks: 3,
            hits: 3,
            misses: 1,
            task_id: u64::MAX,
        };
        let begin = Instant::now();
        for _ in 0..PHASES {
            recorder
                .phase(black_box(&phase))
                .expect("nothing is corrupt");
        }
        rounds.push(begin.elapsed());
        drain(&world);
    }
    median_ns(rounds, PHASES)
}

/// The host takes what is there and keeps none of it.
fn drain(world: &TestDevice) {
    let mut world = world.world();
    let world = &mut *world;
    world.host.drain(&world.memory);
    for lane in &mut world.host.lanes {
        lane.bytes.clear();
    }
}

/// The median leaves out rounds in which something else had the CPU.
fn median_ns(mut rounds: Vec<Duration>, records: u32) -> f64 {
    rounds.sort();
    rounds[rounds.len() / 2].as_secs_f64() * 1e9 / f64::from(records)
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
    staging: Option<u64>,
    core: u32,
    token: Token,
    recorded: &Recorded,
) {
    let task = Task {
        task_id: u64::from(core),
        func_id: 1,
        tag: 1,
    };
    let dispatched = recorder.dispatched(core, task);
    assert_eq!(dispatched, Ok(token));
    let Some(staging) = staging else { return };
    let times = Times::default();
    if recorded.pmu_event != 0 && recorded.chip == Chip::A5 {
        let counters = Counters::default();
        // SAFETY: the ring of this core, whose slots have two lines.
        unsafe {
            publish_counted(
                device,
                staging,
                RING_SIZE,
                token,
                7,
                Some(&times),
                &counters,
            );
        };
    } else {
        // SAFETY: the ring of this core, whose slots have one line.
        unsafe { publish(device, staging, RING_SIZE, token, 7, &times) };
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

    /// What a load costs on the chip is not for a bench on the host to say.
    #[inline]
    unsafe fn read_reg(&self, _: u64) -> u32 {
        1
    }

    unsafe fn write_reg(&self, _: u64, _: u32) {}

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
