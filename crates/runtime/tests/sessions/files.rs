//! What becomes of the files of a run.

use crate::fake::{FakeBuild, FakeDevice};
use lanescope_capture::{CAPTURE_FILE_NAME, CaptureFile};
use lanescope_platform::Device;
use lanescope_runtime::{
    Collectors, CoreType, Graph, RunOptions, RuntimeError, Session, SessionOptions,
};
use std::fs::{self, File};
use std::io::Write;
use std::mem::ManuallyDrop;
use std::os::fd::{FromRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

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
    let mut left_behind = File::options().append(true).open(&path).expect("opens");
    let outcome = session.run(&graph(), &options).expect("runs");
    left_behind.write_all(b"late").expect("there is room");
    let file = CaptureFile::open(&path).expect("a capture");
    let capture = file.read().expect("readable");
    assert_eq!(capture.damage(), []);
    let runs = capture.runs().expect("decodes");
    assert_eq!(runs.len(), 1);
    assert_eq!(runs[0].verdict(), Some(&outcome.verdict));
}

/// The disk is full, and the folder is gone.
#[test]
fn the_first_write_that_fails_is_the_error_of_the_run() {
    let (device, _build, mut session, options) = recording();
    let folder = options.capture.clone().expect("given");
    device.set_script(move |memory, launch| {
        memory.finish(launch, 0);
        let path = folder.join(CAPTURE_FILE_NAME);
        fill_disk_under(&path);
        fs::remove_dir_all(&folder).expect("removes");
        Ok(())
    });
    let error = session.run(&graph(), &options).expect_err("a full disk");
    let RuntimeError::Capture { path, .. } = &error else {
        panic!("{error}");
    };
    assert!(path.ends_with(CAPTURE_FILE_NAME), "{error}");
}

/// Whoever writes to the file, which this process has open once, finds the disk full.
fn fill_disk_under(path: &Path) {
    let path = fs::canonicalize(path).expect("it is there");
    let mut open = fs::read_dir("/proc/self/fd").expect("lists");
    let number = open.find_map(|entry| {
        let entry = entry.expect("lists");
        let is_it = fs::read_link(entry.path()).is_ok_and(|target| target == path);
        is_it.then(|| entry.file_name().to_str()?.parse().ok())?
    });
    // SAFETY:
    // - The descriptor is open: its owner, the writer of the run, waits for the launch that this is in.
    // - The owner closes it: this second one is never dropped.
    let file = unsafe { OwnedFd::from_raw_fd(number.expect("it is open")) };
    let full = File::options()
        .write(true)
        .open("/dev/full")
        .expect("opens");
    rustix::io::dup2(&full, &mut ManuallyDrop::new(file)).expect("replaces");
}

#[test]
fn a_region_that_could_not_be_read_is_not_used_again_whatever_became_of_the_files() {
    let (device, _build, mut session, options) = recording();
    session.run(&graph(), &options).expect("runs");
    let before = device.allocations.load(Ordering::Relaxed);
    let folder = options.capture.clone().expect("given");
    let refuse_reads = Arc::clone(&device.refuse_reads);
    device.set_script(move |memory, launch| {
        memory.finish(launch, 0);
        refuse_reads.store(true, Ordering::Relaxed);
        fs::remove_dir_all(&folder).expect("removes");
        Ok(())
    });
    session.run(&graph(), &options).expect_err("no folder");
    device.refuse_reads.store(false, Ordering::Relaxed);
    device.set_script(|memory, launch| {
        memory.finish(launch, 0);
        Ok(())
    });
    fs::create_dir(options.capture.as_ref().expect("given")).expect("creates");
    session.run(&graph(), &options).expect("runs");
    let after = device.allocations.load(Ordering::Relaxed);
    assert_eq!(
        after,
        before + 1,
        "the region of the third run is a new one"
    );
}
