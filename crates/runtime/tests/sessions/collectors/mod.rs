//! What a run records: what the device is told of it, what it costs, and what is refused.

mod own;

use crate::fake::{FakeBuild, FakeDevice};
use lanescope_abi::capture::{CaptureHeader, LaneConfig, Policy};
use lanescope_abi::control::GraphTask;
use lanescope_abi::{Chip, Kind, TaskTensor};
use lanescope_capture::{CAPTURE_FILE_NAME, CaptureFile, FindingKind};
use lanescope_platform::Device;
use lanescope_runtime::{
    Arg, Collectors, CoreType, Dtype, DumpOptions, DumpSelection, Graph, LaneOptions, PmuOptions,
    Role, RunOptions, Session, SessionOptions, Stage, SwimlaneOptions, TensorView, pmu_event,
};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

/// Two tasks: one writes the third row of a matrix, one reads its columns from there on.
fn graph() -> Graph {
    let mut graph = Graph::new("rows");
    let image = Arc::from(b"kernel row".as_slice());
    let row = graph.function("row", 4, image);
    let matrix = graph.tensor("matrix", 4096);
    let args = [Arg::Scalar(3), Arg::TensorAt(matrix, 1024)];
    let writer = graph.task(row, CoreType::Aiv, &args);
    let reader = graph.task(row, CoreType::Aic, &args);
    graph.edge(writer, reader);
    let whole = TensorView::new(1, Role::Inout, Dtype::Int16, &[1, 16]);
    graph.describe(writer, whole.window(&[8, 16], &[2, 0]));
    let columns = TensorView::new(1, Role::Input, Dtype::Float32, &[16, 2]);
    graph.describe(reader, columns.strided(&[1, 16]));
    graph
}

fn open(device: &Arc<FakeDevice>, build: &FakeBuild) -> Session {
    let device: Arc<dyn Device> = Arc::clone(device) as _;
    Session::open(device, &build.build, &SessionOptions::default()).expect("opens")
}

fn record(collectors: Collectors) -> RunOptions {
    RunOptions {
        clusters: Some(2),
        collectors,
        ..RunOptions::default()
    }
}

fn everything() -> Collectors {
    Collectors {
        pmu: Some(PmuOptions::default()),
        dump: Some(DumpOptions::default()),
        ..Collectors::swimlane(4)
    }
}

/// What the device found: lanes by kind and thread, tensors, tensor numbers of the tasks.
#[derive(Clone, Debug, Default)]
struct Found {
    level: u32,
    pmu_event: u32,
    issue_depth: u32,
    piece_bytes: u32,
    counter_pages: Vec<u64>,
    capture: Option<CaptureHeader>,
    lanes: Vec<LaneConfig>,
    tensors: Vec<TaskTensor>,
    of_tasks: Vec<(u32, u32)>,
}

/// Runs the graph and says what the device found.
fn found_by_device(options: &RunOptions) -> Found {
    let (device, build) = (FakeDevice::new(), FakeBuild::new(2, 2));
    let mut session = open(&device, &build);
    let found = Arc::new(Mutex::new(Found::default()));
    let shared = Arc::clone(&found);
    device.set_script(move |memory, launch| {
        let header = memory.header(launch);
        let base = launch.control.0;
        let capture = (header.capture_address != 0)
            .then(|| memory.read::<CaptureHeader>(header.capture_address));
        let lane = |index| {
            let configs = capture.map(|capture| capture.lane_configs.at(index));
            memory.read(header.capture_address + configs.expect("a region"))
        };
        let task = |index| memory.read::<GraphTask>(base + header.tasks.at(index));
        let tensors = (0..header.tensors.count).map(|index| header.tensors.at(index));
        *shared.lock().expect("no panic") = Found {
            level: header.swimlane_level,
            pmu_event: header.pmu_event,
            issue_depth: header.issue_depth,
            piece_bytes: header.tensor_piece_bytes,
            counter_pages: (0..header.pmu_registers.count)
                .map(|core| memory.read(base + header.pmu_registers.at(core)))
                .collect(),
            lanes: (0..capture.map_or(0, |capture| capture.lane_count))
                .map(lane)
                .collect(),
            capture,
            tensors: tensors.map(|at| memory.read(base + at)).collect(),
            of_tasks: (0..header.tasks.count)
                .map(task)
                .map(|task| (task.first_tensor, task.tensor_count))
                .collect(),
        };
        memory.finish(launch, 0);
        Ok(())
    });
    session.run(&graph(), options).expect("runs");
    let found = found.lock().expect("no panic");
    found.clone()
}

