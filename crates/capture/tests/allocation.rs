//! What reading a hostile capture allocates, counted by the allocator.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use lanescope_capture::format::MAX_PAYLOAD_BYTES;
use lanescope_capture::{Block, Capture};
use lanescope_stress::Counting;
use support::{Aligned, Part, Parts, two_runs};

#[global_allocator]
static ALLOCATOR: Counting = Counting::new();

/// Bytes allocated for each byte of the file; a run in every block takes the most.
const PER_BYTE: usize = 32;
/// Bytes allocated for any file.
const FOR_ANY: usize = 64 << 10;

fn assert_bounded(name: &str, bytes: &[u8]) {
    let aligned = Aligned::new(bytes);
    let taken = ALLOCATOR.most_during(|| {
        if let Ok(capture) = Capture::from_bytes(aligned.bytes()) {
            drop(capture.runs());
        }
    });
    let limit = bytes.len() * PER_BYTE + FOR_ANY;
    assert!(
        taken <= limit,
        "{name}: {taken} bytes for a file of {}",
        bytes.len()
    );
}

fn many(count: u32, part: impl Fn(u32) -> Part) -> Vec<u8> {
    let mut parts = Parts::of(&two_runs());
    parts.blocks = (0..count).map(part).collect();
    parts.renumber();
    parts.bytes()
}

/// One test: allocations of another would be counted too.
#[test]
fn memory_follows_the_length_of_the_file_whatever_it_says() {
    let whole = Parts::of(&two_runs());
    for number in 0..whole.blocks.len() {
        for bytes in [
            u64::MAX,
            u64::MAX / 2,
            MAX_PAYLOAD_BYTES,
            MAX_PAYLOAD_BYTES + 1,
            1 << 20,
        ] {
            let mut parts = whole.clone();
            let header = &mut parts.blocks[number].header;
            header.payload_bytes = bytes;
            header.count = u32::MAX;
            header.record_bytes = u32::MAX;
            parts.seal();
            assert_bounded("a length", &parts.bytes());
        }
    }
    let session = |run_id: u32, text: String| {
        let mut part = whole.blocks[0].clone();
        part.header.run_id = run_id;
        part.set_payload(text.into_bytes());
        part
    };
    let of_run = |run_id| session(run_id, format!("{{\"run_id\":{run_id}}}"));
    assert_bounded(
        "one run begun again and again",
        &many(20_000, |_| of_run(7)),
    );
    assert_bounded(
        "a run in every block",
        &many(20_000, |number| of_run(number + 1)),
    );
    let damaged = |_| {
        let mut part = of_run(7);
        part.header.count = 3;
        part
    };
    assert_bounded("nothing but damage", &many(20_000, damaged));
    let list = |key: &str, item: &str| {
        let items = vec![item; 200_000].join(",");
        many(1, |_| {
            session(7, format!("{{\"run_id\":7,\"{key}\":[{items}]}}"))
        })
    };
    assert_bounded("settings", &list("settings", "[\"\",\"\"]"));
    assert_bounded("core types", &list("core_types", "\"aic\""));
    assert_bounded("tokens", &list("first_tokens", "0"));
    assert_bounded("unknown keys", &list("unknown", "[[[]]]"));
    assert!(
        size_of::<Block<'_>>() <= 96,
        "the least block of a file has 64 bytes"
    );
}
