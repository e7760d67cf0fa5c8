//! What reading hostile records JSON allocates, counted by the allocator.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use lanescope_stress::Counting;
use lanescope_trace::import;
use std::{env, fs, io, process};

#[global_allocator]
static ALLOCATOR: Counting = Counting::new();

/// Bytes allocated for each byte of the file; edges between tasks that are named once take the most.
const PER_BYTE: usize = 64;
/// Bytes allocated for any file.
const FOR_ANY: usize = 1 << 20;

fn assert_bounded(name: &str, text: &str) {
    let folder = env::temp_dir();
    let path = folder.join(format!("lanescope-allocation-{}.json", process::id()));
    fs::write(&path, text).unwrap();
    let files = [path.clone()];
    let taken = ALLOCATOR.most_during(|| {
        drop(import::write_capture(&files, &folder, io::sink()));
    });
    fs::remove_file(path).unwrap();
    let limit = text.len() * PER_BYTE + FOR_ANY;
    let length = text.len();
    assert!(
        taken <= limit,
        "{name}: {taken} bytes for a text of {length}"
    );
}

/// A document with a list under a key.
fn listed(key: &str, item: &str, count: usize) -> String {
    let items = vec![item; count].join(",");
    format!("{{\"version\":1,\"tasks\":[],\"{key}\":[{items}]}}")
}

fn task(fanout: &str) -> String {
    format!(
        "{{\"version\":1,\"tasks\":[{{\"task_id\":7,\"func_id\":2,\"core_id\":1,\
         \"core_type\":\"aiv\",\"start_time_us\":1,\"end_time_us\":2,\"fanout\":[{fanout}]}}]}}"
    )
}

/// One test: allocations of another would be counted too.
#[test]
fn memory_follows_the_length_of_the_text() {
    let many = 200_000;
    assert_bounded(
        "one successor again and again",
        &task(&vec!["0"; many].join(",")),
    );
    let successors: Vec<String> = (0..many).map(|id| id.to_string()).collect();
    assert_bounded("successors", &task(&successors.join(",")));
    assert_bounded("cores", &listed("core_to_thread", "0", many));
    assert_bounded("threads", &listed("core_to_thread", "4294967295", many));
    assert_bounded("phases", &listed("aicpu_scheduler_phases", "[]", many));
    let begun: Vec<String> = (0..many)
        .map(|tid| format!("{{\"ph\":\"B\",\"tid\":{tid},\"ts\":1}}"))
        .collect();
    assert_bounded("slices that begin", &format!("[{}]", begun.join(",")));
    assert_bounded("unknown keys", &listed("unknown", "[[],{}]", many));
    assert_bounded("a long key", &listed(&"k".repeat(many), "0", 1));
    assert_bounded("nesting", &listed("unknown", &"[".repeat(1_000_000), 1));
    let phase = "{\"start_time_us\":0,\"end_time_us\":0,\"phase\":\"\"}";
    let rows = vec![phase; many / 10].join(",");
    assert_bounded(
        "rows",
        &listed("aicpu_scheduler_phases", &format!("[{rows}]"), 1),
    );
}