fn kinds(found: &Found) -> Vec<u32> {
    let mut kinds: Vec<u32> = found.lanes.iter().map(|lane| lane.kind).collect();
    kinds.dedup();
    kinds
}

#[test]
fn the_device_learns_of_the_counter_pages_when_it_counts_and_only_then() {
    let pmu = record(Collectors {
        pmu: Some(PmuOptions::default()),
        ..Collectors::default()
    });
    let found = found_by_device(&pmu);
    let page = |core: u64| 0x2000_4000_0000 + core * 0x10_0000;
    assert_eq!(found.counter_pages, (0..75).map(page).collect::<Vec<_>>());
    let found = found_by_device(&record(Collectors::swimlane(4)));
    assert_eq!(found.counter_pages, [0; 75]);

    let (device, build) = (FakeDevice::new(), FakeBuild::new(2, 2));
    let mut session = open(&device, &build);
    device.set_script(|memory, launch| {
        memory.finish(launch, 0);
        Ok(())
    });
    let asked = || device.counter_pages_asked.load(Ordering::Relaxed);
    session
        .run(&graph(), &record(Collectors::swimlane(4)))
        .expect("runs");
    assert_eq!(asked(), 0);
    device.counter_pages.store(74, Ordering::Relaxed);
    let refused = session.run(&graph(), &pmu).expect_err("a page is missing");
    let told = std::error::Error::source(&refused)
        .expect("a platform error")
        .to_string();
    assert!(told.contains("74 pages, expected 75"), "{refused}: {told}");
    device.counter_pages.store(75, Ordering::Relaxed);
    session.run(&graph(), &pmu).expect("runs");
    assert_eq!(asked(), 2);
}

#[test]
fn each_collector_has_its_lanes_and_works_with_the_others_off() {
    let raw = |kinds: &[Kind]| kinds.iter().map(|kind| kind.raw()).collect::<Vec<u32>>();
    let nothing = found_by_device(&record(Collectors::default()));
    assert!(nothing.capture.is_none());
    let levels: [&[Kind]; 5] = [
        &[],
        &[Kind::TASK],
        &[Kind::TASK],
        &[Kind::TASK, Kind::PHASE],
        &[Kind::TASK, Kind::PHASE],
    ];
    for (level, expected) in (0..).zip(levels) {
        let found = found_by_device(&record(Collectors::swimlane(level)));
        assert_eq!((found.level, kinds(&found)), (level, raw(expected)));
        assert_eq!((found.pmu_event, found.issue_depth), (0, 2));
    }
    let pmu = Collectors {
        pmu: Some(PmuOptions {
            event: 4,
            ..PmuOptions::default()
        }),
        ..Collectors::default()
    };
    let found = found_by_device(&record(pmu));
    assert_eq!(kinds(&found), raw(&[Kind::PMU]));
    // The AICPU reads between two tasks, and the core publishes nothing.
    assert_eq!((found.level, found.pmu_event, found.issue_depth), (0, 4, 1));
    assert_eq!(found.capture.map(|capture| capture.slot_lines), Some(1));
    let all = found_by_device(&record(everything()));
    assert_eq!(kinds(&all), raw(&Kind::ALL));
    assert!(
        all.lanes
            .iter()
            .all(|lane| lane.policy == Policy::Block as u32)
    );
    let arenas: Vec<u64> = all.lanes.iter().map(|lane| lane.arena_bytes).collect();
    assert_eq!(arenas[..6], [0; 6]);
    assert_eq!(arenas[6..], [16 << 20; 2]);
}

