//! Captures and traces in memory are the same run; what does not fit is noted, not lost.
#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

use lanescope_abi::{CoreType, Kind};
use lanescope_capture::{CaptureWriter, Edge, RecordBlock, SessionInfo};
use lanescope_trace::synth::Synth;
use lanescope_trace::{Outcome, Task, Trace, TraceError, capture};
use std::path::PathBuf;
use zerocopy::IntoBytes;

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path =
            std::env::temp_dir().join(format!("lanescope-trace-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn write(&self, bytes: &[u8]) -> PathBuf {
        let path = self.0.join("capture.lanescope");
        std::fs::write(&path, bytes).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn sorted(trace: &Trace) -> Vec<Task> {
    let mut tasks: Vec<Task> = trace.tasks().collect();
    tasks.sort_by_key(|task| (task.task_id, task.core));
    tasks
}

#[test]
fn a_capture_reads_as_the_trace_it_was_made_from() {
    let synth = Synth {
        tasks: 5000,
        edges_per_task: 2,
        ..Synth::default()
    };
    let mut bytes = Vec::new();
    synth.write_capture(&mut bytes).unwrap();
    let folder = Folder::new("same");
    folder.write(&bytes);
    let mapped = Trace::open(&folder.0).unwrap();
    let owned = synth.trace().unwrap();
    assert_eq!(mapped.notes(), []);
    assert_eq!(mapped.task_count(), 5000);
    assert_eq!(sorted(&mapped), sorted(&owned));
    let edges = |trace: &Trace| trace.edges().iter().collect::<Vec<_>>();
    assert_eq!(edges(&mapped), edges(&owned));
    assert_eq!(mapped.dangling_edges(), 0);
    assert_eq!(mapped.bounds_ticks(), owned.bounds_ticks());
    assert_eq!(mapped.session().cores, owned.session().cores);
    assert_eq!(mapped.functions(), owned.functions());
    assert!(mapped.verdict().is_some());
}

#[test]
fn stretches_together_are_the_tasks_in_order() {
    let synth = Synth {
        tasks: 5000,
        ..Synth::default()
    };
    let mut bytes = Vec::new();
    synth.write_capture(&mut bytes).unwrap();
    let folder = Folder::new("stretches");
    folder.write(&bytes);
    let mapped = Trace::open(&folder.0).unwrap();
    for trace in [&mapped, &synth.trace().unwrap(), &Trace::default()] {
        let tasks: Vec<Task> = trace.tasks().collect();
        for count in [0, 1, 2, 3, 7, 10_000] {
            let stretches = trace.task_stretches(count);
            assert!((1..=count.max(1)).contains(&stretches.len()), "{count}");
            let together: Vec<Task> = stretches.into_iter().flatten().collect();
            assert!(together == tasks, "{count} stretches");
        }
    }
    assert!(mapped.task_stretches(2).len() == 2);
}

#[test]
fn a_made_up_run_keeps_every_order_rule() {
    let synth = Synth {
        tasks: 20_000,
        edges_per_task: 3,
        seed: 5,
        ..Synth::default()
    };
    let tasks: Vec<Task> = synth.tasks().collect();
    let mut core_end = vec![0; 72];
    for task in &tasks {
        assert!(task.dispatch_ticks <= task.receive_ticks);
        assert!(task.receive_ticks <= task.start_ticks);
        assert!(task.start_ticks < task.end_ticks);
        assert!(task.end_ticks <= task.finish_ticks);
        let end = &mut core_end[usize::from(task.core)];
        assert!(task.start_ticks >= *end);
        *end = task.end_ticks;
    }
    let mut edges = 0;
    for (producer, consumer) in synth.edges() {
        let (producer, consumer) = (&tasks[producer as usize], &tasks[consumer as usize]);
        assert!(producer.end_ticks <= consumer.dispatch_ticks);
        edges += 1;
    }
    assert!(edges > 59_000);
}

fn session(cores: usize) -> SessionInfo {
    SessionInfo {
        run_id: 3,
        core_types: vec![CoreType::Aiv; cores],
        ticks_per_second: 50_000_000,
        ..SessionInfo::default()
    }
}

fn capture_of(session: &SessionInfo, tasks: &[Task], edges: &[Edge], ids: &[u64]) -> Vec<u8> {
    let records: Vec<_> = tasks.iter().map(Task::record).collect();
    let bytes = records.as_bytes();
    let mut writer = CaptureWriter::new(Vec::new()).unwrap();
    writer.session(session).unwrap();
    writer.edges(3, edges).unwrap();
    writer.task_ids(3, ids).unwrap();
    writer
        .records(&RecordBlock {
            kind: Kind::TASK,
            lane: 0,
            run_id: 3,
            sequence: 0,
            record_bytes: lanescope_abi::TaskRecord::BYTES,
            checksum: RecordBlock::checksum(bytes),
            bytes,
        })
        .unwrap();
    writer.end_run(3).unwrap();
    writer.into_inner().unwrap()
}

fn task(task_id: u64, core: u16, start_ticks: u64) -> Task {
    Task {
        task_id,
        core,
        core_type: CoreType::Aiv,
        run_id: 3,
        start_ticks,
        end_ticks: start_ticks + 5,
        ..Task::default()
    }
}

#[test]
fn rows_out_of_order_are_sorted_and_noted() {
    let tasks = [task(1, 0, 50), task(0, 0, 10), task(2, 1, 20)];
    let folder = Folder::new("order");
    let path = folder.write(&capture_of(&session(2), &tasks, &[], &[]));
    let trace = capture::read(&path).unwrap().remove(0);
    let ids: Vec<u64> = trace.tasks().map(|task| task.task_id).collect();
    assert_eq!(ids, [0, 2, 1]);
    assert_eq!(trace.notes().len(), 1);
    assert_eq!(trace.notes()[0].count, 1);
}

#[test]
fn a_task_that_ran_twice_on_one_core_stays_two_rows() {
    // Two blocks of one task: the same id, the same core, another token.
    let blocks = [(10, 16), (20, 17)].map(|(start_ticks, token)| Task {
        token,
        ..task(7, 0, start_ticks)
    });
    let folder = Folder::new("blocks");
    let path = folder.write(&capture_of(&session(1), &blocks, &[], &[]));
    let trace = capture::read(&path).unwrap().remove(0);
    assert_eq!(trace.tasks().collect::<Vec<_>>(), blocks);
}

#[test]
fn a_core_that_the_session_does_not_have_is_noted() {
    let tasks = [task(0, 0, 10), task(1, 9, 20)];
    let folder = Folder::new("foreign");
    let path = folder.write(&capture_of(&session(2), &tasks, &[], &[]));
    let trace = capture::read(&path).unwrap().remove(0);
    assert_eq!(trace.task_count(), 1);
    assert_eq!(trace.session().cores.len(), 2);
    assert!(trace.notes()[0].text.contains("core"));
}

#[test]
fn edges_by_index_become_edges_by_task_id() {
    let tasks = [task(700, 0, 10), task(800, 0, 20)];
    let stray = Edge {
        producer: 0,
        consumer: 2,
    };
    let edge = Edge {
        producer: 0,
        consumer: 1,
    };
    let folder = Folder::new("ids");
    let bytes = capture_of(&session(1), &tasks, &[edge, stray], &[700, 800]);
    let trace = capture::read(&folder.write(&bytes)).unwrap().remove(0);
    assert_eq!(trace.edges().iter().collect::<Vec<_>>(), [(700, 800)]);
    assert_eq!(trace.notes()[0].count, 1);
}

#[test]
fn an_edge_index_out_of_all_proportion_takes_no_table() {
    let edge = Edge {
        producer: u32::MAX - 1,
        consumer: 1,
    };
    let folder = Folder::new("huge");
    let bytes = capture_of(&session(1), &[task(1, 0, 10)], &[edge], &[]);
    let trace = capture::read(&folder.write(&bytes)).unwrap().remove(0);
    assert_eq!(trace.edges().node_count(), 2);
    assert_eq!(trace.dangling_edges(), 1);
}

#[test]
fn a_cut_file_gives_what_is_whole_and_says_so() {
    let synth = Synth {
        tasks: 9000,
        ..Synth::default()
    };
    let mut bytes = Vec::new();
    synth.write_capture(&mut bytes).unwrap();
    let folder = Folder::new("cut");
    let path = folder.write(&bytes[..bytes.len() / 2]);
    let trace = capture::read(&path).unwrap().remove(0);
    assert!(trace.task_count() > 0 && trace.task_count() < 9000);
    let verdict = trace.verdict().expect("a capture always has one");
    assert_eq!(verdict.outcome, lanescope_capture::Outcome::Partial);
    let notes: Vec<&str> = trace
        .notes()
        .iter()
        .map(|note| note.text.as_str())
        .collect();
    assert!(
        notes.iter().any(|text| text.contains("left out")),
        "{notes:?}"
    );
    assert!(
        notes.iter().any(|text| text.contains("without its end")),
        "{notes:?}"
    );
}

#[test]
fn what_cannot_be_read_is_named() {
    let folder = Folder::new("nothing");
    let error = Trace::open(&folder.0).unwrap_err();
    assert!(matches!(error, TraceError::NothingToRead { .. }));
    assert!(error.to_string().contains("capture.lanescope"), "{error}");
    let path = folder.write(b"not a capture at all");
    assert!(matches!(
        Trace::open(&path).unwrap_err(),
        TraceError::Capture { .. }
    ));
    let empty = CaptureWriter::new(Vec::new())
        .unwrap()
        .into_inner()
        .unwrap();
    let path = folder.write(&empty);
    let error = Trace::open(&path).unwrap_err();
    assert!(matches!(error, TraceError::NoRun { damage: None, .. }));
    assert!(
        error
            .hint()
            .unwrap()
            .contains("before anything was recorded")
    );
    // A run of which the first block is damaged is one that nobody can tell the cores of.
    let mut bytes = Vec::new();
    Synth::default().write_capture(&mut bytes).unwrap();
    bytes[200] ^= 1;
    let error = Trace::open(folder.write(&bytes)).unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("no run that can be read: damaged at byte "),
        "{text}"
    );
    assert!(error.hint().unwrap().contains("changed or cut"));
}

#[test]
fn a_made_up_run_with_counters_is_whole() {
    for pmu in [false, true] {
        let synth = Synth {
            tasks: 500,
            pmu,
            ..Synth::default()
        };
        let mut bytes = Vec::new();
        synth.write_capture(&mut bytes).unwrap();
        let folder = Folder::new("counted");
        let trace = Trace::open(folder.write(&bytes)).unwrap();
        let verdict = trace.verdict().unwrap();
        assert_eq!(verdict.outcome, Outcome::Exact, "{:?}", verdict.findings);
        assert_eq!(verdict.kinds.len(), 1 + usize::from(pmu));
        assert_eq!(verdict.totals.collected, 500 * (1 + u64::from(pmu)));
    }
}
