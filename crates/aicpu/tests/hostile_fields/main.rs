//! Every field that the host writes, wrong by itself: refused with a word that fits, or harmless.
//!
//! The device in miniature fails a test on any access outside the regions.

mod rows;
#[path = "../support/mod.rs"]
mod support;

use lanescope_abi::control::{AbiField, ControlHeader, DeviceError, TaskTensor};
use lanescope_abi::hash::{FIELDS, Field};
use lanescope_abi::{CaptureHeader, Section, TensorShape};
use lanescope_aicpu::Failure;
use lanescope_stress::{Effort, Tried};
use rows::{ROWS, Row};
use support::{Setup, TestDevice, chain};

/// Structures that the host writes and the AICPU program reads.
const WRITTEN: [&str; 9] = [
    "ControlHeader",
    "HostLine",
    "CoreConfig",
    "GraphTask",
    "TaskTensor",
    "TensorShape",
    "CaptureHeader",
    "LaneConfig",
    "LaneHost",
];

/// Addresses, where those of the registers are, and what is behind them: only the host can know them. And
/// a structure whose fields are looked at one by one.
const BELIEVED: [&str; 6] = [
    "capture_address",
    "registers",
    "pmu_registers",
    "address",
    "raw_bytes",
    "tensor",
];

/// A word of a field: a section has three.
#[derive(Clone, Copy)]
struct Word {
    field: &'static Field,
    offset_bytes: u64,
    bytes: u64,
}

fn fields() -> impl Iterator<Item = &'static Field> {
    let is_written = |field: &&Field| WRITTEN.contains(&field.structure);
    FIELDS
        .iter()
        .filter(is_written)
        .filter(|field| !BELIEVED.contains(&field.name))
}

fn words() -> impl Iterator<Item = Word> {
    fields().flat_map(|field| {
        let (step, parts): (usize, &[(usize, u64)]) = match field.bytes {
            1 => (1, &[(0, 1)]),
            2 => (2, &[(0, 2)]),
            8 => (8, &[(0, 8)]),
            // Sections, and else words of 4 bytes.
            bytes if bytes % size_of::<Section>() == 0 => (16, &[(0, 8), (8, 4), (12, 4)]),
            _ => (4, &[(0, 4)]),
        };
        (0..field.bytes).step_by(step).flat_map(move |first| {
            parts.iter().map(move |&(part, bytes)| Word {
                field,
                offset_bytes: (field.offset_bytes + first + part) as u64,
                bytes,
            })
        })
    })
}

fn row_of(field: &Field) -> &'static Row {
    let is_its = |row: &&Row| row.field == (field.structure, field.name);
    ROWS.iter().find(is_its).expect("every field has a row")
}

#[test]
fn every_field_of_the_layout_has_a_row() {
    assert_eq!(fields().count(), ROWS.len());
    for field in fields() {
        assert_eq!(row_of(field).field, (field.structure, field.name));
    }
}

/// Where the first item of a structure lies.
fn place(device: &TestDevice, header: &ControlHeader, structure: &str) -> u64 {
    let world = device.world();
    let base = world.memory.base();
    let capture = header.capture_address;
    let lanes: CaptureHeader = world.memory.read(capture);
    match structure {
        "ControlHeader" => base,
        "HostLine" => base + header.host.at(0),
        "CoreConfig" => base + header.cores.at(0),
        "GraphTask" => base + header.tasks.at(0),
        // Its shape comes first.
        "TaskTensor" | "TensorShape" => base + header.tensors.at(0),
        "CaptureHeader" => capture,
        // The lane of tensors has everything that a lane can have.
        "LaneConfig" => capture + lanes.lane_configs.at(lanes.lane_count - 1),
        "LaneHost" => capture + lanes.lane_hosts.at(lanes.lane_count - 1),
        other => unreachable!("{other} is none of the host's"),
    }
}

/// Values to put in the place of `right`, by number: boundaries first, then anything.
fn wrong(number: u64, right: u64) -> u64 {
    match number {
        0 => 0,
        1 => 1,
        2 => right.wrapping_add(1),
        3 => right.wrapping_sub(1),
        4 => u64::MAX,
        5 => 0x8000_0000_8000_0000,
        6 => right.wrapping_add(64),
        7 => right.wrapping_mul(2),
        8 => 1 << 20,
        seed => seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(23),
    }
}
const BOUNDARIES: u64 = 9;

/// Runs with one word wrong; `None` when the value was the right one.
fn run_with(word: Word, number: u64) -> Option<Result<(), Failure>> {
    let mut setup = Setup::new(chain(4, 24));
    setup.tensor_memory = vec![7; 4096];
    let tensor = TaskTensor {
        tensor: TensorShape {
            rank: 2,
            shape: [4, 6, 0, 0, 0],
            raw_shape: [16, 64, 0, 0, 0],
            offsets: [3, 5, 0, 0, 0],
            strides: [64, 1, 0, 0, 0],
            ..TensorShape::default()
        },
        raw_bytes: 4096,
        stages: 3,
        ..TaskTensor::default()
    };
    setup.tensors = vec![(0, tensor), (1, tensor)];
    let (device, header) = setup.build();
    let at = place(&device, &header, word.field.structure) + word.offset_bytes;
    {
        let world = device.world();
        let (aligned, shift) = (at & !7, at % 8 * 8);
        let most = u64::MAX >> (64 - word.bytes * 8);
        let whole = world.memory.load64(aligned);
        let right = whole >> shift & most;
        let value = wrong(number, right) & most;
        if value == right {
            return None;
        }
        let kept = whole & !(most << shift);
        world.memory.store64(aligned, kept | value << shift);
    }
    // What the host of this test thinks of its lanes is not what it wrote.
    device.world().host.lanes.clear();
    setup.run_on_raw(&device).pop()
}

fn judge(word: Word, number: u64) -> bool {
    let Some(result) = run_with(word, number) else {
        return false;
    };
    let row = row_of(word.field);
    let (structure, name) = row.field;
    let place = format!("{structure}.{name} + {}, value {number}", word.offset_bytes);
    match result {
        Ok(()) => assert!(!row.harmless.is_empty(), "{place} did no harm"),
        Err(failure) => {
            assert!(row.errors.contains(&failure.error), "{place}: {failure:?}");
            let named = if failure.error == DeviceError::AbiMismatch {
                row.abi
            } else {
                AbiField::None
            };
            assert_eq!(failure.field, named, "{place}");
        }
    }
    true
}

#[test]
fn every_boundary_value_of_every_field_is_refused_or_harmless() {
    let cases = words().map(|word| {
        (0..BOUNDARIES)
            .filter(|&number| judge(word, number))
            .count()
    });
    let cases: usize = cases.sum();
    assert!(cases > 700, "{cases} cases");
}

#[test]
fn any_value_of_any_field_is_refused_or_harmless() {
    let words: Vec<Word> = words().collect();
    let effort = Effort::new("any_value_of_any_field_is_refused_or_harmless", 1000);
    while let Some(seed) = effort.next_seed() {
        let number = seed.wrapping_mul(0x2545_F491_4F6C_DD1D) | 16;
        let choice = usize::try_from(number >> 33).expect("31 bits");
        let word = words[choice % words.len()];
        judge(word, number);
        effort.add(Tried::Bytes, word.bytes);
        effort.add(Tried::Runs, 1);
    }
}
