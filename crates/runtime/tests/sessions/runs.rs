//! A session over a device of heap memory: what it uploads, what it makes of what comes back.

use crate::fake::{FakeBuild, FakeDevice, Looks};
use lanescope_abi::capture::Policy;
use lanescope_abi::control::{
    CONTROL_MAGIC, CoreConfig, DeviceError, GraphTask, HostLine, Phase, SchedulerWords,
    ThreadStatus,
};
use lanescope_abi::{ABI_HASH, Token, token};
use lanescope_capture::{CAPTURE_FILE_NAME, CaptureFile, Outcome, VERDICT_FILE_NAME, Verdict};
use lanescope_platform::{Device, PlatformError, StreamKind};
use lanescope_runtime::{
    Arg, Collectors, CoreType, Graph, LaneOptions, Limits, RunOptions, RuntimeError, Session,
    SessionOptions, SwimlaneOptions, TensorId,
};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

fn kernel() -> Arc<[u8]> {
    Arc::from(b"kernel add".as_slice())
}

/// Three tasks: two vector ones feed a cube one.
fn join() -> (Graph, TensorId) {
    let mut graph = Graph::new("join");
    let add = graph.function("add", 5, kernel());
    let input = graph.tensor_from("input", &[7; 100]);
    let output = graph.tensor("output", 64);
    let args = [
        Arg::Tensor(output),
        Arg::TensorAt(input, 40),
        Arg::Scalar(9),
    ];
    let one = graph.task(add, CoreType::Aiv, &args);
    let two = graph.task_with_id(add, CoreType::Aiv, &[], 77);
    let last = graph.task(add, CoreType::Aic, &[Arg::Scalar(1); 9]);
    graph.edge(one, last);
    graph.edge(two, last);
    (graph, output)
}

fn open(device: &Arc<FakeDevice>, build: &FakeBuild) -> Session {
    let device: Arc<dyn Device> = Arc::clone(device) as _;
    Session::open(device, &build.build, &SessionOptions::default()).expect("opens")
}

/// What the driver says of an AICPU program that broke off.
fn exception() -> PlatformError {
    PlatformError::Driver {
        call: "rtStreamSynchronizeWithTimeout",
        code: 507_018,
        name: "AICPU exception",
        hint: "",
        detail: String::new(),
    }
}

/// Runs `graph` into an error while it is recorded; the verdict of the capture that is left.
fn verdict_of_failure(session: &mut Session, graph: &Graph, build: &FakeBuild) -> Verdict {
    let options = RunOptions {
        collectors: Collectors::swimlane(2),
        capture: Some(build.folder().to_owned()),
        ..one_cluster()
    };
    let error = session.run(graph, &options).expect_err("fails");
    assert!(!error.to_string().is_empty());
    let file = CaptureFile::open(build.folder().join(CAPTURE_FILE_NAME)).expect("a capture");
    let capture = file.read().expect("readable");
    let run = capture.runs().expect("decodes").pop().expect("one run");
    let verdict = run.verdict().expect("a verdict").clone();
    let beside = std::fs::read_to_string(build.folder().join(VERDICT_FILE_NAME));
    assert_eq!(beside.expect("a verdict"), verdict.to_json());
    assert_eq!(verdict.outcome, Outcome::Partial);
    verdict
}

fn one_cluster() -> RunOptions {
    RunOptions {
        clusters: Some(1),
        ..RunOptions::default()
    }
}

