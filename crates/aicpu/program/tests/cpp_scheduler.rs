//! A scheduler in C++ drives the record API: the static library is linked with it into an AICPU
//! program of its own, which runs a graph on the chip in miniature, on both chips.

#[path = "../../tests/support/mod.rs"]
mod support;
mod table;

use lanescope_abi::capture::Policy;
use lanescope_abi::control::{DeviceError, TaskTensor};
use lanescope_abi::record::TensorShape;
use lanescope_abi::{Chip, Dtype, Kind, PhaseKind, PhaseRecord, Stage};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use support::{Fault, HostMode, Outcome, Setup, chain, counted};

/// Bytes of each task's tensor, and how many tasks have one.
const TENSOR_BYTES: u32 = 700;
const TENSORS: u32 = 100;
const PIECE_BYTES: u32 = 256;
const TASKS: u32 = 200;

/// Everything there is to record: counters, and of every second task a tensor at both stages.
fn everything(chip: Chip, level: u32) -> Setup {
    let mut setup = Setup::new(chain(5, TASKS));
    setup.chip = chip;
    setup.level = level;
    setup.pmu_event = 4;
    if !chip.info().registers.pmu.is_read_by_core {
        setup.issue_depth = 1;
    }
    setup.piece_bytes = PIECE_BYTES;
    let byte = |at: u32| at.wrapping_mul(0x9E37_79B9).to_le_bytes()[2];
    setup.tensor_memory = (0..TENSORS * TENSOR_BYTES).map(byte).collect();
    setup.tensors = (0..TENSORS).map(|n| (2 * n, vector(n))).collect();
    setup
}

fn vector(number: u32) -> TaskTensor {
    let length = [TENSOR_BYTES, 0, 0, 0, 0];
    TaskTensor {
        tensor: TensorShape {
            address: u64::from(number * TENSOR_BYTES),
            dtype: Dtype::Uint8 as u8,
            rank: 1,
            shape: length,
            raw_shape: length,
            strides: [1, 0, 0, 0, 0],
            ..TensorShape::default()
        },
        raw_bytes: u64::from(TENSOR_BYTES),
        stages: 1 << Stage::BeforeDispatch as u32 | 1 << Stage::AfterCompletion as u32,
        ..TaskTensor::default()
    }
}

fn execute(setup: &Setup) -> Outcome {
    let program = build(setup.chip);
    let (device, header) = setup.build();
    let result = match table::run(&program, &device) {
        0 => Ok(()),
        error => Err(failure(error)),
    };
    setup.outcome(&device, &header, vec![result])
}

#[test]
fn a_cpp_scheduler_gets_every_task_recorded_on_both_chips() {
    for chip in Chip::ALL {
        let mut setup = Setup::new(chain(5, TASKS));
        setup.chip = chip;
        for level in [2, 3] {
            setup.level = level;
            let outcome = execute(&setup);
            outcome.assert_exact(&setup);
            assert_eq!(outcome.phases.is_empty(), level == 2);
            let idle = PhaseKind::Idle as u16;
            let has_idled = outcome.phases.iter().any(|record| record.phase == idle);
            assert_eq!(has_idled, level == 3);
        }
    }
}

#[test]
fn it_records_phases_counters_and_tensors_too() {
    for chip in Chip::ALL {
        for level in [0, 3, 4] {
            let setup = everything(chip, level);
            let outcome = execute(&setup);
            outcome.assert_exact(&setup);
            for kind in setup.kinds() {
                let recorded = match kind {
                    Kind::TASK => outcome.records.len(),
                    Kind::PHASE => outcome.phases.len(),
                    Kind::PMU => outcome.pmu.len(),
                    _ => outcome.tensors.len(),
                };
                assert_eq!(outcome.by_kind[&kind].total, recorded as u64, "{kind}");
            }
            assert_phases(&outcome.phases, level);
            assert_counters(&setup, &outcome);
            assert_tensors(&setup, &outcome);
        }
    }
}

