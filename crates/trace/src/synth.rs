//! Made-up runs of any size: for benches, for tests, and for trying a viewer.
//!
//! Tasks are dealt to the cores in turn, each may be dispatched while its core still runs the one
//! before, and each has edges from a few tasks dealt some rounds earlier. All order rules of a real run
//! hold: dispatch ≤ receive ≤ start ≤ end ≤ finish, no overlap on a core, no consumer dispatched
//! before its producer ended. One seed, one run. Memory does not grow with the number of tasks.

use crate::{Core, EdgeTable, Functions, Session, Task, Trace, TraceError, TraceParts};
use lanescope_abi::capture::Policy;
use lanescope_abi::record::Record;
use lanescope_abi::{Chip, CoreType, Kind, PmuRecord, TaskRecord, Token};
use lanescope_capture::{
    CaptureError, CaptureWriter, Counts, Edge, FunctionName, KindCounts, LaneInfo, RecordBlock,
    SessionInfo, Verdict,
};
use std::io::Write;
use zerocopy::IntoBytes;

/// What to make up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Synth {
    /// The chip whose counter and core types to use.
    pub chip: Chip,
    /// Tasks.
    pub tasks: u32,
    /// Clusters of one cube and two vector cores: 1 to as many as the chip has; others are the nearest.
    pub clusters: u32,
    /// Cores, where they are not whole clusters: a third of them, rounded up, are cube cores. 1 to
    /// [`Synth::MAX_CORES`]; others are the nearest.
    pub cores: Option<u32>,
    /// Edges into each task, as far as there are tasks before it.
    pub edges_per_task: u32,
    /// Mean kernel time.
    pub mean_run_ns: u64,
    /// Whether a capture has hardware counters of every task, too.
    pub pmu: bool,
    /// Another seed, another run.
    pub seed: u64,
}

impl Default for Synth {
    fn default() -> Self {
        Self {
            chip: Chip::A2a3,
            tasks: 1000,
            clusters: 24,
            cores: None,
            edges_per_task: 1,
            mean_run_ns: 10_000,
            pmu: false,
            seed: 0,
        }
    }
}

const FUNCTIONS: [(u32, &str); 5] = [
    (0, "QK"),
    (1, "PV"),
    (2, "softmax"),
    (3, "update"),
    (4, "copy"),
];

const RUN_ID: u32 = 1;

impl Synth {
    /// Most cores a made-up run has.
    pub const MAX_CORES: u32 = 4096;
    /// Most edges into a task.
    pub const MAX_EDGES: u32 = ROUNDS_BACK - 1;

    /// The tasks, in the order in which they are dealt; the id of each is its place.
    #[must_use]
    pub fn tasks(&self) -> SynthTasks {
        let cores = self.core_count();
        SynthTasks {
            settings: *self,
            next: 0,
            cores: vec![CoreState::default(); cores as usize],
            ends: vec![0; (cores * ROUNDS_BACK) as usize],
            random: Random::seeded(self.seed),
        }
    }

    /// Every edge as (producer, consumer).
    pub fn edges(&self) -> impl Iterator<Item = (u32, u32)> + Clone + use<> {
        let settings = *self;
        (0..settings.tasks).flat_map(move |consumer| {
            settings
                .producers(consumer)
                .map(move |producer| (producer, consumer))
        })
    }

    /// A trace in memory.
    ///
    /// # Errors
    ///
    /// [`TraceError::TooMany`] when the edges outgrow 32 bits.
    pub fn trace(&self) -> Result<Trace, TraceError> {
        let (edges, _) = EdgeTable::dense(self.tasks, self.edges())?;
        let mut session =
            Session::named(self.chip.info().sim_name, self.chip.info().ticks_per_second);
        session.chip = Some(self.chip);
        session.cores = (0..self.core_count())
            .map(|core| Core {
                core_type: self.core_type(core),
                thread: Some(self.thread(core)),
                first_token: Some(Token::FIRST.raw()),
            })
            .collect();
        session.threads = self.threads();
        session.level = Some(4);
        session.workload = "synth".to_owned();
        session.seed = Some(self.seed);
        Ok(Trace::new(TraceParts {
            session,
            functions: Functions::from_iter(FUNCTIONS),
            tasks: self.tasks().collect(),
            edges,
            ..TraceParts::default()
        }))
    }

