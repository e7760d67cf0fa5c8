//! Every field that the device writes holds nonsense once, at every moment of a run: what is found.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod rows;
#[path = "../support/mod.rs"]
mod support;

use When::{Before, Between, Last, Stopping};
use lanescope_abi::hash::{FIELDS, Field};
use lanescope_capture::{Finding, Outcome};
use lanescope_profiling::LaneSettings;
use lanescope_stress::{Effort, Numbers, Tried};
use rows::{MOMENTS, ROWS, Row, When};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use support::{Bed, DeviceThread, Moment, Run};

const SETTINGS: LaneSettings = LaneSettings {
    buffers: 4,
    records_per_buffer: 8,
    policy: lanescope_abi::capture::Policy::Block,
    block_limit: std::time::Duration::from_secs(20),
    arena_bytes: 0,
};
const THREADS: u32 = 2;
const CORES: u32 = 4;
const RECORDS: u32 = 40;

/// Structures of the capture region that the device writes and the host reads. `TaskSlot` is the
/// device's alone.
const WRITTEN: [&str; 4] = ["LaneDevice", "ReadyEntry", "CommitCounters", "TaskRecord"];

/// The fields of the layout that the device writes and the host reads.
fn fields() -> impl Iterator<Item = &'static Field> {
    let is_written = |field: &&Field| WRITTEN.contains(&field.structure);
    FIELDS.iter().filter(is_written)
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

/// A word of a field: an array has several.
#[derive(Clone, Copy)]
struct Word {
    field: &'static Field,
    offset_bytes: u64,
    bytes: u64,
}

fn words() -> impl Iterator<Item = Word> {
    fields().flat_map(|field| {
        let bytes = field.bytes.min(8);
        (0..field.bytes).step_by(bytes).map(move |within| Word {
            field,
            offset_bytes: (field.offset_bytes + within) as u64,
            bytes: bytes as u64,
        })
    })
}

impl Word {
    /// Where it lies in the region: in the line of the thread's lane, in the counters of one of its
    /// cores, in its newest ready entry, or in the last record of that.
    fn place(&self, thread: &DeviceThread) -> u64 {
        let begin = match self.field.structure {
            "LaneDevice" => thread.device,
            "CommitCounters" => thread.header.counters.at(thread.lane * CORES + 2),
            "ReadyEntry" => thread.newest_entry(),
            "TaskRecord" => thread.newest_record(),
            other => unreachable!("{other} is none of the device's"),
        };
        begin + self.offset_bytes
    }

    fn most(&self) -> u64 {
        u64::MAX >> (64 - self.bytes * 8)
    }

    /// Puts a wrong value there; `false` when it happens to be the right one.
    fn overwrite(&self, thread: &DeviceThread, number: u64) -> bool {
        let offset = self.place(thread);
        let cell = thread.memory.word64(offset & !7);
        let shift = offset % 8 * 8;
        let whole = cell.load(Ordering::Acquire);
        let right = whole >> shift & self.most();
        let wrong = wrong(number, right) & self.most();
        let kept = whole & !(self.most() << shift);
        cell.store(kept | wrong << shift, Ordering::Release);
        wrong != right
    }
}

/// Values to put in the place of `right`, by number: boundaries first, then anything.
fn wrong(number: u64, right: u64) -> u64 {
    match number {
        0 => right.wrapping_add(1),
        1 => right.wrapping_sub(1),
        2 => 0,
        3 => u64::MAX,
        4 => 0x8000_8000_8000_8080,
        5 => right.wrapping_add(4),
        seed => seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(23),
    }
}
const BOUNDARIES: u64 = 6;

/// An honest run, one in which the word is overwritten, and an honest one; `None` when nothing was
/// changed.
fn run_with(is_coherent: bool, when: When, word: Word, number: u64) -> Option<[Run; 2]> {
    let mut bed = Bed::new(is_coherent, THREADS, CORES, SETTINGS);
    let before = bed.puppet_run(RECORDS, |_, _| ());
    assert_eq!(before.verdict.outcome, Outcome::Exact);
    before.assert_sound();
    let has_changed = Arc::new(AtomicBool::new(false));
    if when == Before {
        has_changed.store(word.overwrite(&bed.thread(0), number), Ordering::Relaxed);
    }
    let (mut is_done, changes) = (false, Arc::clone(&has_changed));
    let run = bed.puppet_run(RECORDS, move |puppet, moment| {
        let is_now = match when {
            Before => false,
            Between => moment == Moment::Running && puppet.looks == 6,
            Last => moment == Moment::Last,
            Stopping => moment == Moment::Stopping,
        };
        if is_now && !is_done {
            // So that there is an entry that the host has not read.
            if when == Between {
                puppet.threads[0].flush();
            }
            changes.store(
                word.overwrite(&puppet.threads[0], number),
                Ordering::Relaxed,
            );
            is_done = true;
        }
    });
    let after = bed.puppet_run(RECORDS, |_, _| ());
    // A run begins in order, whatever the last one left; only a counter is never put back.
    let has_wrapped = |finding: &Finding| finding.text.contains("ran backwards");
    assert!(after.verdict.findings.iter().all(has_wrapped));
    assert!(word.field.name == "total" || after.verdict.outcome == Outcome::Exact);
    has_changed.load(Ordering::Relaxed).then_some([run, after])
}

/// Runs and judges one case; says whether it was one.
fn try_one(is_coherent: bool, when: When, word: Word, number: u64) -> bool {
    let Some([run, after]) = run_with(is_coherent, when, word, number) else {
        return false;
    };
    run.assert_sound();
    after.assert_sound();
    let row = row_of(word.field);
    let findings = &run.verdict.findings;
    let place = format!(
        "{}.{} at {when:?}, value {number}, coherent {is_coherent}: {findings:?}",
        word.field.structure, word.field.name
    );
    if findings.is_empty() {
        assert!(row.harmless.0.contains(&when), "{place}");
        assert!(!row.harmless.1.is_empty());
    } else {
        let is_expected = |finding: &Finding| row.found.contains(&finding.kind);
        assert!(findings.iter().all(is_expected), "{place}");
        let is_named = |finding: &Finding| row.words.iter().any(|word| finding.text.contains(word));
        assert!(findings.iter().any(is_named), "{place}");
        assert_eq!(run.verdict.outcome, Outcome::Broken, "{place}");
    }
    true
}

#[test]
fn every_boundary_value_of_every_field_is_found_or_harmless() {
    let mut cases = 0;
    for word in words() {
        for when in MOMENTS {
            for number in 0..BOUNDARIES {
                for is_coherent in [true, false] {
                    cases += u32::from(try_one(is_coherent, when, word, number));
                }
            }
        }
    }
    // A value may be the right one already, but not many are.
    assert!(cases > 900, "{cases} cases");
}

#[test]
fn any_value_of_any_field_is_found_or_harmless() {
    let effort = Effort::new("any_value_of_any_field_is_found_or_harmless", 150);
    let words: Vec<Word> = words().collect();
    while let Some(seed) = effort.next_seed() {
        let mut numbers = Numbers::new(seed);
        let word = words[numbers.below(words.len())];
        let when = MOMENTS[numbers.below(MOMENTS.len())];
        let is_coherent = numbers.below(2) == 0;
        let number = numbers.draw() | 8;
        effort.add(Tried::Bytes, word.bytes);
        effort.add(Tried::Runs, 1);
        try_one(is_coherent, when, word, number);
    }
}
