//! Capture files by somebody who knows the format and its checksums: nothing false is believed.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use crate::support::{Aligned, Parts, change, two_runs};
use lanescope_capture::format::{BlockKind, MAX_JSON_BYTES};
use lanescope_capture::{BlockHeader, Capture, CaptureError, FileHeader, Outcome};
use lanescope_stress::{Effort, Numbers, Tried};
use std::mem::offset_of;
use zerocopy::{FromBytes, IntoBytes};

/// Values around the edges of a field of `bytes` bytes that holds `right`.
fn boundaries(right: u64, bytes: usize) -> Vec<u64> {
    let most = u64::MAX >> (64 - bytes * 8);
    let mut values = vec![
        0,
        1,
        most,
        most - 7,
        most / 2,
        most / 2 + 1,
        1 << 20,
        1 << 30,
    ];
    values.extend([
        right.wrapping_add(1),
        right.wrapping_sub(1),
        right * 2,
        right + 64,
    ]);
    values.retain(|&value| value & most != right);
    values.iter().map(|value| value & most).collect()
}

/// Reads all there is to read.
fn read_all(bytes: &[u8]) -> Result<(u64, Vec<bool>), CaptureError> {
    let aligned = Aligned::new(bytes);
    let capture = Capture::from_bytes(aligned.bytes())?;
    let whole = capture
        .blocks()
        .iter()
        .map(|block| (64 + block.payload.len() as u64).next_multiple_of(8));
    assert_eq!(
        64 + whole.sum::<u64>() + capture.ignored_bytes(),
        bytes.len() as u64,
        "every byte is in a block or told as damage"
    );
    let mut ended = Vec::new();
    for run in capture.runs()? {
        let records = run.task_records().flatten().count();
        let items = run.edges().flatten().count() + run.task_ids().flatten().count();
        let clocks = run.clocks().flatten().count();
        assert!((records + items + clocks) * 8 <= bytes.len());
        assert!(run.functions().len() * 8 <= bytes.len());
        ended.push(run.is_ended() && run.verdict().is_some());
    }
    Ok((capture.ignored_bytes(), ended))
}

#[test]
fn the_sample_is_whole() {
    assert_eq!(read_all(&two_runs()).unwrap(), (0, vec![true, true]));
}

/// What becomes of a file header with one field changed.
#[test]
fn every_field_of_the_file_header_is_checked_or_means_nothing() {
    let fields = [
        (offset_of!(FileHeader, magic), 8, Some("it begins with")),
        (
            offset_of!(FileHeader, format_version),
            4,
            Some("capture format"),
        ),
        (
            offset_of!(FileHeader, header_bytes),
            4,
            Some("its headers have"),
        ),
        (
            offset_of!(FileHeader, block_header_bytes),
            4,
            Some("its headers have"),
        ),
        // The reader leaves it to others whether they can use the records of another ABI.
        (offset_of!(FileHeader, abi_version), 4, None),
        (offset_of!(FileHeader, abi_hash), 8, None),
        (offset_of!(FileHeader, reserved), 4, None),
    ];
    for (offset, bytes, expected) in fields {
        for value in boundaries(64, bytes) {
            let mut parts = Parts::of(&two_runs());
            let mut header = parts.file.as_bytes().to_vec();
            let unchanged = header.clone();
            header[offset..offset + bytes].copy_from_slice(&value.to_le_bytes()[..bytes]);
            if header == unchanged {
                continue;
            }
            parts.file = FileHeader::read_from_bytes(&header).unwrap();
            assert!(read_all(&parts.bytes()).is_err(), "the checksum is wrong");
            parts.seal();
            let result = read_all(&parts.bytes());
            match expected {
                None => assert_eq!(result.unwrap(), (0, vec![true, true])),
                Some(expected) => {
                    let text = result.unwrap_err().to_string();
                    assert!(
                        text.contains(expected) && text.contains("expected")
                            || text.contains("reads format"),
                        "{text}"
                    );
                }
            }
        }
    }
}

/// What a changed field of a block header does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Does {
    /// The block, at least, is left out, for a reason with these words.
    LeavesOut(&'static [&'static str]),
    /// The block counts for something else, and its run is not complete.
    Unends,
    /// The block is passed over, or refused as what it is not: nothing is read in its place.
    PassesOver,
    /// Nothing: it is for people, or written as 0.
    Nothing,
}