#[test]
fn the_device_finds_header_graph_and_tensors() {
    let (device, build) = (FakeDevice::new(), FakeBuild::new(4, 4));
    let mut session = open(&device, &build);
    let (graph, output) = join();
    device.set_script(move |memory, launch| {
        let header = memory.header(launch);
        assert_eq!((header.magic, header.abi_hash), (CONTROL_MAGIC, ABI_HASH));
        assert_eq!(
            (header.ring_size, header.issue_depth, header.run_id),
            (4, 4, 1)
        );
        assert_eq!((header.core_count, header.thread_count), (6, 2));
        assert_eq!((header.capture_address, header.swimlane_level), (0, 0));
        assert_eq!(header.scheduler_limit_ticks, 10 * 50_000_000);
        assert_eq!(header.task_count, 3);
        let base = launch.control.0;
        let configs: Vec<CoreConfig> = (0..6)
            .map(|core| memory.read(base + header.cores.at(core)))
            .collect();
        let types: Vec<u32> = configs.iter().map(|core| core.core_type).collect();
        let threads: Vec<u32> = configs.iter().map(|core| core.thread).collect();
        assert_eq!(types, [0, 0, 1, 1, 1, 1]);
        assert_eq!(threads, [0, 1, 0, 0, 1, 1]);
        assert_eq!(configs[5].first_token, token::TOKEN_FIRST);
        let register: u64 = memory.read(base + header.registers.at(74));
        assert_eq!(register, 0x2000_0000_0000 + 74 * 0x10_0000);

        let words: SchedulerWords = memory.read(base + header.scheduler.at(0));
        assert_eq!(words.unfinished.value, 3);
        assert_eq!(
            [words.ready_tail[0].value, words.ready_tail[1].value],
            [0, 2]
        );
        assert_eq!((header.ready[0].count, header.ready[1].count), (1, 2));
        let queued: [u32; 2] = memory.read(base + header.ready[1].at(0));
        assert_eq!(queued, [1, 2]);
        let empty: u32 = memory.read(base + header.ready[0].at(0));
        assert_eq!(empty, 0);
        let fan_in: [u32; 3] = memory.read(base + header.fan_in.at(0));
        assert_eq!(fan_in, [0, 0, 2]);

        let tasks: [GraphTask; 3] = memory.read(base + header.tasks.at(0));
        assert_eq!(
            [tasks[0].task_id, tasks[1].task_id, tasks[2].task_id],
            [0, 77, 2]
        );
        assert_eq!(
            [tasks[0].arg_count, tasks[1].arg_count, tasks[2].arg_count],
            [3, 0, 9]
        );
        assert_eq!([tasks[0].successor_count, tasks[2].successor_count], [1, 0]);
        assert_eq!(tasks[2].predecessor_count, 2);
        assert_eq!(tasks[2].func_id, 5);
        let successor: u32 = memory.read(base + header.successors.at(tasks[1].first_successor));
        assert_eq!(successor, 2);
        let image: [u8; 10] = memory.read(tasks[0].kernel_address);
        assert_eq!(&image, b"kernel add");
        for task in &tasks {
            assert!(task.args_address.is_multiple_of(64));
            let end = task.args_address + u64::from(task.arg_count) * 8;
            assert!(end <= base + header.args.end().unwrap());
        }
        let args: [u64; 3] = memory.read(tasks[0].args_address);
        assert_eq!(args[2], 9);
        let input: [u8; 60] = memory.read(args[1]);
        assert_eq!(input, [7; 60]);
        let output: [u8; 64] = memory.read(args[0]);
        assert_eq!(output, [0; 64]);
        memory.write(args[0], &[3u8; 64]);
        let many: [u64; 9] = memory.read(tasks[2].args_address);
        assert_eq!(many, [1; 9]);
        memory.finish(launch, 0);
        Ok(())
    });
    let options = RunOptions {
        clusters: Some(2),
        ..RunOptions::default()
    };
    let outcome = session.run(&graph, &options).expect("runs");
    assert_eq!((outcome.run_id, outcome.tasks), (1, 3));
    assert_eq!(outcome.device_ticks, 501);
    // The script dispatched nothing, and the verdict says so.
    assert_eq!(outcome.verdict.outcome, Outcome::Broken);
    assert_eq!(session.read(output).expect("reads"), [3; 64]);
    let unknown = session.read(TensorId::from_index(2)).expect_err("refused");
    assert!(unknown.to_string().contains("tensor 2 is not one of the 2"));
}

