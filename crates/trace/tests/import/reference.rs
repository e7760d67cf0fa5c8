//! The reference's `pmu.csv` and `tensor_dump`.

use super::{Folder, read};
use lanescope_trace::{Role, Stage, Trace, TraceError};
use std::fs;

const PMU: &str = "thread_id,core_id,task_id,func_id,core_type,pmu_total_cycles,vec_busy_cycles,\
    cube_busy_cycles,scalar_busy_cycles,mte1_busy_cycles,mte2_busy_cycles,mte3_busy_cycles,\
    icache_miss,icache_req,event_type\n";
const ROW: &str = "1,3,0x0000000100000007,2,1,987654321098,1,2,3,4,5,6,7,4294967295,2\n";

#[test]
fn counters_keep_their_slots() {
    let trace = read("pmu.csv", format!("{PMU}{ROW}")).unwrap();
    let rows: Vec<_> = trace.pmu_rows().collect();
    let [row] = rows[..] else { panic!("{rows:?}") };
    assert_eq!((row.thread, row.core, row.task_id), (1, 3, 0x1_0000_0007));
    assert_eq!(
        (row.func_id, row.total_cycles, row.event),
        (2, 987_654_321_098, 2)
    );
    assert_eq!(row.counters[..8], [1, 2, 3, 4, 5, 6, 7, u32::MAX]);
    assert_eq!(trace.session().cores.len(), 4);
}

#[test]
fn a_malformed_row_is_named_with_its_place() {
    let cases = [
        (ROW.replace("1,3,", "1,x,"), 3, "`x`, expected a core"),
        (
            ROW.replace(",2\n", ",2,9\n"),
            68,
            "more fields than columns",
        ),
        (ROW.replace(",4294967295,2\n", "\n"), 54, "the line ends"),
        (
            ROW.replace("0x0000000100000007", "7"),
            5,
            "expected a task id",
        ),
        (
            ROW.replace(",2\n", ",4\n"),
            66,
            "`4`, expected 2, whose counters these are",
        ),
        (ROW.replace(",2\n", ",\n"), 66, "an event type"),
        (ROW.replace(",2,1,", ",2,77,"), 26, "a core type, 0 or 1"),
        (
            format!("{ROW}{}", ROW.replace(",2,1,", ",2,0,")),
            26,
            "that other rows say of this core",
        ),
        (
            ROW.replace(",2\n", &" ".repeat(5000)),
            4096,
            "more than 4096 bytes",
        ),
    ];
    for (row, column, expected) in cases {
        let refused = read("pmu.csv", format!("{PMU}{row}")).unwrap_err();
        let TraceError::Malformed {
            line,
            column: found,
            message,
            ..
        } = &refused
        else {
            panic!("{refused:?}");
        };
        let lines = row.trim_end().lines().count();
        assert_eq!(*line, 1 + lines, "{refused}");
        assert_eq!(*found, column, "{refused}");
        assert!(message.contains(expected), "{refused}");
    }
}

#[test]
fn counters_of_no_event_type_are_named() {
    for (header, column, expected) in [
        (
            PMU.replace("cube_busy", "cubic").replace("icache_req", "x"),
            78,
            "`cubic_cycles`, `x`, expected counters that an event type of the chip has",
        ),
        (
            PMU.replace("icache_miss,icache_req", "icache_req,icache_miss"),
            165,
            "no event type has these counters; 2, the nearest, has vec_busy_cycles,cube_busy_cycles,",
        ),
        (
            PMU.replace(",icache_req", ""),
            177,
            "2, the nearest, has vec_",
        ),
    ] {
        let refused = read("pmu.csv", format!("{header}{ROW}")).unwrap_err();
        let TraceError::Malformed {
            column: found,
            message,
            ..
        } = &refused
        else {
            panic!("{refused:?}");
        };
        assert!(message.contains(expected), "{refused}");
        assert_eq!(*found, column, "{refused}");
    }
}

#[test]
fn only_a_row_that_was_cut_asks_for_the_whole_file() {
    for (row, is_cut) in [
        (",4,5,6", true),
        (",4,5,6,", true),
        (",4,5,6\n", false),
        (",4,x", false),
        (",4,5,6,7,8,3\n", false),
    ] {
        let row = ROW.replace(",4,5,6,7,4294967295,2\n", row);
        let refused = read("pmu.csv", format!("{PMU}{row}")).unwrap_err();
        assert_eq!(refused.hint().is_some(), is_cut, "{refused}");
    }
}

