//! Files that were changed at random are read or refused, and leave nothing behind.

use super::{Folder, data};
use lanescope_stress::{Effort, Numbers, Tried};
use lanescope_trace::{Trace, TraceError, import};
use std::fs;

/// Words that mean something to a reader.
const WORDS: [&str; 14] = [
    "\"",
    "{",
    "}",
    "[",
    "]",
    ",",
    "-1",
    "0",
    "1e308",
    "18446744073709551615",
    "null",
    "\\u0000",
    "\n",
    "\"tasks\"",
];

fn changed(bytes: &[u8], numbers: &mut Numbers) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..=numbers.below(4_u64) {
        let at = numbers.below(bytes.len());
        match numbers.below(4_u64) {
            0 => bytes[at] = numbers.below(256_u64).to_le_bytes()[0],
            1 => bytes.truncate(at.max(1)),
            2 => {
                let word = numbers.one_of(&WORDS);
                bytes.splice(at..at, word.bytes());
            }
            _ => {
                let end = (at + numbers.below(64_usize)).min(bytes.len());
                let part: Vec<u8> = bytes[at..end].to_vec();
                bytes.splice(at..at, part);
            }
        }
    }
    bytes
}

#[test]
fn a_file_changed_at_random_is_read_or_refused() {
    let sources = [
        data("full.l2_perf_records.json"),
        data("import/chip_swimlane_records.json"),
        data("import/merged_swimlane.json"),
        data("import/pmu.csv"),
        data("import/tensor_dump.json"),
        data("import/graph/deps.json"),
    ]
    .map(|path| fs::read(path).unwrap());
    let folder = Folder::new();
    let effort = Effort::new("a_file_changed_at_random_is_read_or_refused", 600);
    while let Some(seed) = effort.next_seed() {
        let mut numbers = Numbers::new(seed);
        let source = &sources[numbers.below(sources.len())];
        let bytes = changed(source, &mut numbers);
        let path = folder.file("given", &bytes);
        let mut out = Vec::new();
        match import::write_capture(std::slice::from_ref(&path), &folder.0, &mut out) {
            Ok(()) => {
                let kept = folder.file("kept", &out);
                let trace = Trace::open(&kept).unwrap();
                assert_eq!(
                    trace.tasks().count() as u64,
                    trace.task_count(),
                    "seed {seed}"
                );
                fs::remove_file(kept).unwrap();
            }
            Err(
                TraceError::Malformed { .. }
                | TraceError::UnknownFormat { .. }
                | TraceError::OnlyCompanions { .. }
                | TraceError::Read { .. },
            ) => {}
            Err(other) => panic!("seed {seed}: {other:?}"),
        }
        assert_eq!(fs::read_dir(&folder.0).unwrap().count(), 1, "seed {seed}");
        effort.add(Tried::Bytes, bytes.len() as u64);
    }
}