#[test]
fn tokens_go_on_across_runs_and_the_wrap() {
    let (device, build) = (FakeDevice::new(), FakeBuild::new(2, 2));
    let first_token = Token::new(token::TOKEN_LAST).expect("in range");
    let options = SessionOptions {
        first_token,
        ..SessionOptions::default()
    };
    let as_device: Arc<dyn Device> = Arc::clone(&device) as _;
    let mut session = Session::open(as_device, &build.build, &options).expect("opens");
    device.set_script(|memory, launch| {
        memory.finish(launch, 1);
        Ok(())
    });
    let (graph, _) = join();
    let outcome = session.run(&graph, &one_cluster()).expect("runs");
    assert_eq!(outcome.first_tokens, [token::TOKEN_LAST; 3]);
    assert_eq!(outcome.verdict.outcome, Outcome::Exact);
    let outcome = session.run(&graph, &one_cluster()).expect("runs");
    assert_eq!(outcome.first_tokens, [token::TOKEN_FIRST; 3]);
    assert_eq!(outcome.run_id, 2);
}

#[test]
fn a_failed_run_says_why_and_its_tokens_count() {
    let (device, build) = (FakeDevice::new(), FakeBuild::new(2, 2));
    let mut session = open(&device, &build);
    let synchronize = &device.synchronize;
    synchronize.lock().expect("no panic").push(exception());
    device.set_script(|memory, launch| {
        memory.finish(launch, 3);
        let header = memory.header(launch);
        let status = ThreadStatus {
            run_id: header.run_id,
            phase: Phase::Running as u32,
            error: DeviceError::SchedulerTimeout as u32,
            core: 2,
            token: 18,
            data_main_base: 18,
            cond: 0x8000_0011,
            detail: header.scheduler_limit_ticks,
            ..ThreadStatus::default()
        };
        memory.write(launch.control.0 + header.threads.at(0), &status);
        Ok(())
    });
    let (graph, _) = join();
    let error = session.run(&graph, &one_cluster()).expect_err("fails");
    let RuntimeError::Device(failure) = &error else {
        panic!("{error}");
    };
    assert_eq!(
        (failure.core, failure.token, failure.cond),
        (Some(2), 18, 0x8000_0011)
    );
    let text = error.to_string();
    assert!(
        text.contains("no task finished within the scheduler limit (10s)"),
        "{text}"
    );
    assert!(text.contains("507018 (AICPU exception)"), "{text}");

    device.set_script(|memory, launch| {
        memory.finish(launch, 1);
        Ok(())
    });
    let outcome = session.run(&graph, &one_cluster()).expect("runs again");
    assert_eq!(outcome.first_tokens, [token::TOKEN_FIRST + 3; 3]);
}

#[test]
fn a_failed_run_leaves_a_partial_capture() {
    let (device, build) = (FakeDevice::new(), FakeBuild::new(2, 2));
    let mut session = open(&device, &build);
    let synchronize = &device.synchronize;
    synchronize.lock().expect("no panic").push(exception());
    device.set_script(|memory, launch| {
        memory.finish(launch, 1);
        Ok(())
    });
    let (graph, _) = join();
    let verdict = verdict_of_failure(&mut session, &graph, &build);
    let text = &verdict.findings[0].text;
    assert!(text.contains("507018 (AICPU exception)"), "{verdict:?}");
}

#[test]
fn a_refused_launch_raises_the_abort_flag_and_the_next_run_lowers_it() {
    let (device, build) = (FakeDevice::new(), FakeBuild::new(2, 2));
    let mut session = open(&device, &build);
    let seen = Arc::new(Mutex::new(Vec::new()));
    device.set_script({
        let seen = Arc::clone(&seen);
        move |memory, launch| {
            let header = memory.header(launch);
            let line: HostLine = memory.read(launch.control.0 + header.host.at(0));
            seen.lock()
                .expect("no panic")
                .push((header.run_id, line.abort_run));
            memory.finish(launch, 1);
            Ok(())
        }
    });
    *device.refuse_launch.lock().expect("no panic") = Some(PlatformError::Driver {
        call: "rtAicpuKernelLaunchExWithArgs",
        code: 107_000,
        name: "invalid value",
        hint: "check it",
        detail: String::new(),
    });
    let (graph, _) = join();
    let error = session.run(&graph, &one_cluster()).expect_err("refused");
    assert_eq!(error.hint(), Some("check it"));
    session.run(&graph, &one_cluster()).expect("runs");
    assert_eq!(*seen.lock().expect("no panic"), [(1, 1), (2, 0)]);
}

