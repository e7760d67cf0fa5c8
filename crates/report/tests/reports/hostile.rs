//! Hostile files all the way: read, reported on, and exported, without a panic and in bounded time.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use crate::support::{self, Parts, change, two_runs};
use lanescope_abi::hash::FIELDS;
use lanescope_capture::format::BlockKind;
use lanescope_export::perfetto::{self, Arguments, Options};
use lanescope_export::records_json;
use lanescope_report::Report;
use lanescope_stress::{Effort, Numbers, Tried};
use lanescope_trace::{FindingKind, Outcome, Trace};
use std::io;
use std::path::{Path, PathBuf};

/// Numbers that a field of a text or a record may hold to do harm.
const NUMBERS: [&str; 10] = [
    "0",
    "1",
    "65535",
    "65536",
    "4294967295",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "-1",
];

/// A file that is removed when dropped.
struct Written(PathBuf);

impl Written {
    fn new(name: &str, bytes: &[u8]) -> Self {
        let path = std::env::temp_dir().join(format!("hostile-{}-{name}", std::process::id()));
        std::fs::write(&path, bytes).unwrap();
        Self(path)
    }
}

impl Drop for Written {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Reads a file and does all with it that there is to do; the trace, when it could be read.
fn use_all(path: &Path) -> Option<Trace> {
    let trace = match Trace::open(path) {
        Ok(trace) => trace,
        Err(error) => {
            let mut text = error.to_string();
            let name = path.file_name().unwrap().to_string_lossy();
            assert!(text.contains(&*name), "{text}");
            let mut cause = std::error::Error::source(&error);
            while let Some(error) = cause {
                text += &error.to_string();
                cause = error.source();
            }
            assert!(text.len() < 1000, "{text}");
            return None;
        }
    };
    let report = Report::of(&trace);
    assert!(report.text().len() < 1 << 20);
    assert!(report.to_json().starts_with('{'));
    for (arguments, aicpu_tracks) in [(Arguments::All, true), (Arguments::Three, false)] {
        let options = Options {
            arguments,
            aicpu_tracks,
            flows: aicpu_tracks,
        };
        // Times that the format cannot hold are refused.
        let _ = perfetto::write(&trace, &options, io::sink());
    }
    // So is a trace without tasks.
    let _ = records_json::write(&trace, io::sink());
    Some(trace)
}

#[test]
fn the_sample_is_exact_all_the_way() {
    let file = Written::new("sample.lanescope", &two_runs());
    let trace = use_all(&file.0).unwrap();
    assert_eq!((trace.task_count(), trace.notes()), (12, &[][..]));
    assert_eq!(trace.verdict().unwrap().outcome, Outcome::Exact);
}

/// Replaces a number in a text, if there is one.
fn replace_number(text: &mut Vec<u8>, numbers: &mut Numbers) {
    let is_start =
        |&at: &usize| text[at].is_ascii_digit() && (at == 0 || !text[at - 1].is_ascii_digit());
    let starts: Vec<usize> = (0..text.len()).filter(is_start).collect();
    if starts.is_empty() {
        return;
    }
    let start = starts[numbers.below(starts.len())];
    let length = text[start..]
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    let with = NUMBERS[numbers.below(NUMBERS.len())].bytes();
    text.splice(start..start + length, with);
}

/// Changes a number in a record, an item or a text of a block, as the format allows it.
fn change_number(parts: &mut Parts, numbers: &mut Numbers) {
    let number = numbers.below(parts.blocks.len());
    let part = &mut parts.blocks[number];
    let kind = BlockKind::from_raw(part.header.kind);
    if kind.is_json() {
        let mut text = part.payload.clone();
        replace_number(&mut text, numbers);
        part.set_payload(text);
        return;
    }
    let value = NUMBERS[numbers.below(8)].parse::<u64>().unwrap();
    let (at, bytes) = match kind {
        BlockKind::Records(_) => {
            let fields = FIELDS
                .iter()
                .filter(|field| field.structure == "TaskRecord");
            let fields: Vec<_> = fields.collect();
            let field = fields[numbers.below(fields.len())];
            let record = numbers.below(part.payload.len() / 64) * 64;
            (record + field.offset_bytes, field.bytes)
        }
        BlockKind::Edges => (numbers.below(part.payload.len() / 4) * 4, 4),
        _ => (numbers.below(part.payload.len() / 8) * 8, 8),
    };
    part.payload[at..at + bytes].copy_from_slice(&value.to_le_bytes()[..bytes]);
}

/// Captures whose checksums hold and whose numbers do not.
#[test]
fn captures_with_any_numbers_are_reported_and_exported() {
    let whole = Parts::of(&two_runs());
    let effort = Effort::new("captures_with_any_numbers_are_reported_and_exported", 1500);
    while let Some(seed) = effort.next_seed() {
        let mut numbers = Numbers::new(seed);
        let mut parts = whole.clone();
        for _ in 0..=numbers.below(5) {
            change_number(&mut parts, &mut numbers);
        }
        if numbers.below(3) == 0 {
            change(&mut parts, &mut numbers);
        }
        parts.renumber();
        let bytes = parts.bytes();
        effort.add(Tried::Bytes, bytes.len() as u64);
        use_all(&Written::new("numbers.lanescope", &bytes).0);
    }
}

#[test]
fn a_capture_with_records_put_in_or_taken_out_is_broken() {
    let whole = Parts::of(&two_runs());
    let blocks = 0..whole.blocks.len();
    let is_records = |&number: &usize| {
        let header = &whole.blocks[number].header;
        header.run_id == 4 && matches!(BlockKind::from_raw(header.kind), BlockKind::Records(_))
    };
    for number in blocks.filter(is_records) {
        for is_doubled in [true, false] {
            let mut parts = whole.clone();
            if is_doubled {
                parts.blocks.insert(number, whole.blocks[number].clone());
            } else {
                parts.blocks.remove(number);
            }
            parts.renumber();
            let file = Written::new("spliced.lanescope", &parts.bytes());
            let trace = use_all(&file.0).unwrap();
            let verdict = trace.verdict().unwrap();
            assert_eq!(verdict.outcome, Outcome::Broken);
            assert_eq!(verdict.findings[0].kind, FindingKind::Corruption);
            let held = if is_doubled { 15 } else { 9 };
            let text = format!("the verdict counts 12 records, the capture holds {held}");
            assert_eq!(verdict.findings[0].text, text);
        }
    }
}

#[test]
fn records_of_another_run_are_noted() {
    let mut parts = Parts::of(&two_runs());
    let is_records = |part: &support::Part| {
        matches!(BlockKind::from_raw(part.header.kind), BlockKind::Records(_))
    };
    let foreign = parts.blocks.iter().position(is_records).unwrap();
    let own = parts.blocks.iter().rposition(is_records).unwrap();
    parts.blocks[own].payload = parts.blocks[foreign].payload.clone();
    parts.seal();
    let file = Written::new("foreign.lanescope", &parts.bytes());
    let trace = use_all(&file.0).unwrap();
    let notes = trace
        .notes()
        .iter()
        .map(|note| (note.count, note.text.as_str()));
    assert!(
        notes
            .into_iter()
            .any(|note| note == (3, "records of another run"))
    );
}

/// Records as JSON with numbers, bytes and pieces changed.
#[test]
fn records_json_with_any_changes_is_read_or_refused() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../trace/tests/data");
    let whole = std::fs::read(data.join("full.l2_perf_records.json")).unwrap();
    let effort = Effort::new("records_json_with_any_changes_is_read_or_refused", 1000);
    while let Some(seed) = effort.next_seed() {
        let mut numbers = Numbers::new(seed);
        let mut text = whole.clone();
        for _ in 0..=numbers.below(5) {
            match numbers.below(8) {
                0 => {
                    let at = numbers.below(text.len());
                    text[at] = numbers.draw().to_le_bytes()[0];
                }
                1 => {
                    let at = numbers.below(text.len());
                    text.remove(at);
                }
                2 => {
                    let from = numbers.below(text.len());
                    let piece = text[from..(from + numbers.below(300)).min(text.len())].to_vec();
                    let to = numbers.below(text.len());
                    text.splice(to..to, piece);
                }
                _ => replace_number(&mut text, &mut numbers),
            }
        }
        if numbers.below(10) == 0 {
            text.truncate(numbers.below(text.len()));
        }
        effort.add(Tried::Bytes, text.len() as u64);
        use_all(&Written::new("changed.json", &text).0);
    }
}