#[test]
fn the_device_finds_the_chosen_tensors_task_by_task() {
    let found = found_by_device(&record(everything()));
    assert_eq!(found.of_tasks, [(0, 1), (1, 1)]);
    assert_eq!(found.piece_bytes, 16 << 10);
    let [window, columns] = found.tensors[..] else {
        panic!("{found:?}");
    };
    assert_eq!((window.stages, columns.stages), (0b11, 0b01));
    assert_eq!((window.raw_bytes, columns.raw_bytes), (3072, 3072));
    assert_eq!(window.tensor.address, columns.tensor.address);
    let shape = window.tensor;
    assert_eq!((shape.arg_index, shape.rank), (1, 2));
    assert_eq!(shape.role, Role::Inout as u8);
    assert_eq!(shape.dtype, Dtype::Int16 as u8);
    assert_eq!(shape.shape, [1, 16, 0, 0, 0]);
    assert_eq!(shape.raw_shape, [8, 16, 0, 0, 0]);
    assert_eq!(shape.offsets, [2, 0, 0, 0, 0]);
    assert_eq!(shape.strides, [16, 1, 0, 0, 0]);
    assert_eq!(columns.tensor.strides, [1, 16, 0, 0, 0]);
    let mut outputs = everything();
    outputs.dump = Some(DumpOptions {
        selection: DumpSelection {
            stages: vec![Stage::AfterCompletion],
            ..DumpSelection::default()
        },
        piece_bytes: 64,
        ..DumpOptions::default()
    });
    let found = found_by_device(&record(outputs));
    assert_eq!(found.of_tasks, [(0, 1), (0, 0)]);
    assert_eq!((found.tensors[0].stages, found.piece_bytes), (0b10, 64));
}

#[test]
fn a_run_that_records_fewer_tensors_than_it_was_asked_for_is_broken() {
    let (device, build) = (FakeDevice::new(), FakeBuild::new(2, 2));
    let mut session = open(&device, &build);
    device.set_script(|memory, launch| {
        memory.finish(launch, 0);
        Ok(())
    });
    let options = RunOptions {
        capture: Some(build.folder().to_owned()),
        ..record(everything())
    };
    let outcome = session.run(&graph(), &options).expect("runs");
    let mut findings = outcome.verdict.findings.iter();
    let finding = findings.find(|finding| finding.kind == FindingKind::RecordCount);
    let text = &finding.expect("told").text;
    assert!(text.contains("3 were asked for"), "{text}");
    let file = CaptureFile::open(build.folder().join(CAPTURE_FILE_NAME)).expect("a capture");
    let capture = file.read().expect("readable");
    let run = capture
        .run(outcome.run_id)
        .expect("decodes")
        .expect("there");
    let told = run.session();
    assert_eq!(
        (told.swimlane_level, told.pmu_event, told.issue_depth),
        (4, 2, 1)
    );
    let last = told.lanes.last().expect("lanes");
    assert_eq!((last.kind, last.record_bytes), (Kind::TENSOR, 192));
    assert_eq!((last.arena_bytes, last.policy), (16 << 20, Policy::Block));
}