/// Numbered, apart and in order; every task completed, dispatched and, at level 4, submitted in one.
fn assert_phases(phases: &[PhaseRecord], level: u32) {
    let kind = |record: &PhaseRecord| PhaseKind::from_raw(record.phase).expect("a phase");
    let mut end_ticks = 0;
    let mut tasks: HashMap<PhaseKind, u32> = HashMap::new();
    for (sequence, record) in (0u32..).zip(phases) {
        assert_eq!(
            (record.sequence, record.run_id, record.thread),
            (sequence, 7, 0)
        );
        assert!(end_ticks <= record.begin_ticks, "{record:?}");
        assert!(record.begin_ticks <= record.end_ticks, "{record:?}");
        end_ticks = record.end_ticks;
        *tasks.entry(kind(record)).or_default() += record.tasks;
    }
    let of = |kind: PhaseKind| tasks.get(&kind).copied().unwrap_or(0);
    let (scheduled, submitted) = (u32::from(level >= 3), u32::from(level >= 4));
    assert_eq!(of(PhaseKind::Complete), scheduled * TASKS);
    assert_eq!(of(PhaseKind::Dispatch), scheduled * TASKS);
    assert_eq!(of(PhaseKind::OrchInsert), submitted * TASKS);
    assert_eq!(of(PhaseKind::OrchScopeEnd), submitted);
    // A round copies no more than a piece, whatever the number of tensors.
    let rounds = of(PhaseKind::Dump);
    assert!(rounds * PIECE_BYTES >= scheduled * TENSORS * 2 * TENSOR_BYTES);
    assert_eq!(rounds > 0, level >= 3);
    let hits: u32 = phases.iter().map(|record| record.hits).sum();
    assert_eq!(hits, scheduled * TASKS);
    let submissions = phases
        .iter()
        .filter(|record| kind(record).is_of_orchestrator());
    for (submission, record) in (0u32..).zip(submissions) {
        let task_id = match kind(record) {
            PhaseKind::OrchInsert => 1000 + u64::from(submission),
            _ => u64::MAX,
        };
        assert_eq!((record.round, record.task_id), (submission, task_id));
    }
}

fn assert_counters(setup: &Setup, outcome: &Outcome) {
    assert_eq!(outcome.pmu.len(), setup.graph.tasks.len());
    let used = setup.chip.info().registers.pmu.counters.len();
    for record in &outcome.pmu {
        let (mut counters, total_cycles) = counted(record.task_id);
        counters[used..].fill(0);
        assert_eq!(
            (record.counters, record.total_cycles),
            (counters, total_cycles)
        );
    }
}

fn assert_tensors(setup: &Setup, outcome: &Outcome) {
    let mut stages: HashMap<u64, Vec<u8>> = HashMap::new();
    let bytes = TENSOR_BYTES as usize;
    for (record, payload) in &outcome.tensors {
        stages.entry(record.task_id).or_default().push(record.stage);
        let number = usize::try_from((record.task_id - 1000) / 2).expect("few tasks");
        assert_eq!(payload, &setup.tensor_memory[number * bytes..][..bytes]);
        let ran = outcome.ran.iter().find(|ran| ran.task_id == record.task_id);
        let ran = ran.expect("every task ran");
        assert_eq!(
            (u32::from(record.core), record.token),
            (ran.core, ran.token)
        );
        let is_before = record.stage == Stage::BeforeDispatch as u8;
        assert_eq!(record.ticks < ran.begin, is_before, "{record:?}");
    }
    assert_eq!(stages.len(), TENSORS as usize);
    assert!(stages.values().all(|stages| stages == &[0, 1]));
}

/// Run, round and depth of each record; see `QueueDepth` in the C++ source.
#[test]
fn it_records_a_kind_of_its_own() {
    let kind = Kind::own(0x100).expect("of others");
    for level in [0, 4] {
        let mut setup = Setup::new(chain(5, TASKS));
        setup.level = level;
        setup.own = Some(kind);
        let outcome = execute(&setup);
        outcome.assert_exact(&setup);
        let records = outcome.own.chunks_exact(64);
        assert_eq!(outcome.by_kind[&kind].total, records.len() as u64);
        let mut deepest = 0;
        for (round, record) in (1u64..).zip(records) {
            let word = |at: usize| {
                let bytes = record[at * 8..][..8].try_into();
                u64::from_le_bytes(bytes.expect("eight bytes"))
            };
            assert_eq!(word(0), round << 32 | 7);
            deepest = deepest.max(word(1));
            assert_eq!(record[16..], [0; 48]);
        }
        // Chains side by side: at most so many tasks can be ready.
        assert_eq!(deepest, 5);
    }
}