#[test]
fn a_run_that_cannot_be_recorded_leaves_a_capture_that_says_so() {
    let (device, build) = (FakeDevice::new(), FakeBuild::new(2, 2));
    let mut session = open(&device, &build);
    let (graph, _) = join();
    *device.refuse_thread.lock().expect("no panic") = Some(PlatformError::DevicePoisoned {
        device: 0,
        cause: "a test".to_owned(),
    });
    let verdict = verdict_of_failure(&mut session, &graph, &build);
    assert!(verdict.findings[0].text.contains("a test"), "{verdict:?}");
}

#[test]
fn the_host_waits_on_while_tasks_finish() {
    let (device, build) = (FakeDevice::new(), FakeBuild::new(2, 2));
    let mut session = open(&device, &build);
    let late = || PlatformError::Timeout {
        stream: StreamKind::Aicpu,
        limit: Duration::from_secs(50),
    };
    device.synchronize.lock().expect("no panic").push(late());
    device.set_script(|memory, launch| {
        memory.finish(launch, 1);
        let header = memory.header(launch);
        let status = ThreadStatus {
            run_id: header.run_id,
            completed: 2,
            ..ThreadStatus::default()
        };
        memory.write(launch.control.0 + header.threads.at(0), &status);
        Ok(())
    });
    let (told, looks) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Looks::default()));
    session.on_progress({
        let (told, looks) = (Arc::clone(&told), Arc::clone(&looks));
        move |progress| {
            told.lock().expect("no panic").push(progress);
            looks.add();
        }
    });
    *device.meanwhile.lock().expect("no panic") = Some(Box::new(move || looks.wait_for_another()));
    let (graph, _) = join();
    session
        .run(&graph, &one_cluster())
        .expect("news came before the limit");
    let told = told.lock().expect("no panic").clone();
    assert_eq!(
        told.last()
            .map(|progress| (progress.completed, progress.total)),
        Some((2, 3))
    );

    let lates = [late(), late(), late()];
    device.synchronize.lock().expect("no panic").extend(lates);
    let error = session.run(&graph, &one_cluster()).expect_err("no news");
    assert!(matches!(
        error,
        RuntimeError::Platform {
            source: PlatformError::Timeout { .. },
            ..
        }
    ));
}

#[test]
fn memory_on_the_device_is_kept_until_a_graph_needs_more() {
    let (device, build) = (FakeDevice::new(), FakeBuild::new(2, 2));
    let mut session = open(&device, &build);
    device.set_script(|memory, launch| {
        memory.finish(launch, 1);
        Ok(())
    });
    let (graph, _) = join();
    session.run(&graph, &one_cluster()).expect("runs");
    // Kernel, tensors, control region.
    assert_eq!(device.allocations.load(Ordering::Relaxed), 3);
    session.run(&graph, &one_cluster()).expect("runs");
    assert_eq!(device.allocations.load(Ordering::Relaxed), 3);
    let mut large = Graph::new("large");
    let add = large.function("add", 0, kernel());
    for _ in 0..10_000 {
        large.task(add, CoreType::Aic, &[Arg::Scalar(0)]);
    }
    session.run(&large, &one_cluster()).expect("runs");
    assert_eq!(device.allocations.load(Ordering::Relaxed), 4);
}

#[test]
fn an_unusable_kernel_is_refused_by_task() {
    let (device, build) = (FakeDevice::new(), FakeBuild::new(2, 2));
    let mut session = open(&device, &build);
    let mut graph = Graph::new("bad");
    let unused = graph.function("unused", 0, Arc::from(b"nothing".as_slice()));
    let good = graph.function("good", 1, kernel());
    graph.task(good, CoreType::Aic, &[]);
    let bad = graph.function("bad", 2, Arc::from(b"nothing".as_slice()));
    graph.task_with_id(bad, CoreType::Aic, &[], 0x55);
    assert_eq!(unused.index(), 0);
    let text = session
        .run(&graph, &one_cluster())
        .expect_err("refused")
        .to_string();
    assert!(
        text.contains("task 1 (id 0x55, function bad): its kernel cannot be used"),
        "{text}"
    );
}

