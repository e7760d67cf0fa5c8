//! What becomes of the files of a run.

use crate::fake::{FakeBuild, FakeDevice};
use lanescope_capture::{CAPTURE_FILE_NAME, CaptureFile};
use lanescope_platform::Device;
use lanescope_runtime::{Collectors, CoreType, Graph, RunOptions, Session, SessionOptions};
use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

fn graph() -> Graph {
    let mut graph = Graph::new("one");
    let add = graph.function("add", 0, Arc::from(b"kernel add".as_slice()));
    graph.task(add, CoreType::Aic, &[]);
    graph
}

/// A session whose runs end at once, and where it records them.
fn recording() -> (Arc<FakeDevice>, FakeBuild, Session, RunOptions) {
    let (device, build) = (FakeDevice::new(), FakeBuild::new(2, 2));
    device.set_script(|memory, launch| {
        memory.finish(launch, 0);
        Ok(())
    });
    let opened: Arc<dyn Device> = Arc::clone(&device) as _;
    let session = Session::open(opened, &build.build, &SessionOptions::default()).expect("opens");
    let folder: PathBuf = build.folder().join("capture");
    fs::create_dir(&folder).expect("creates");
    let options = RunOptions {
        clusters: Some(1),
        collectors: Collectors::swimlane(2),
        capture: Some(folder),
        ..RunOptions::default()
    };
    (device, build, session, options)
}

#[test]
fn a_block_that_is_written_late_is_not_in_the_capture_of_the_next_run() {
    let (_device, _build, mut session, options) = recording();
    let path = options
        .capture
        .as_ref()
        .expect("given")
        .join(CAPTURE_FILE_NAME);
    session.run(&graph(), &options).expect("runs");
    // What a writer thread has that was given up.
    let mut left_behind = fs::File::options().append(true).open(&path).expect("opens");
    let outcome = session.run(&graph(), &options).expect("runs");
    left_behind.write_all(b"late").expect("there is room");
    let file = CaptureFile::open(&path).expect("a capture");
    let capture = file.read().expect("readable");
    assert_eq!(capture.damage(), []);
    let runs = capture.runs().expect("decodes");
    assert_eq!(runs.len(), 1);
    assert_eq!(runs[0].verdict(), Some(&outcome.verdict));
}
