//! How long a session waits for a device that does not end, and what it does afterwards.

use crate::fake::{self, FakeBuild, FakeDevice};
use lanescope_abi::control::CoreOrder;
use lanescope_platform::{Device, PlatformError, StreamKind};
use lanescope_runtime::{CoreType, Graph, RunOptions, RuntimeError, Session, SessionOptions};
use std::sync::{Arc, Mutex};
use std::time::Duration;

fn graph() -> Graph {
    let mut graph = Graph::new("eight");
    let add = graph.function("add", 0, Arc::from(b"kernel add".as_slice()));
    for _ in 0..8 {
        graph.task(add, CoreType::Aic, &[]);
    }
    graph
}

fn open(device: &Arc<FakeDevice>, build: &FakeBuild) -> Session {
    let device: Arc<dyn Device> = Arc::clone(device) as Arc<dyn Device>;
    Session::open(device, &build.build, &SessionOptions::default()).expect("opens")
}

fn one_cluster() -> RunOptions {
    RunOptions {
        clusters: Some(1),
        ..RunOptions::default()
    }
}

fn refused() -> PlatformError {
    fake::refusal("rtStreamSynchronizeWithTimeout")
}

fn late() -> PlatformError {
    PlatformError::Timeout {
        stream: StreamKind::Aicpu,
        limit: Duration::from_secs(50),
    }
}

#[test]
fn one_finished_task_is_news_enough() {
    let (device, build) = (FakeDevice::new(), FakeBuild::new(2, 2));
    let mut session = open(&device, &build);
    let first_order = Arc::new(Mutex::new(0));
    device.set_script({
        let first_order = Arc::clone(&first_order);
        move |memory, launch| {
            memory.finish(launch, 0);
            let orders = memory.header(launch).orders;
            *first_order.lock().expect("no panic") = launch.control.0 + orders.at(0);
            Ok(())
        }
    });
    *device.meanwhile.lock().expect("no panic") = Some(Box::new(move || {
        let address = *first_order.lock().expect("no panic");
        let mut order: CoreOrder = fake::Memory.read(address);
        order.completed += 1;
        fake::Memory.write(address, &order);
    }));
    let lates = [late(), late(), late()];
    device.synchronize.lock().expect("no panic").extend(lates);
    session
        .run(&graph(), &one_cluster())
        .expect("each time another task had finished");
}

#[test]
fn a_session_whose_program_never_ended_starts_no_other_run() {
    // The wait, the grace after the abort, and the last look.
    assert_stuck_after(vec![late(), late(), late()]);
}

#[test]
fn a_session_that_was_never_told_of_the_end_starts_no_other_run() {
    // The wait and the last look.
    assert_stuck_after(vec![refused(), refused()]);
}

fn assert_stuck_after(waits: Vec<PlatformError>) {
    let (device, build) = (FakeDevice::new(), FakeBuild::new(2, 2));
    let mut session = open(&device, &build);
    let launches = Arc::new(Mutex::new(0));
    device.set_script({
        let launches = Arc::clone(&launches);
        move |memory, launch| {
            memory.finish(launch, 0);
            *launches.lock().expect("no panic") += 1;
            Ok(())
        }
    });
    device.synchronize.lock().expect("no panic").extend(waits);
    session.run(&graph(), &one_cluster()).expect_err("no news");
    let error = session.run(&graph(), &one_cluster()).expect_err("stuck");
    let RuntimeError::Platform { source, .. } = error else {
        panic!("{error}");
    };
    assert!(
        matches!(&source, PlatformError::DevicePoisoned { cause, .. } if cause.contains("has not ended")),
        "{source}"
    );
    assert_eq!(*launches.lock().expect("no panic"), 1);
}