#[test]
fn programs_of_another_ring_size_are_refused_with_both_values() {
    let (device, build) = (FakeDevice::new(), FakeBuild::new(2, 8));
    let device: Arc<dyn Device> = device;
    let error =
        Session::open(device, &build.build, &SessionOptions::default()).expect_err("refused");
    let RuntimeError::Platform { source, .. } = error else {
        panic!("{error}");
    };
    let text = source.to_string();
    assert!(
        text.contains("ring size") && text.contains('2') && text.contains('8'),
        "{text}"
    );
}

#[test]
fn a_build_of_another_abi_is_refused_with_both_values() {
    let (device, build) = (FakeDevice::new(), FakeBuild::new(2, 2));
    let path = build.folder().join("manifest.json");
    let text = std::fs::read_to_string(&path).expect("reads");
    let other = text.replace(&format!("{ABI_HASH:#018x}"), "0x00000000000000aa");
    std::fs::write(&path, other).expect("writes");
    let build = lanescope_runtime::Build::open(build.folder()).expect("opens");
    let device: Arc<dyn Device> = device;
    let error = Session::open(device, &build, &SessionOptions::default()).expect_err("refused");
    let RuntimeError::Platform { source, .. } = error else {
        panic!("{error}");
    };
    let text = source.to_string();
    assert!(text.contains("0x00000000000000aa"), "{text}");
    assert!(text.contains(&format!("{ABI_HASH:#018x}")), "{text}");
}

#[test]
fn options_that_cannot_be_are_refused_by_name() {
    let (device, build) = (FakeDevice::new(), FakeBuild::new(2, 2));
    let session = open(&device, &build);
    let (graph, _) = join();
    let refused = |options: &RunOptions| {
        session
            .check(&graph, options)
            .expect_err("refused")
            .to_string()
    };
    let base = RunOptions::default;
    assert!(
        refused(&RunOptions {
            threads: Some(5),
            ..base()
        })
        .starts_with("threads: 5, expected 1 to 4")
    );
    assert!(
        refused(&RunOptions {
            clusters: Some(25),
            ..base()
        })
        .starts_with("clusters: 25")
    );
    assert!(
        refused(&RunOptions {
            issue_depth: Some(3),
            ..base()
        })
        .starts_with("issue-depth: 3, expected 1 to 2")
    );
    assert!(
        refused(&RunOptions {
            collectors: Collectors {
                swimlane: SwimlaneOptions {
                    level: 2,
                    lanes: LaneOptions {
                        buffers: Some(3),
                        ..LaneOptions::default()
                    },
                },
                ..Collectors::default()
            },
            ..base()
        })
        .starts_with("buffers: 3")
    );
    assert!(
        refused(&RunOptions {
            collectors: Collectors::swimlane(5),
            ..base()
        })
        .starts_with("swimlane: level 5")
    );
    let limits = Limits {
        sync: Duration::from_secs(46),
        ..Limits::default()
    };
    session
        .check(&graph, &RunOptions { limits, ..base() })
        .expect("in order");
    let limits = Limits {
        sync: Duration::from_secs(45),
        ..Limits::default()
    };
    assert!(refused(&RunOptions { limits, ..base() }).starts_with("limits: op"));
    let limits = Limits {
        block: Duration::from_secs(6),
        ..Limits::default()
    };
    let recorded = |level, policy| RunOptions {
        collectors: Collectors {
            swimlane: SwimlaneOptions {
                level,
                lanes: LaneOptions {
                    policy,
                    ..LaneOptions::default()
                },
            },
            ..Collectors::default()
        },
        limits,
        ..base()
    };
    for sound in [recorded(2, Policy::Block), recorded(3, Policy::DropNewest)] {
        session.check(&graph, &sound).expect("6 s at most");
    }
    let text = refused(&recorded(3, Policy::Block));
    assert!(
        text.starts_with("limits: block (6s), in 2 lanes one after the other (12s)"),
        "{text}"
    );
}

#[test]
fn a_missing_kernel_of_a_build_lists_those_there_are() {
    let build = FakeBuild::new(2, 2);
    let text = build.build.kernel("mul").expect_err("refused").to_string();
    assert!(text.contains("no kernel named mul; it has add"), "{text}");
    let text = build
        .build
        .kernel("add")
        .expect_err("no such file")
        .to_string();
    assert!(text.contains("kernels/add.so"), "{text}");
}
