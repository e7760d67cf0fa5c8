//! Status lines that hold nonsense: the run ends, in a verdict or an error that is short and names it.

use crate::fake::{FakeBuild, FakeDevice, Looks, Memory};
use lanescope_abi::Section;
use lanescope_abi::control::{ControlHeader, CoreAnswer, CoreOrder, ThreadStatus};
use lanescope_abi::hash::{FIELDS, Field};
use lanescope_capture::{FindingKind, Outcome};
use lanescope_platform::{Device, Launch, PlatformError, StreamKind};
use lanescope_runtime::{
    CoreType, Graph, RunOptions, RunOutcome, RuntimeError, Session, SessionOptions,
};
use lanescope_stress::{Effort, Numbers, Tried};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Structures of the control region that the device writes and the host reads.
const WRITTEN: [&str; 3] = ["CoreOrder", "CoreAnswer", "ThreadStatus"];

/// Cores and tasks of every run here; each core runs one task.
const CORES: u32 = 3;

/// Longest text of an error or a finding.
const LONGEST: usize = 1500;

fn fields() -> impl Iterator<Item = &'static Field> {
    let is_written = |field: &&Field| WRITTEN.contains(&field.structure);
    FIELDS.iter().filter(is_written)
}

/// One word of the status lines, and what the device puts there.
#[derive(Clone, Copy, Debug)]
struct Lie {
    field: &'static Field,
    line: u32,
    value: u64,
}

impl Lie {
    fn tell(&self, memory: &Memory, launch: &Launch) {
        let header: ControlHeader = memory.header(launch);
        let section = match self.field.structure {
            "CoreOrder" => header.orders,
            "CoreAnswer" => header.answers,
            _ => header.threads,
        };
        let line = launch.control.0 + section.at(self.line % section.count);
        let word = line + self.field.offset_bytes as u64;
        if self.field.bytes == 8 {
            memory.write(word, &self.value);
        } else {
            let low = u32::try_from(self.value & u64::from(u32::MAX)).expect("32 bits");
            memory.write(word, &low);
        }
    }
}

/// A device and a session on it.
struct Bed {
    device: Arc<FakeDevice>,
    session: Session,
    graph: Graph,
}

impl Bed {
    fn new(build: &FakeBuild) -> Self {
        let device = FakeDevice::new();
        let session = Session::open(
            Arc::clone(&device) as Arc<dyn Device>,
            &build.build,
            &SessionOptions::default(),
        );
        let mut graph = Graph::new("three");
        let add = graph.function("add", 5, Arc::from(b"kernel add".as_slice()));
        graph.task(add, CoreType::Aic, &[]);
        graph.task(add, CoreType::Aiv, &[]);
        graph.task(add, CoreType::Aiv, &[]);
        Self {
            device,
            session: session.expect("opens"),
            graph,
        }
    }

    /// A run that does all its work, tells these lies, and ends well or not.
    fn run(&mut self, lies: Vec<Lie>, ends_well: bool) -> Result<RunOutcome, RuntimeError> {
        self.device.set_script(move |memory, launch| {
            memory.finish(launch, 1);
            lies.iter().for_each(|lie| lie.tell(memory, launch));
            if ends_well { Ok(()) } else { Err(refusal()) }
        });
        let options = RunOptions {
            clusters: Some(1),
            ..RunOptions::default()
        };
        self.session.run(&self.graph, &options)
    }
}

fn refusal() -> PlatformError {
    PlatformError::Driver {
        call: "rtKernelLaunchWithHandleV2",
        code: 507_015,
        name: "AICore exception",
        hint: "",
        detail: String::new(),
    }
}

fn boundaries(bytes: usize) -> Vec<u64> {
    let most = if bytes == 8 {
        u64::MAX
    } else {
        u64::from(u32::MAX)
    };
    let mut values = vec![
        0,
        2,
        9,
        15,
        16,
        1 << 20,
        0x7FFF_FFFF,
        most,
        most - 1,
        most / 2 + 1,
    ];
    // Run and core numbers of these very runs.
    values.extend([1, 3]);
    values
}

/// A verdict that counted tasks alone: wrong when the counts are.
fn judge_verdict(outcome: &RunOutcome, what: &str) {
    let verdict = &outcome.verdict;
    assert!(verdict.findings.len() < 10);
    for finding in &verdict.findings {
        assert!(finding.text.len() < LONGEST, "{what}: {}", finding.text);
    }
    let sum = outcome
        .dispatched
        .iter()
        .fold(0, |sum: u64, &count| sum.saturating_add(count));
    assert_eq!(verdict.dispatched, sum, "{what}");
    let expected = if sum == u64::from(CORES) {
        Outcome::Exact
    } else {
        Outcome::Broken
    };
    assert_eq!(verdict.outcome, expected, "{what}");
}

#[test]
fn any_status_word_of_a_run_that_ended_is_told_or_means_nothing() {
    let build = FakeBuild::new(2, 2);
    let mut bed = Bed::new(&build);
    for field in fields() {
        for value in boundaries(field.bytes) {
            let lie = Lie {
                field,
                line: 1,
                value,
            };
            let what = format!("{}.{} = {value:#x}", field.structure, field.name);
            let outcome = bed
                .run(vec![lie], true)
                .expect("the driver says that it ended");
            judge_verdict(&outcome, &what);
            // What is counted is found; the rest tells of failures, and there was none.
            let is_counted = match (field.structure, field.name) {
                ("CoreOrder", "dispatched") => value != 1,
                ("CoreOrder", "ready_run") => value != u64::from(outcome.run_id),
                _ => false,
            };
            let is_found = outcome.verdict.findings.iter().any(|finding| {
                finding.kind == FindingKind::TaskCount && finding.text.contains("the graph has 3")
            });
            assert_eq!(
                is_found, is_counted,
                "{what}: {:?}",
                outcome.verdict.findings
            );
        }
    }
}

