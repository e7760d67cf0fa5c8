//! A program in C, linked with the library of the build folder, does what a Rust runtime does.

use lanescope::{Kind, Policy, Stage};
use lanescope_capture::{CAPTURE_FILE_NAME, CaptureFile};
use lanescope_conformance::{Folder, build_folder};
use lanescope_trace::Trace;
use std::path::Path;
use std::process::Command;

#[test]
fn a_program_in_c_runs_a_graph_on_every_platform() {
    for platform in ["a2a3sim", "a5sim"] {
        let build = build_folder(platform, 2);
        let folder = Folder::new().expect("a folder");
        let program = folder.path().join("program");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/c_api.c");
        let library = build.join("lib");
        let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".to_owned());
        let compiled = Command::new(compiler)
            .args(["-std=c11", "-Wall", "-Wextra", "-Werror", "-o"])
            .arg(&program)
            .arg(&source)
            .arg("-I")
            .arg(build.join("include"))
            .arg(library.join("liblanescope.so"))
            .arg(format!("-Wl,-rpath,{}", library.display()))
            .output()
            .expect("a C compiler is there");
        let messages = String::from_utf8_lossy(&compiled.stderr);
        assert!(compiled.status.success(), "{messages}");
        let ran = Command::new(&program)
            .arg(platform)
            .arg(&build)
            .arg(folder.path())
            .output()
            .expect("it starts");
        let told = String::from_utf8_lossy(&ran.stdout);
        assert!(ran.status.success(), "{platform}: {told}");
        assert!(told.contains("rtSetDevice"), "{told}");
        let trace = Trace::open(folder.path()).expect("a capture");
        let ids: Vec<u64> = trace.tasks().map(|task| task.task_id).collect();
        assert_eq!(ids, [70, 71]);
        assert_eq!(trace.functions().name(4), Some("mark"));
        let tensors: Vec<_> = (trace.tensors())
            .map(|row| (row.task_id, row.arg_index, row.stage))
            .collect();
        assert_eq!(tensors, [(71, 1, Stage::AfterCompletion)]);
        assert_lanes(folder.path());
    }
}

/// The lanes are those that the program chose, and the collectors' own where it chose none.
fn assert_lanes(folder: &Path) {
    let file = CaptureFile::open(folder.join(CAPTURE_FILE_NAME)).expect("a capture");
    let capture = file.read().expect("readable");
    let run = capture.run(1).expect("readable").expect("a run");
    for lane in &run.session().lanes {
        let shape = (lane.policy, lane.buffers, lane.records_per_buffer);
        let expected = match lane.kind {
            Kind::TASK => (Policy::Block, lane.buffers, 32),
            Kind::PMU => (Policy::DropNewest, 4, 16),
            _ => (Policy::Truncate, 2, 8),
        };
        assert_eq!(shape, expected, "{}", lane.kind);
    }
}