#[test]
fn a_tensor_waits_for_room() {
    let mut setup = everything(Chip::A5, 4);
    setup.host = HostMode::After(300);
    let outcome = execute(&setup);
    outcome.assert_exact(&setup);
    assert_tensors(&setup, &outcome);
    let blocked = PhaseKind::Blocked as u16;
    assert!(outcome.phases.iter().any(|record| record.phase == blocked));
}

#[test]
fn tensors_without_room_are_dropped_and_counted() {
    let mut setup = everything(Chip::A2a3, 4);
    setup.tensor_lane.policy = Policy::DropNewest;
    setup.host = HostMode::After(4000);
    setup.lane.buffers = 64;
    let outcome = execute(&setup);
    assert_eq!(outcome.results, [Ok(())]);
    let counters = outcome.by_kind[&Kind::TENSOR];
    let dropped: u64 = counters.dropped.iter().sum();
    assert!(dropped > 0);
    assert_eq!(counters.total, u64::from(TENSORS) * 2);
    assert_eq!(counters.total, outcome.tensors.len() as u64 + dropped);
}

#[test]
fn its_failures_reach_the_status_line_and_what_was_recorded_is_kept() {
    let program = build(Chip::A2a3);
    let mut setup = Setup::new(chain(5, 200));
    setup.faults = vec![(1, Fault::Cond(3, 12345))];
    let (device, header) = setup.build();
    let status = table::run(&program, &device);
    assert_eq!(status, DeviceError::BadCond as i32);
    let outcome = setup.outcome(&device, &header, vec![Err(failure(status))]);
    let line = outcome.first_failure();
    assert_eq!((line.error, line.core), (DeviceError::BadCond as u32, 1));
    assert!(!outcome.records.is_empty());
    assert_eq!(outcome.records.len() as u64, outcome.counters.total);
}

fn failure(error: i32) -> lanescope_aicpu::Failure {
    let error = u32::try_from(error).ok().and_then(DeviceError::from_raw);
    lanescope_aicpu::Failure::new(error.expect("an entry returns a device error"))
}

/// The C++ scheduler and the static library as one program; built once for each chip.
fn build(chip: Chip) -> PathBuf {
    static BUILT: Mutex<Vec<Chip>> = Mutex::new(Vec::new());
    let mut built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cpp-scheduler");
    let program = folder.join(format!("{}.so", chip.name()));
    if built.contains(&chip) {
        return program;
    }
    let library = static_library(&folder, chip);
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let compiler = std::env::var_os("CXX").unwrap_or_else(|| "c++".into());
    let flags = "-std=c++17 -O2 -shared -fPIC -Wall -Wextra -Werror -o";
    run(Command::new(compiler)
        .args(flags.split(' '))
        .arg(&program)
        .arg(package.join("tests/cpp_scheduler.cpp"))
        .arg("-I")
        .arg(package.join("../include"))
        .arg("-I")
        .arg(package.join("../../abi/include"))
        .arg("-Wl,--whole-archive")
        .arg(library)
        .args(["-Wl,--no-whole-archive", "-lpthread", "-ldl"]));
    built.push(chip);
    program
}

/// The program without our executor: only the record API and `lanescope_bind` are left.
fn static_library(folder: &Path, chip: Chip) -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    run(Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--offline", "--no-default-features"])
        .arg("--manifest-path")
        .arg(manifest)
        .arg("--target-dir")
        .arg(folder)
        // Compiling takes longer than what runs here.
        .env("CARGO_PROFILE_DEV_OPT_LEVEL", "0")
        .env("CARGO_PROFILE_DEV_DEBUG", "0")
        .env("LANESCOPE_CHIP", chip.name())
        .env("LANESCOPE_RING_SIZE", "2"));
    folder.join("debug/liblanescope_aicpu_program.a")
}

fn run(command: &mut Command) {
    let status = command.status().expect("the tool can be started");
    assert!(status.success(), "{command:?} failed ({status})");
}