#[test]
fn lines_may_end_as_other_programs_end_them() {
    let whole = format!("{PMU}{ROW}{ROW}");
    for text in [
        whole.trim_end().to_owned(),
        whole.replace('\n', "\r\n"),
        format!("{whole}\n"),
        format!("{whole}\r\n"),
    ] {
        assert_eq!(read("pmu.csv", text).unwrap().pmu_rows().count(), 2);
    }
}

const MANIFEST: &str = r#"{"run_dir": "tensor_dump",
    "bin_format": {"type": "logical_contiguous", "byte_order": "little_endian"},
    "dropped_records": 3, "bin_file": "tensor_dump.bin", "tensors": [
    {"task_id": "0x0000000000000065", "subtask_id": 2, "func_id": 1, "role": "output",
     "stage": "after_completion", "arg_index": 2, "dtype": "FLOAT16", "is_contiguous": true,
     "shape": [3, 4], "raw_shape": [8, 4], "offsets": [2, 0], "numel": 12, "bin_offset": 10,
     "bin_size": 24, "truncated": false, "overwritten": false},
    {"task_id": "0x0000000000000064", "subtask_id": 0, "func_id": 1, "role": "input",
     "stage": "before_dispatch", "arg_index": 0, "dtype": "FLOAT32", "is_contiguous": true,
     "shape": [], "raw_shape": [], "offsets": [], "numel": 1, "bin_offset": 6, "bin_size": 4,
     "truncated": false, "overwritten": false}]}"#;

#[test]
fn a_dump_keeps_shapes_and_bytes() {
    let folder = Folder::new();
    let bytes: Vec<u8> = (0..34).collect();
    folder.file("tensor_dump.bin", &bytes);
    let trace = Trace::open(folder.file("tensor_dump.json", MANIFEST)).unwrap();
    let rows: Vec<_> = trace.tensors().collect();
    assert_eq!(rows.len(), 2);
    // In the order in which they were collected, which is that of their bytes.
    let (scalar, matrix) = (&rows[0], &rows[1]);
    assert_eq!(
        (scalar.task_id, scalar.role, scalar.rank),
        (0x64, Role::Input, 0)
    );
    assert_eq!(trace.payload(scalar).unwrap().to_vec(), bytes[6..10]);
    assert_eq!(
        (matrix.stage, matrix.arg_index),
        (Stage::AfterCompletion, 2)
    );
    assert_eq!(
        (matrix.shape(), matrix.offsets()),
        (&[3, 4][..], &[2, 0][..])
    );
    assert!(matrix.is_contiguous());
    assert_eq!(trace.payload(matrix).unwrap().to_vec(), bytes[10..34]);
    assert_eq!(trace.notes()[0].count, 3);
}

#[test]
fn a_payload_that_is_cut_or_elsewhere_is_refused() {
    let folder = Folder::new();
    let manifest = folder.file("tensor_dump.json", MANIFEST);
    let trace = Trace::open(&manifest).unwrap();
    assert!(trace.payload(&trace.tensors().next().unwrap()).is_none());
    folder.file("tensor_dump.bin", [0; 33]);
    let refused = Trace::open(&manifest).unwrap_err();
    assert!(refused.to_string().contains("tensor_dump.bin"), "{refused}");
    fs::remove_file(folder.0.join("tensor_dump.bin")).unwrap();
    fs::create_dir(folder.0.join("tensor_dump.bin")).unwrap();
    let refused = Trace::open(&manifest).unwrap_err();
    assert!(refused.to_string().contains("tensor_dump.bin"), "{refused}");
    fs::remove_dir(folder.0.join("tensor_dump.bin")).unwrap();
    // Many tensors of the same few bytes.
    folder.file("tensor_dump.bin", [0; 34]);
    fs::write(
        &manifest,
        MANIFEST.replace("\"bin_offset\": 6", "\"bin_offset\": 10"),
    )
    .unwrap();
    assert!(Trace::open(&manifest).is_ok());
    folder.file("tensor_dump.bin", [0; 27]);
    let twice = MANIFEST.replace("\"bin_offset\": 10", "\"bin_offset\": 2");
    fs::write(&manifest, twice).unwrap();
    let refused = Trace::open(&manifest).unwrap_err();
    assert!(format!("{refused:?}").contains("twice"), "{refused:?}");
    let elsewhere = MANIFEST.replace("\"tensor_dump.bin\"", "\"../../etc/passwd\"");
    fs::write(&manifest, elsewhere).unwrap();
    let refused = Trace::open(&manifest).unwrap_err();
    assert!(
        refused.to_string().contains("a plain file name"),
        "{refused}"
    );
}