#[test]
fn what_is_recorded_costs_what_was_said_and_no_more_than_the_budget() {
    let (device, build) = (FakeDevice::new(), FakeBuild::new(2, 2));
    let mut session = open(&device, &build);
    let all = RunOptions {
        collectors: everything(),
        ..RunOptions::default()
    };
    let cost = session.memory(&all).expect("fits");
    let collectors: Vec<Kind> = cost.collectors.iter().map(|(kind, _)| *kind).collect();
    assert_eq!(collectors, Kind::ALL);
    let sum: u64 = cost.collectors.iter().map(|(_, bytes)| bytes).sum();
    assert!(sum < cost.capture_bytes && cost.capture_bytes - sum < 3 << 20);
    let swimlane = |level| {
        let options = RunOptions {
            collectors: Collectors::swimlane(level),
            ..RunOptions::default()
        };
        session.memory(&options).expect("fits").capture_bytes
    };
    assert_eq!(swimlane(0), 0);
    assert!(swimlane(2) < swimlane(4) && swimlane(4) <= 16 << 20);
    let before = device.allocations.load(Ordering::Relaxed);
    let mut tight = all.clone();
    tight.collectors.memory_budget_bytes = Some(cost.capture_bytes - 1);
    let told = session.run(&graph(), &tight).expect_err("refused");
    let expected = format!(
        "memory-budget: {} bytes, what is recorded needs {cost}",
        cost.capture_bytes - 1
    );
    assert_eq!(told.to_string(), expected);
    assert_eq!(device.allocations.load(Ordering::Relaxed), before);
    let mut enough = all;
    enough.collectors.memory_budget_bytes = Some(cost.capture_bytes);
    let outcome = session.run(&graph(), &enough);
    assert_eq!(outcome.expect("runs").memory, cost);
}

#[test]
fn collectors_that_cannot_be_are_refused_by_name() {
    let (device, build) = (FakeDevice::new(), FakeBuild::new(2, 2));
    let session = open(&device, &build);
    let refused = |change: &dyn Fn(&mut RunOptions)| {
        let mut options = record(everything());
        change(&mut options);
        let refused = session.check(&graph(), &options);
        refused.expect_err("refused").to_string()
    };
    let dump = |change: &dyn Fn(&mut DumpOptions)| {
        refused(&|options| change(options.collectors.dump.as_mut().expect("on")))
    };
    let truncate = LaneOptions {
        policy: Policy::Truncate,
        ..LaneOptions::default()
    };
    let told = refused(&|options| {
        options.collectors.swimlane = SwimlaneOptions {
            level: 2,
            lanes: truncate,
        };
    });
    assert_eq!(
        told,
        "swimlane: truncate is for tensors, expected block or drop-newest"
    );
    let told = refused(&|options| options.issue_depth = Some(2));
    assert_eq!(told, "issue-depth: 2, expected 1 with pmu on a2a3");
    let told = refused(&|options| options.collectors.pmu.as_mut().expect("on").event = 3);
    assert!(told.starts_with("pmu: a2a3 has no event type 3, it has arithmetic (1)"));
    assert!(dump(&|dump| dump.arena_bytes = 4097).starts_with("dump: an arena of 4097 bytes"));
    assert!(dump(&|dump| dump.arena_bytes = 64).starts_with("dump: an arena of 64 bytes"));
    assert!(dump(&|dump| dump.arena_bytes = 1 << 40).contains("cannot profile"));
    assert!(dump(&|dump| dump.piece_bytes = 0).starts_with("dump: pieces of 0 bytes"));
    let told = dump(&|dump| dump.selection.functions = vec!["col".to_owned()]);
    assert_eq!(told, "dump: no function col, the graph has row (4)");
}

#[test]
fn event_types_are_found_by_name_and_number() {
    let found = |chip: Chip, text| pmu_event(chip.info(), text).map(|event| event.number);
    assert_eq!(found(Chip::A2a3, "Pipe-Utilization").ok(), Some(2));
    assert_eq!(found(Chip::A2a3, "8").ok(), Some(8));
    for chip in Chip::ALL {
        for event in chip.info().pmu_events {
            assert_eq!(found(chip, event.name).ok(), Some(event.number));
        }
    }
    let told = found(Chip::A5, "pipes").expect_err("refused").to_string();
    assert!(told.starts_with("pmu: a5 has no event type pipes, it has arithmetic (1), "));
}
