//! Files of other tools: what is read of them, what is left alone, and what is said where they are refused.

use super::{Folder, command, lanescope, refused};
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

const RECORDS: &str = "{\"version\":1,\"tasks\":[{\"task_id\":7,\"func_id\":2,\"core_id\":1,\
    \"core_type\":\"aiv\",\"start_time_us\":1.0,\"end_time_us\":2.0}]}";
const COUNTERS: &str = "thread_id,core_id,task_id,func_id,core_type,pmu_total_cycles,vec_busy_cycles,\
    cube_busy_cycles,scalar_busy_cycles,mte1_busy_cycles,mte2_busy_cycles,mte3_busy_cycles,icache_miss,\
    icache_req,event_type\n1,0,0x0000000000000002,2,1,9,1,2,3,4,5,6,7,8,2\n\
    0,0,0x0000000000000001,2,1,9,1,2,3,4,5,6,7,8,2\n";
/// The first of two tensors was overwritten: an export leaves its bytes out.
const MANIFEST: &str = r#"{"bin_format": {}, "dropped_records": 0, "bin_file": "tensor_dump.bin", "tensors": [
    {"task_id": "0x1", "subtask_id": 0, "func_id": 1, "role": "input", "stage": "before_dispatch",
     "arg_index": 0, "dtype": "UINT8", "is_contiguous": true, "shape": [4], "raw_shape": [4], "offsets": [0],
     "numel": 4, "bin_offset": 0, "bin_size": 4, "truncated": false, "overwritten": true},
    {"task_id": "0x2", "subtask_id": 0, "func_id": 1, "role": "input", "stage": "before_dispatch",
     "arg_index": 0, "dtype": "UINT8", "is_contiguous": true, "shape": [4], "raw_shape": [4], "offsets": [0],
     "numel": 4, "bin_offset": 4, "bin_size": 4, "truncated": false, "overwritten": false}]}"#;

fn write(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().expect("it has one")).expect("creates");
    fs::write(path, text).expect("writes");
}

#[test]
fn an_export_never_takes_the_place_of_what_it_is_made_of() {
    let folder = Folder::new();
    let inputs = [
        ("pmu.csv", COUNTERS),
        ("tensor_dump/tensor_dump.json", MANIFEST),
        ("tensor_dump/tensor_dump.bin", "AAAABBBB"),
    ];
    for (name, text) in inputs {
        write(&folder.0, name, text);
    }
    for words in [
        &["export", ".", "--format", "pmu-csv"][..],
        &["export", ".", "--format", "tensor-dump"],
        &["export", ".", "--format", "csv", "-o", "."],
        &[
            "export",
            ".",
            "--format",
            "mermaid",
            "-o",
            "tensor_dump/tensor_dump.bin",
        ],
        &["export", "pmu.csv", "--format", "pmu-csv"],
        &[
            "export",
            "tensor_dump/tensor_dump.json",
            "--format",
            "tensor-dump",
            "-o",
            "tensor_dump",
        ],
        &["view", ".", "-o", "pmu.csv"],
    ] {
        let (code, text) = refused(&folder.0, words);
        assert_eq!(code, Some(2), "{words:?}: {text}");
        assert!(
            text.contains("is the input; name another file with --output"),
            "{text}"
        );
        for (name, text) in inputs {
            let now = fs::read_to_string(folder.0.join(name)).expect("reads");
            assert_eq!(now, text, "{words:?}");
        }
    }
    let words = ["export", ".", "--format", "pmu-csv", "-o", "sorted.csv"];
    assert_eq!(refused(&folder.0, &words).0, Some(0));
    // Of a capture the files beside it are none that are read.
    let words = ["import", ".", "--out", "."];
    assert_eq!(refused(&folder.0, &words).0, Some(0));
    let words = ["export", ".", "--format", "pmu-csv"];
    assert_eq!(refused(&folder.0, &words).0, Some(0));
}