#[test]
fn any_status_word_of_a_run_that_failed_gives_a_short_error() {
    let build = FakeBuild::new(2, 2);
    let mut bed = Bed::new(&build);
    let error_of = |structure: &str, value: u64| {
        let is_error = |field: &&Field| field.structure == structure && field.name == "error";
        let field = fields().find(is_error).expect("it has an error");
        Lie {
            field,
            line: 0,
            value,
        }
    };
    for field in fields() {
        for value in boundaries(field.bytes) {
            // Alone, beside a time-out of the thread, and beside an ABI mismatch, whose field and
            // value are told; for cores beside an error of theirs.
            for beside in [None, Some(4), Some(1)] {
                let mut lies = vec![Lie {
                    field,
                    line: 0,
                    value,
                }];
                if let Some(error) = beside {
                    let structure = match field.structure {
                        "CoreAnswer" => "CoreAnswer",
                        _ => "ThreadStatus",
                    };
                    lies.insert(0, error_of(structure, error));
                }
                let what = format!("{}.{} = {value:#x}", field.structure, field.name);
                let error = bed.run(lies, false).expect_err("the launch failed");
                let text = error.to_string();
                assert!(text.len() < LONGEST, "{what}: {text}");
                assert!(!text.contains('\n'), "{what}: {text}");
                if let RuntimeError::Device(failure) = &error {
                    assert!(failure.in_flight.len() <= CORES as usize);
                    assert!(
                        text.contains("AICPU thread 0") || text.contains("core 0"),
                        "{text}"
                    );
                    assert!(text.contains("507015"), "{text}");
                }
                let is_told =
                    (field.structure, field.name) == ("ThreadStatus", "error") && value != 0;
                assert!(
                    !is_told || matches!(error, RuntimeError::Device(_)),
                    "{what}: {text}"
                );
            }
        }
    }
}

#[test]
fn noise_in_all_status_lines_ends_the_run_all_the_same() {
    let build = FakeBuild::new(2, 2);
    let effort = Effort::new("noise_in_all_status_lines_ends_the_run_all_the_same", 300);
    while let Some(seed) = effort.next_seed() {
        let mut bed = Bed::new(&build);
        let mut numbers = Numbers::new(seed);
        for ends_well in [true, false, true] {
            let lines = |field: &'static Field| (0..CORES).map(move |line| (field, line));
            let mut lies: Vec<Lie> = fields()
                .flat_map(lines)
                .map(|(field, line)| {
                    // Often the number of the run, so that the line is believed to be of it.
                    let value = match numbers.draw() % 3 {
                        0 => numbers.draw(),
                        1 => numbers.draw() % 16,
                        _ => 1 + numbers.draw() % 3,
                    };
                    Lie { field, line, value }
                })
                .collect();
            lies.retain(|_| numbers.below(4) != 0);
            effort.add(Tried::Bytes, lies.len() as u64 * 4);
            match bed.run(lies, ends_well) {
                Ok(outcome) => judge_verdict(&outcome, "noise"),
                Err(error) => assert!(error.to_string().len() < LONGEST, "seed {seed}: {error}"),
            }
        }
        effort.add(Tried::Runs, 3);
        let outcome = bed.run(Vec::new(), true).expect("an honest run");
        assert_eq!(outcome.verdict.outcome, Outcome::Exact, "seed {seed}");
    }
}

/// A device that says it got further whenever it is looked at, and never ends.
#[test]
fn progress_beyond_the_graph_is_no_progress() {
    const LATES: usize = 30;
    let build = FakeBuild::new(2, 2);
    let mut bed = Bed::new(&build);
    let late = || PlatformError::Timeout {
        stream: StreamKind::Aicpu,
        limit: Duration::from_secs(50),
    };
    let lates: Vec<_> = (0..LATES).map(|_| late()).collect();
    bed.device
        .synchronize
        .lock()
        .expect("no panic")
        .extend(lates);
    let place = Arc::new(Mutex::new(None));
    let known = Arc::clone(&place);
    let script = move |memory: &Memory, launch: &Launch| {
        memory.finish(launch, 1);
        let threads: Section = memory.header(launch).threads;
        let word = launch.control.0 + threads.at(0);
        *known.lock().expect("no panic") = Some(word);
        Ok(())
    };
    bed.device.set_script(script);
    let (count, looks) = (AtomicU64::new(0), Arc::new(Looks::default()));
    let seen = Arc::clone(&looks);
    *bed.device.meanwhile.lock().expect("no panic") =
        Some(Box::new(move || looks.wait_for_another()));
    bed.session.on_progress(move |progress| {
        assert!(progress.completed <= progress.total);
        let line = place.lock().expect("no panic").expect("it was launched");
        let completed = std::mem::offset_of!(ThreadStatus, completed) as u64;
        let count = count.fetch_add(1, Ordering::Relaxed) + 1;
        Memory.write(line + completed, &(count * 10));
        seen.add();
    });
    let options = RunOptions {
        clusters: Some(1),
        ..RunOptions::default()
    };
    let error = bed
        .session
        .run(&bed.graph, &options)
        .expect_err("it never ends");
    assert!(
        error.to_string().contains("waiting for the AICPU program"),
        "{error}"
    );
    let left = bed.device.synchronize.lock().expect("no panic").len();
    // One wait for each task at most, one without news, and those after the abort.
    assert!(LATES - left <= CORES as usize + 4, "{} waits", LATES - left);
    // The lines that the host reads are these and no others.
    const { assert!(size_of::<CoreOrder>() == 64 && size_of::<CoreAnswer>() == 64) };
}