#[test]
fn every_field_of_a_block_header_is_checked_or_means_nothing() {
    let size = &["items", "cut in block"];
    let fields = [
        (
            offset_of!(BlockHeader, magic),
            4,
            Does::LeavesOut(&["header is damaged"]),
        ),
        (offset_of!(BlockHeader, kind), 4, Does::PassesOver),
        (offset_of!(BlockHeader, lane), 4, Does::Nothing),
        (offset_of!(BlockHeader, run_id), 4, Does::Unends),
        (offset_of!(BlockHeader, sequence), 8, Does::Nothing),
        (
            offset_of!(BlockHeader, ordinal),
            8,
            Does::LeavesOut(&["stands where block"]),
        ),
        (offset_of!(BlockHeader, count), 4, Does::LeavesOut(size)),
        (
            offset_of!(BlockHeader, record_bytes),
            4,
            Does::LeavesOut(size),
        ),
        (
            offset_of!(BlockHeader, payload_bytes),
            8,
            Does::LeavesOut(size),
        ),
        (offset_of!(BlockHeader, reserved), 8, Does::Nothing),
    ];
    let whole = Parts::of(&two_runs());
    for number in 0..whole.blocks.len() {
        for (offset, bytes, does) in fields {
            let right = u64::read_from_prefix(&whole.blocks[number].header.as_bytes()[offset..])
                .map_or(0, |(word, _)| word)
                & (u64::MAX >> (64 - bytes * 8));
            for value in boundaries(right, bytes) {
                let mut parts = whole.clone();
                parts.blocks[number].set_field(offset, &value.to_le_bytes()[..bytes]);
                let unsealed = read_all(&parts.bytes()).unwrap();
                assert!(unsealed.0 > 0, "the checksum is wrong");
                parts.seal();
                check(
                    &parts,
                    number,
                    does,
                    &format!("block {number} byte {offset}: {value:#x}"),
                );
            }
        }
    }
}

fn check(parts: &Parts, number: usize, does: Does, place: &str) {
    let bytes = parts.bytes();
    let result = read_all(&bytes);
    match does {
        Does::LeavesOut(words) => {
            let aligned = Aligned::new(&bytes);
            let capture = Capture::from_bytes(aligned.bytes()).unwrap();
            assert!(!capture.damage().is_empty(), "{place}");
            let reason = &capture.damage()[0].reason;
            assert!(
                words.iter().any(|word| reason.contains(word)),
                "{place}: {reason}"
            );
            assert!(capture.blocks().len() < parts.blocks.len());
        }
        Does::Unends => match result {
            // A JSON text that is now taken for another, or that its run has no more.
            Err(CaptureError::Malformed { .. }) => {}
            Err(error) => panic!("{place}: {error}"),
            Ok((ignored, ended)) => {
                assert!(
                    ignored > 0 || ended.contains(&false) || ended.len() != 2,
                    "{place}"
                );
            }
        },
        Does::PassesOver => match result {
            Err(CaptureError::Malformed { ordinal, .. }) => assert_eq!(ordinal, number as u64),
            result => drop(result.unwrap()),
        },
        Does::Nothing => assert_eq!(result.unwrap(), (0, vec![true, true]), "{place} {number}"),
    }
}

#[test]
fn blocks_left_out_doubled_or_from_another_run_are_no_complete_run() {
    let whole = Parts::of(&two_runs());
    let blocks = whole.blocks.len();
    for one in 0..blocks {
        let kind = BlockKind::from_raw(whole.blocks[one].header.kind);
        let mut without = whole.clone();
        without.blocks.remove(one);
        assert!(read_all(&without.bytes()).unwrap().0 > 0 || one + 1 == blocks);
        without.renumber();
        assert_ne!(
            read_all(&without.bytes()).unwrap(),
            (0, vec![true, true]),
            "{kind:?}"
        );
        for other in 0..=blocks {
            let mut doubled = whole.clone();
            doubled.blocks.insert(other, whole.blocks[one].clone());
            assert!(
                read_all(&doubled.bytes()).unwrap().0 > 0,
                "the numbers tell"
            );
            doubled.renumber();
            let (_, ended) = read_all(&doubled.bytes()).unwrap();
            assert!(ended.contains(&false), "{kind:?} at {other}");

            let mut moved = whole.clone();
            let part = moved.blocks.remove(one);
            moved.blocks.insert(other.min(blocks - 1), part);
            moved.renumber();
            let (ignored, _) = read_all(&moved.bytes()).unwrap();
            assert_eq!(ignored, 0);
        }
        // The same block, said to be of the other run.
        let mut spliced = whole.clone();
        spliced.blocks[one].header.run_id ^= 3 ^ 4;
        spliced.seal();
        let complete =
            matches!(read_all(&spliced.bytes()), Ok((0, ended)) if ended == [true, true]);
        assert!(!complete, "{kind:?}");
    }
}