#[test]
fn what_a_pipe_gives_is_read_once() {
    let folder = Folder::new();
    write(&folder.0, "records.json", RECORDS);
    let shell = |script: &str| {
        let program = env!("CARGO_BIN_EXE_lanescope");
        let script = script.replace("lanescope ", &format!("{program} "));
        let mut bash = Command::new("bash");
        bash.current_dir(&folder.0).args(["-c", &script]);
        bash.output().expect("it starts")
    };
    for script in [
        "lanescope report <(cat records.json)",
        "cat records.json | lanescope report /dev/stdin",
        "mkfifo pipe; cat records.json > pipe & timeout 60 lanescope report pipe",
        "lanescope report <(cat records.json) --format reference",
        "lanescope synth --tasks 10 --out made && lanescope report <(cat made/capture.lanescope)",
        "lanescope import <(cat records.json) --out kept && lanescope report kept",
    ] {
        let output = shell(script);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(0), "{script}: {text}");
        assert!(!output.stdout.is_empty(), "{script}");
    }
    let mut child = command(&folder.0, &["report", "/dev/stdin"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut stdin = child.stdin.take().expect("it has one");
    stdin.write_all(b"{\"version\":1,").expect("writes");
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.starts_with("lanescope: /dev/stdin: line 1"), "{text}");
}

#[test]
fn an_imported_dump_is_not_a_lossy_one() {
    let folder = Folder::new();
    let whole = MANIFEST
        .replace("true}", "false}")
        .replace("\"overwritten\": true", "\"overwritten\": false");
    write(&folder.0, "tensor_dump.json", &whole);
    write(&folder.0, "tensor_dump.bin", "AAAABBBB");
    let words = ["dump", "tensor_dump.json", "--compare", "tensor_dump.json"];
    let output = lanescope(&folder.0, &words);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(
        text.contains("an imported run, which has no verdict"),
        "{text}"
    );
    let dropped = whole.replace("\"dropped_records\": 0", "\"dropped_records\": 3");
    write(&folder.0, "tensor_dump.json", &dropped);
    let output = lanescope(&folder.0, &["dump", "."]);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("3 more tensors were dropped"), "{text}");
}

#[test]
fn a_made_up_run_with_counters_is_exact() {
    let folder = Folder::new();
    let words = ["synth", "--tasks", "500", "--pmu", "--out", "made"];
    assert_eq!(lanescope(&folder.0, &words).status.code(), Some(0));
    let output = lanescope(&folder.0, &["report", "made"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(!text.contains("broken"), "{text}");
}

#[test]
fn a_refused_import_blames_the_input_and_leaves_nothing_behind() {
    let folder = Folder::new();
    write(&folder.0, "bad.json", "{\"version\":1,\"tasks\":[}");
    write(&folder.0, "kept/capture.lanescope", "x");
    fs::create_dir(folder.0.join("empty")).expect("creates");
    for (source, told) in [
        ("bad.json", "lanescope: bad.json: line 1, column 23: "),
        ("missing.json", "lanescope: cannot read missing.json: "),
        ("empty", "lanescope: empty: neither capture.lanescope nor "),
        ("kept", "lanescope: kept: a capture already"),
    ] {
        let (code, text) = refused(&folder.0, &["import", source, "--out", "new/deep"]);
        assert_eq!(code, Some(2), "{text}");
        assert!(text.starts_with(told), "{text}");
        assert!(!folder.0.join("new").exists(), "{source}");
    }
    write(&folder.0, "good.json", RECORDS);
    let (code, text) = refused(&folder.0, &["import", "good.json", "--out", "/proc/nope/x"]);
    assert_eq!(code, Some(2));
    assert!(
        text.starts_with("lanescope: cannot make /proc/nope/x: "),
        "{text}"
    );
    let (code, _) = refused(&folder.0, &["import", "good.json", "--out", "new/deep"]);
    assert_eq!(code, Some(0));
    let (code, text) = refused(
        &folder.0,
        &["import", "new/deep/capture.lanescope", "--out", "other"],
    );
    assert_eq!(code, Some(2));
    assert!(text.contains("a capture already"), "{text}");
}