    /// Writes the run as a capture file, the way a device would have: one lane per AICPU thread.
    ///
    /// # Errors
    ///
    /// Those of [`CaptureWriter`].
    pub fn write_capture(&self, out: impl Write) -> Result<(), CaptureError> {
        let mut writer = CaptureWriter::new(out)?;
        writer.session(&self.session_info())?;
        let functions = FUNCTIONS.map(|(func_id, name)| FunctionName {
            func_id,
            name: name.to_owned(),
        });
        writer.functions(RUN_ID, &functions)?;
        let mut lanes: Vec<_> = (0..self.threads()).map(Lane::new).collect();
        let mut pmu_lanes: Vec<_> = (0..self.threads())
            .map(|thread| Lane::new(self.threads() + thread))
            .collect();
        for task in self.tasks() {
            let thread = self.thread(u32::from(task.core)) as usize;
            lanes[thread].push(task.record(), &mut writer)?;
            if self.pmu {
                pmu_lanes[thread].push(self.counted(&task), &mut writer)?;
            }
        }
        for lane in &mut lanes {
            lane.flush(&mut writer)?;
        }
        for lane in &mut pmu_lanes {
            lane.flush(&mut writer)?;
        }
        let mut edges = Vec::with_capacity(EDGES_PER_BLOCK);
        for (producer, consumer) in self.edges() {
            edges.push(Edge { producer, consumer });
            if edges.len() == EDGES_PER_BLOCK {
                writer.edges(RUN_ID, &edges)?;
                edges.clear();
            }
        }
        writer.edges(RUN_ID, &edges)?;
        writer.verdict(&self.verdict())?;
        writer.end_run(RUN_ID)?;
        writer.into_inner().map(drop)
    }

    /// The counters of a task, of which each counts a part of its cycles.
    fn counted(&self, task: &Task) -> PmuRecord {
        let cycles = (task.end_ticks - task.start_ticks) * CYCLES_PER_TICK;
        let part = |counter: u64| u32::try_from(cycles * (counter + 1) / 16).unwrap_or(u32::MAX);
        PmuRecord {
            task_id: task.task_id,
            func_id: task.func_id,
            core: task.core,
            core_type: task.core_type as u8,
            token: task.token,
            run_id: RUN_ID,
            total_cycles: cycles,
            counters: std::array::from_fn(|counter| part(counter as u64)),
            event: PMU_EVENT,
            ticks: task.finish_ticks,
            ..PmuRecord::default()
        }
    }

    fn lane_info(&self, kind: Kind, record_bytes: u32) -> impl Iterator<Item = LaneInfo> {
        (0..self.threads()).map(move |thread| LaneInfo {
            kind,
            thread,
            buffers: 1,
            records_per_buffer: u32::try_from(RECORDS_PER_BUFFER).expect("it is small"),
            record_bytes,
            arena_bytes: 0,
            policy: Policy::default(),
        })
    }

    fn session_info(&self) -> SessionInfo {
        let cores = 0..self.core_count();
        SessionInfo {
            run_id: RUN_ID,
            platform: self.chip.info().sim_name.to_owned(),
            chip: self.chip,
            core_types: cores.clone().map(|core| self.core_type(core)).collect(),
            thread_count: self.threads(),
            core_to_thread: cores.clone().map(|core| self.thread(core)).collect(),
            first_tokens: cores.map(|_| Token::FIRST.raw()).collect(),
            ring_size: 2,
            issue_depth: 2,
            swimlane_level: 4,
            pmu_event: if self.pmu { PMU_EVENT } else { 0 },
            lanes: self
                .lane_info(Kind::TASK, TaskRecord::BYTES)
                .chain(self.lane_info(Kind::PMU, PmuRecord::BYTES))
                .take(self.threads() as usize * (1 + usize::from(self.pmu)))
                .collect(),
            ticks_per_second: self.chip.info().ticks_per_second,
            workload: "synth".to_owned(),
            task_count: Some(u64::from(self.tasks)),
            seed: Some(self.seed),
            ..SessionInfo::default()
        }
    }

    fn verdict(&self) -> Verdict {
        let mut verdict = Verdict::new(RUN_ID);
        let tasks = u64::from(self.tasks);
        verdict.expected_tasks = Some(tasks);
        verdict.dispatched = tasks;
        // Each task has one record of each kind.
        let counts = Counts {
            total: tasks,
            collected: tasks,
            ..Counts::default()
        };
        let kinds = [Kind::TASK, Kind::PMU].into_iter();
        for kind in kinds.take(1 + usize::from(self.pmu)) {
            let expected = Some(tasks);
            verdict.kinds.push(KindCounts {
                kind,
                expected,
                counts,
            });
            verdict.totals.total += tasks;
            verdict.totals.collected += tasks;
        }
        verdict
    }

    fn clusters(&self) -> u32 {
        self.clusters.clamp(1, self.chip.info().max_clusters)
    }

    fn core_count(&self) -> u32 {
        match self.cores {
            Some(cores) => cores.clamp(1, Self::MAX_CORES),
            None => self.chip.info().core_count(self.clusters()),
        }
    }

    fn core_type(&self, core: u32) -> CoreType {
        match self.cores {
            Some(_) if core < self.core_count().div_ceil(3) => CoreType::Aic,
            Some(_) => CoreType::Aiv,
            None => self.chip.info().core_type(self.clusters(), core),
        }
    }

    fn threads(&self) -> u32 {
        self.chip.info().default_threads
    }

    fn thread(&self, core: u32) -> u32 {
        core % self.threads()
    }