#[test]
fn json_that_is_none_names_its_block() {
    let whole = Parts::of(&two_runs());
    let nested = "[".repeat(100_000);
    let texts: [(&[u8], &str); 9] = [
        (b"", "EOF"),
        (b"\xff\xfe", "expected"),
        (b"null", "expected"),
        (b"{\"run_id\":1e999}", "out of range"),
        (b"{\"run_id\":-1}", "u32"),
        (b"{\"run_id\":3,\"run_id\":3}", "duplicate field"),
        (b"{\"run_id\":NaN}", "expected"),
        (b"[{\"func_id\":99999999999,\"name\":\"\"}]", "expected"),
        (nested.as_bytes(), "expected"),
    ];
    for (number, part) in whole.blocks.iter().enumerate() {
        let kind = BlockKind::from_raw(part.header.kind);
        if !kind.is_json() {
            continue;
        }
        for (text, _expected) in texts {
            let mut parts = whole.clone();
            parts.blocks[number].set_payload(text.to_vec());
            parts.seal();
            let error = read_all(&parts.bytes()).unwrap_err();
            let CaptureError::Malformed {
                ordinal,
                kind: named,
                reason,
                ..
            } = &error
            else {
                panic!("{error}");
            };
            assert_eq!((*ordinal, *named), (number as u64, kind.name()));
            assert!(!reason.is_empty() && reason.len() < 500, "{reason}");
        }
    }
}

#[test]
fn a_run_that_names_another_is_refused() {
    let whole = Parts::of(&two_runs());
    for (number, kind) in [(0, BlockKind::Session), (9, BlockKind::Verdict)] {
        let mut parts = whole.clone();
        assert_eq!(BlockKind::from_raw(parts.blocks[number].header.kind), kind);
        let text = String::from_utf8(parts.blocks[number].payload.clone()).unwrap();
        let text = text.replacen("\"run_id\":3", "\"run_id\":4", 1);
        parts.blocks[number].set_payload(text.into_bytes());
        parts.seal();
        let error = read_all(&parts.bytes()).unwrap_err().to_string();
        assert!(error.contains("speaks of run 4, expected run 3"), "{error}");
    }
}

#[test]
fn text_beyond_the_limit_is_left_out_unread() {
    let mut parts = Parts::of(&two_runs());
    let length = usize::try_from(MAX_JSON_BYTES).unwrap();
    for (bytes, is_read) in [(length, true), (length + 1, false)] {
        let mut text = parts.blocks[0].payload.clone();
        text.resize(bytes, b' ');
        parts.blocks[0].set_payload(text);
        parts.seal();
        let aligned = Aligned::new(&parts.bytes());
        let capture = Capture::from_bytes(aligned.bytes()).unwrap();
        assert_eq!(capture.run(3).unwrap().is_some(), is_read);
        assert_eq!(capture.damage().is_empty(), is_read);
        if let Some(damage) = capture.damage().first() {
            assert!(
                damage.reason.contains("at most 67108864 are read"),
                "{}",
                damage.reason
            );
        }
    }
}

/// Any number of changes of any kind, sealed or not.
#[test]
fn a_file_with_any_changes_is_read_to_its_end() {
    let whole = Parts::of(&two_runs());
    let effort = Effort::new("a_file_with_any_changes_is_read_to_its_end", 2000);
    while let Some(seed) = effort.next_seed() {
        let mut numbers = Numbers::new(seed);
        let mut parts = whole.clone();
        for _ in 0..=numbers.below(4) {
            change(&mut parts, &mut numbers);
        }
        match numbers.below(3) {
            0 => parts.renumber(),
            1 => parts.seal(),
            _ => {}
        }
        let mut bytes = parts.bytes();
        for _ in 0..numbers.below(3) {
            let at = numbers.below(bytes.len());
            bytes[at] ^= 1 << numbers.below(8);
        }
        bytes.truncate(bytes.len() - numbers.below(200_usize).saturating_sub(150));
        effort.add(Tried::Bytes, bytes.len() as u64);
        if let Err(error) = read_all(&bytes) {
            assert!(error.to_string().len() < 600, "seed {seed}: {error}");
        }
    }
}

#[test]
fn an_outcome_that_is_none_is_refused() {
    let text = lanescope_capture::Verdict::new(1).to_json();
    let read = |text: &str| serde_json::from_str::<lanescope_capture::Verdict>(text);
    assert_eq!(read(&text).unwrap().outcome, Outcome::Exact);
    assert!(read(&text.replace("exact", "perfect")).is_err());
    assert!(read(&text.replace("\"dispatched\": 0", "\"dispatched\": -1")).is_err());
}