    /// The producers of a task: distinct, and dealt at least one round before it.
    fn producers(&self, consumer: u32) -> impl Iterator<Item = u32> + Clone + use<> {
        let cores = self.core_count();
        // One producer per round back, so that none is named twice.
        let rounds = self.edges_per_task.min(Self::MAX_EDGES);
        let mut random = Random::seeded(self.seed ^ (u64::from(consumer) << 20));
        let column = random.below(u64::from(cores));
        (1..=rounds).filter_map(move |round| {
            let first = (consumer - consumer % cores).checked_sub(round * cores)?;
            Some(first + (column + round * 7) % cores)
        })
    }
}

const RECORDS_PER_BUFFER: usize = 1024;
const EDGES_PER_BLOCK: usize = 1 << 16;

/// The event type of made-up counters: use of the pipes, which both chips have.
const PMU_EVENT: u32 = 2;
const CYCLES_PER_TICK: u64 = 36;

/// A lane on its way into the capture.
struct Lane<R> {
    number: u32,
    sequence: u64,
    records: Vec<R>,
}

impl<R: Record> Lane<R> {
    fn new(number: u32) -> Self {
        Self {
            number,
            sequence: 0,
            records: Vec::with_capacity(RECORDS_PER_BUFFER),
        }
    }

    fn push(
        &mut self,
        record: R,
        writer: &mut CaptureWriter<impl Write>,
    ) -> Result<(), CaptureError> {
        self.records.push(record);
        match self.records.len() {
            RECORDS_PER_BUFFER => self.flush(writer),
            _ => Ok(()),
        }
    }

    fn flush(&mut self, writer: &mut CaptureWriter<impl Write>) -> Result<(), CaptureError> {
        if self.records.is_empty() {
            return Ok(());
        }
        let bytes = self.records.as_bytes();
        writer.records(&RecordBlock {
            kind: R::KIND,
            lane: self.number,
            run_id: RUN_ID,
            sequence: self.sequence,
            record_bytes: R::BYTES,
            checksum: RecordBlock::checksum(bytes),
            bytes,
        })?;
        self.sequence += 1;
        self.records.clear();
        Ok(())
    }
}

/// How many rounds of dealing the ends of tasks are remembered.
const ROUNDS_BACK: u32 = 8;

/// The tasks of a [`Synth`].
#[derive(Clone, Debug)]
pub struct SynthTasks {
    settings: Synth,
    next: u32,
    cores: Vec<CoreState>,
    /// End of each of the last tasks, by place modulo the length.
    ends: Vec<u64>,
    random: Random,
}

#[derive(Clone, Copy, Debug, Default)]
struct CoreState {
    start: u64,
    end: u64,
    dealt: u64,
}

impl Iterator for SynthTasks {
    type Item = Task;

    fn next(&mut self) -> Option<Task> {
        if self.next == self.settings.tasks {
            return None;
        }
        let id = self.next;
        self.next += 1;
        let rate = self.settings.chip.info().ticks_per_second;
        let ticks = |ns: u64| (ns * rate / 1_000_000_000).max(1);
        let core = id % self.settings.core_count();
        let remembered = self.ends.len();
        let ready = self
            .settings
            .producers(id)
            .map(|producer| self.ends[producer as usize % remembered])
            .max()
            .unwrap_or(0);
        let state = &mut self.cores[core as usize];
        let jitter = ticks(20 + self.random.below_u64(400));
        let dispatch = ready.max(state.start).max(ticks(1_000_000)) + jitter;
        let receive = (dispatch + ticks(140)).max(state.end);
        let start = receive + ticks(60);
        let mean = self.settings.mean_run_ns.max(2);
        let end = start + ticks(mean / 2 + self.random.below_u64(mean));
        let finish = end + ticks(600) + self.random.below_u64(ticks(300));
        *state = CoreState {
            start,
            end,
            dealt: state.dealt + 1,
        };
        let token = Token::FIRST.advance(state.dealt - 1);
        self.ends[id as usize % remembered] = end;
        let core_type = self.settings.core_type(core);
        Some(Task {
            task_id: u64::from(id),
            func_id: match core_type {
                CoreType::Aic => id % 2,
                CoreType::Aiv => 2 + id % 3,
            },
            core: u16::try_from(core).expect("a chip has fewer than 65536 cores"),
            core_type,
            token: token.raw(),
            run_id: RUN_ID,
            dispatch_ticks: dispatch,
            receive_ticks: receive,
            start_ticks: start,
            end_ticks: end,
            finish_ticks: finish,
        })
    }
}

/// SplitMix64.
#[derive(Clone, Copy, Debug)]
struct Random(u64);

impl Random {
    fn seeded(seed: u64) -> Self {
        Self(seed.wrapping_add(0x9E37_79B9_7F4A_7C15))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below_u64(&mut self, limit: u64) -> u64 {
        self.next() % limit.max(1)
    }

    fn below(&mut self, limit: u64) -> u32 {
        u32::try_from(self.below_u64(limit)).expect("the limit fits 32 bits")
    }
}
