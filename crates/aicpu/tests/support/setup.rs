//! Lays out both regions for a graph, runs the AICPU threads, and gathers what came of it.

use super::core::{Fault, Ran, SimCore};
use super::host::{Host, HostLane, HostMode};
use super::memory::Memory;
use super::{TestDevice, counters_at, window};
use lanescope_abi::capture::{
    CAPTURE_MAGIC, CaptureHeader, CommitCounters, LaneConfig, LaneDevice, LaneHost, NO_BUFFER,
    Policy,
};
use lanescope_abi::control::{
    CONTROL_MAGIC, ControlHeader, CoreAnswer, CoreConfig, CoreOrder, GraphTask, HostLine, Payload,
    SchedulerWords, TaskTensor, ThreadStatus,
};
use lanescope_abi::{
    ABI_HASH, ABI_VERSION, Chip, CoreType, Kind, PhaseRecord, PmuRecord, ReadyEntry, Record,
    Section, TaskRecord, TensorRecord, Token,
};
use lanescope_aicpu::{Failure, schedule};
use std::collections::HashMap;
use std::mem::offset_of;

/// A graph: core type and successors of each task.
#[derive(Clone, Debug)]
pub struct Graph {
    pub tasks: Vec<(CoreType, Vec<u32>)>,
}

/// `count` tasks without edges, on cube and vector cores in turn.
pub fn independent(count: u32) -> Graph {
    let kind = |task: u32| CoreType::ALL[task as usize % 2];
    Graph {
        tasks: (0..count).map(|task| (kind(task), Vec::new())).collect(),
    }
}

/// `width` chains side by side, `count` tasks in all, each chain changing core type.
pub fn chain(width: u32, count: u32) -> Graph {
    let mut graph = independent(count);
    for task in 0..count.saturating_sub(width) {
        let kind = CoreType::ALL[(task / width) as usize % 2];
        graph.tasks[task as usize] = (kind, vec![task + width]);
    }
    graph
}

/// The shape of a lane.
#[derive(Clone, Copy, Debug)]
pub struct Lane {
    pub buffers: u32,
    pub records: u32,
    pub policy: Policy,
    pub block_limit_ticks: u64,
}

/// One launch in the making.
#[derive(Clone, Debug)]
pub struct Setup {
    pub chip: Chip,
    pub ring_size: u32,
    pub issue_depth: u32,
    pub clusters: u32,
    /// The first so many cores of the clusters, instead of all.
    pub only_cores: Option<u32>,
    pub threads: u32,
    pub level: u32,
    pub first_token: u32,
    pub lane: Lane,
    /// Event type of the hardware counters, 0 for none.
    pub pmu_event: u32,
    /// Tensors to record, by task; addresses are offsets in `tensor_memory`.
    pub tensors: Vec<(u32, TaskTensor)>,
    /// What the tensors are windows of.
    pub tensor_memory: Vec<u8>,
    pub tensor_lane: Lane,
    pub arena_bytes: u64,
    pub piece_bytes: u32,
    /// A kind of others with records of 64 bytes, which an own lane carries.
    pub own: Option<Kind>,
    pub host: HostMode,
    pub graph: Graph,
    pub faults: Vec<(u32, Fault)>,
}

/// What a run left behind.
#[derive(Debug)]
pub struct Outcome {
    pub results: Vec<Result<(), Failure>>,
    pub statuses: Vec<ThreadStatus>,
    pub orders: Vec<CoreOrder>,
    pub ran: Vec<Ran>,
    pub records: Vec<TaskRecord>,
    pub phases: Vec<PhaseRecord>,
    pub pmu: Vec<PmuRecord>,
    pub tensors: Vec<(TensorRecord, Vec<u8>)>,
    /// Records of the kind of others, side by side.
    pub own: Vec<u8>,
    /// Of task records, summed over lanes and cores.
    pub counters: CommitCounters,
    /// The same by kind.
    pub by_kind: HashMap<Kind, CommitCounters>,
    pub lanes: Vec<LaneDevice>,
    pub entries: Vec<Vec<ReadyEntry>>,
    pub has_left: Vec<bool>,
}

impl Setup {
    pub fn new(graph: Graph) -> Self {
        Self {
            chip: Chip::A2a3,
            ring_size: 2,
            issue_depth: 2,
            clusters: 2,
            only_cores: None,
            threads: 1,
            level: 4,
            first_token: 16,
            lane: Lane {
                buffers: 4,
                records: 16,
                policy: Policy::Block,
                block_limit_ticks: 100_000,
            },
            pmu_event: 0,
            tensors: Vec::new(),
            tensor_memory: Vec::new(),
            tensor_lane: Lane {
                buffers: 4,
                records: 4,
                policy: Policy::Block,
                block_limit_ticks: 100_000,
            },
            arena_bytes: 4096,
            piece_bytes: 256,
            own: None,
            host: HostMode::Prompt,
            graph,
            faults: Vec::new(),
        }
    }

    pub fn cores(&self) -> u32 {
        self.only_cores.unwrap_or(self.clusters * 3)
    }

    /// The kinds whose lanes the launch has, in the order of the lanes.
    pub fn kinds(&self) -> Vec<Kind> {
        let kinds = [
            (self.level >= 1, Kind::TASK),
            (self.level >= 3, Kind::PHASE),
            (self.pmu_event != 0, Kind::PMU),
            (!self.tensors.is_empty(), Kind::TENSOR),
        ];
        let on = kinds.into_iter().filter(|(is_on, _)| *is_on);
        on.map(|(_, kind)| kind).chain(self.own).collect()
    }

    /// Entries of the table of counter pages.
    fn counter_pages(&self) -> u32 {
        let chip = self.chip.info();
        let is_needed = chip.registers.pmu.has_page && self.pmu_event != 0;
        if is_needed { chip.physical_cores } else { 0 }
    }

    fn slot_lines(&self) -> u32 {
        let is_staged = self.chip.info().registers.pmu.is_read_by_core;
        1 + u32::from(self.pmu_event != 0 && is_staged)
    }

    /// Builds the device with both regions in place.
    pub fn build(&self) -> (TestDevice, ControlHeader) {
        let mut next = Placer { end: 0 };
        let header = self.control_header(&mut next);
        let (capture, configs) = self.capture_header(&mut next);
        let tensor_memory = next.place(1, self.tensor_memory.len()).offset_bytes;
        let memory = Memory::new(next.end);
        let base = memory.base();
        let capture_base = base + header.capture_address;
        let header = ControlHeader {
            capture_address: if self.kinds().is_empty() {
                0
            } else {
                capture_base
            },
            ..header
        };
        memory.write(base, &header);
        self.write_control(&memory, &header);
        memory.write(base + tensor_memory, self.tensor_memory.as_slice());
        self.write_tensors(&memory, &header, base + tensor_memory);
        let lanes = self.write_capture(&memory, capture_base, &capture, &configs);
        let cores = (0..self.cores()).map(|index| {
            let core_type = self.chip.info().core_type(self.clusters, index);
            let mut core = SimCore::new(index, core_type, base, header);
            for (at, fault) in &self.faults {
                if *at == index {
                    core.fault = *fault;
                }
            }
            core
        });
        let host = Host::new(self.host, lanes);
        let device = TestDevice::new(memory, cores.collect(), host, self.chip.info());
        (device, header)
    }

    /// Runs the launch with our executor.
    pub fn run(&self) -> Outcome {
        let (device, header) = self.build();
        self.run_on(&device, &header)
    }

    /// Runs the launch on a device that may have been tampered with.
    pub fn run_on(&self, device: &TestDevice, header: &ControlHeader) -> Outcome {
        let results = self.run_on_raw(device);
        self.outcome(device, header, results)
    }

    /// As [`Setup::run_on`], without a look at what is in the regions afterwards.
    pub fn run_on_raw(&self, device: &TestDevice) -> Vec<Result<(), Failure>> {
        let address = device.world().memory.base();
        let chip = self.chip;
        let run = || {
            let run = match self.ring_size {
                1 => schedule::run::<TestDevice, 1>,
                2 => schedule::run::<TestDevice, 2>,
                4 => schedule::run::<TestDevice, 4>,
                8 => schedule::run::<TestDevice, 8>,
                _ => schedule::run::<TestDevice, 16>,
            };
            // SAFETY: the regions were laid out above and outlive the run; every access is checked.
            unsafe { run(device, address, chip) }
        };
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..self.threads).map(|_| scope.spawn(run)).collect();
            let join = |thread: std::thread::ScopedJoinHandle<'_, _>| thread.join().unwrap();
            threads.into_iter().map(join).collect()
        })
    }

    pub fn outcome(
        &self,
        device: &TestDevice,
        header: &ControlHeader,
        results: Vec<Result<(), Failure>>,
    ) -> Outcome {
        let mut world = device.world();
        let world = &mut *world;
        world.host.drain(&world.memory);
        let (memory, base) = (&world.memory, world.memory.base());
        let mut by_kind: HashMap<Kind, CommitCounters> = HashMap::new();
        if header.capture_address != 0 {
            let capture: CaptureHeader = memory.read(header.capture_address);
            for item in 0..capture.counters.count {
                let lane = item / header.core_count;
                let kind = self.kinds()[(lane / self.threads) as usize];
                let address = header.capture_address + capture.counters.at(item);
                let part: CommitCounters = memory.read(address);
                let counters = by_kind.entry(kind).or_default();
                counters.total += part.total;
                counters.mismatched += part.mismatched;
                for (sum, dropped) in counters.dropped.iter_mut().zip(part.dropped) {
                    *sum += dropped;
                }
            }
        }
        let lanes = &world.host.lanes;
        let mut ran: Vec<Ran> = Vec::new();
        for core in &world.cores {
            ran.extend(&core.ran);
        }
        Outcome {
            results,
            statuses: (0..self.threads)
                .map(|thread| memory.read(base + header.threads.at(thread)))
                .collect(),
            orders: (0..self.cores())
                .map(|core| memory.read(base + header.orders.at(core)))
                .collect(),
            ran,
            records: records(lanes),
            phases: records(lanes),
            pmu: records(lanes),
            tensors: lanes
                .iter()
                .filter(|lane| lane.config.kind == Kind::TENSOR.raw())
                .flat_map(|lane| lane.records().into_iter().zip(lane.payloads.clone()))
                .collect(),
            own: lanes
                .iter()
                .filter(|lane| lane.config.kind >= Kind::FIRST_OWN)
                .flat_map(|lane| lane.bytes.iter().copied())
                .collect(),
            counters: by_kind.get(&Kind::TASK).copied().unwrap_or_default(),
            by_kind,
            lanes: lanes.iter().map(|lane| memory.read(lane.device)).collect(),
            entries: lanes.iter().map(|lane| lane.entries.clone()).collect(),
            has_left: world.cores.iter().map(SimCore::has_left).collect(),
        }
    }

    fn control_header(&self, next: &mut Placer) -> ControlHeader {
        let cores = self.cores();
        let tasks = u32::try_from(self.graph.tasks.len()).unwrap();
        let edges: usize = self.graph.tasks.iter().map(|(_, next)| next.len()).sum();
        let of_type = |kind: CoreType| {
            let count = self
                .graph
                .tasks
                .iter()
                .filter(|(of, _)| *of == kind)
                .count();
            u32::try_from(count).unwrap()
        };
        next.place(1, size_of::<ControlHeader>());
        let mut header = ControlHeader {
            magic: CONTROL_MAGIC,
            abi_hash: ABI_HASH,
            abi_version: ABI_VERSION,
            chip: self.chip as u32,
            ring_size: self.ring_size,
            issue_depth: self.issue_depth,
            core_count: cores,
            thread_count: self.threads,
            run_id: 7,
            swimlane_level: self.level,
            pmu_event: self.pmu_event,
            tensor_piece_bytes: self.piece_bytes,
            handshake_limit_ticks: 50_000,
            // The clock runs with the calls of all threads, also while one waits for a CPU.
            scheduler_limit_ticks: if self.threads == 1 { 200_000 } else { 1 << 40 },
            task_count: tasks,
            host: next.place(1, size_of::<HostLine>()),
            cores: next.place(cores, size_of::<CoreConfig>()),
            registers: next.place(self.chip.info().physical_cores, 8),
            pmu_registers: next.place(self.counter_pages(), 8),
            orders: next.place(cores, size_of::<CoreOrder>()),
            answers: next.place(cores, size_of::<CoreAnswer>()),
            threads: next.place(self.threads, size_of::<ThreadStatus>()),
            payloads: next.place(cores * self.ring_size, size_of::<Payload>()),
            scheduler: next.place(1, size_of::<SchedulerWords>()),
            tasks: next.place(tasks, size_of::<GraphTask>()),
            args: next.place(8, 8),
            successors: next.place(u32::try_from(edges).unwrap(), 4),
            fan_in: next.place(tasks, 4),
            ready: CoreType::ALL.map(|kind| next.place(of_type(kind), 4)),
            tensors: next.place(
                u32::try_from(self.tensors.len()).unwrap(),
                size_of::<TaskTensor>(),
            ),
            ..ControlHeader::default()
        };
        header.control_bytes = next.end;
        // An offset until the memory has an address.
        header.capture_address = next.end;
        let (capture, _) = self.capture_header(&mut Placer { end: next.end });
        header.capture_bytes = capture.capture_bytes;
        header
    }

    /// The capture header with offsets from its own start, and the lanes.
    fn capture_header(&self, next: &mut Placer) -> (CaptureHeader, Vec<LaneConfig>) {
        let mut own = Placer { end: 0 };
        let kinds = self.kinds();
        let (cores, lanes) = (
            self.cores(),
            u32::try_from(kinds.len()).unwrap() * self.threads,
        );
        own.place(1, size_of::<CaptureHeader>());
        let mut header = CaptureHeader {
            magic: CAPTURE_MAGIC,
            abi_hash: ABI_HASH,
            core_count: cores,
            thread_count: self.threads,
            ring_size: self.ring_size,
            slot_lines: self.slot_lines(),
            lane_count: lanes,
            lane_configs: own.place(lanes, size_of::<LaneConfig>()),
            lane_devices: own.place(lanes, size_of::<LaneDevice>()),
            lane_hosts: own.place(lanes, size_of::<LaneHost>()),
            counters: own.place(lanes * cores, size_of::<CommitCounters>()),
            staging: own.place(cores, (self.ring_size * self.slot_lines()) as usize * 64),
            ..CaptureHeader::default()
        };
        let configs = (0..lanes).map(|index| {
            let kind = kinds[(index / self.threads) as usize];
            let is_tensors = kind == Kind::TENSOR;
            let Lane {
                buffers,
                records,
                policy,
                block_limit_ticks,
            } = if is_tensors {
                self.tensor_lane
            } else {
                self.lane
            };
            let record_bytes = kind.record_bytes().unwrap_or(64);
            let arena_bytes = if is_tensors { self.arena_bytes } else { 0 };
            LaneConfig {
                kind: kind.raw(),
                thread: index % self.threads,
                capacity: buffers,
                records_per_buffer: records,
                record_bytes,
                policy: policy as u32,
                block_limit_ticks,
                ready_offset_bytes: own.place(buffers, 16).offset_bytes,
                free_offset_bytes: own.place(buffers, 4).offset_bytes,
                buffers_offset_bytes: own
                    .place(buffers * records, record_bytes as usize)
                    .offset_bytes,
                arena_offset_bytes: own
                    .place(1, usize::try_from(arena_bytes).unwrap())
                    .offset_bytes,
                arena_bytes,
                reserved: [0; 7],
            }
        });
        let configs = configs.collect();
        header.capture_bytes = own.end;
        next.end += own.end;
        (header, configs)
    }

    fn write_tensors(&self, memory: &Memory, header: &ControlHeader, tensor_memory: u64) {
        let base = memory.base();
        for (index, (task, tensor)) in (0u32..).zip(&self.tensors) {
            let mut tensor = *tensor;
            tensor.tensor.address += tensor_memory;
            memory.write(base + header.tensors.at(index), &tensor);
            let task = base + header.tasks.at(*task);
            let count = task + offset_of!(GraphTask, tensor_count) as u64;
            if memory.load32(count) == 0 {
                let first = task + offset_of!(GraphTask, first_tensor) as u64;
                memory.store32(first, index);
            }
            memory.store32(count, memory.load32(count) + 1);
        }
    }

    fn write_control(&self, memory: &Memory, header: &ControlHeader) {
        let base = memory.base();
        for core in 0..self.cores() {
            let config = CoreConfig {
                first_token: self.first_token,
                core_type: self.chip.info().core_type(self.clusters, core) as u32,
                thread: core % self.threads,
                reserved: 0,
            };
            memory.write(base + header.cores.at(core), &config);
        }
        for physical in 0..header.registers.count {
            memory.store64(base + header.registers.at(physical), window(physical));
        }
        for physical in 0..header.pmu_registers.count {
            let page = counters_at(self.chip.info(), physical);
            memory.store64(base + header.pmu_registers.at(physical), page);
        }
        let mut fan_in = vec![0u32; self.graph.tasks.len()];
        let mut next_successor = 0;
        for (index, (core_type, successors)) in (0u32..).zip(&self.graph.tasks) {
            let task = GraphTask {
                task_id: 1000 + u64::from(index),
                kernel_address: 0x5000,
                args_address: base + header.args.offset_bytes,
                arg_count: 1,
                func_id: 3,
                core_type: *core_type as u32,
                first_successor: next_successor,
                successor_count: u32::try_from(successors.len()).unwrap(),
                ..GraphTask::default()
            };
            memory.write(base + header.tasks.at(index), &task);
            for &successor in successors {
                memory.store32(base + header.successors.at(next_successor), successor);
                next_successor += 1;
                if let Some(count) = fan_in.get_mut(successor as usize) {
                    *count += 1;
                }
            }
        }
        let mut words = SchedulerWords::default();
        words.unfinished.value = header.task_count;
        for (index, count) in (0u32..).zip(fan_in) {
            memory.store32(base + header.fan_in.at(index), count);
            if count == 0 {
                let kind = self.graph.tasks[index as usize].0 as usize;
                let tail = &mut words.ready_tail[kind].value;
                memory.store32(base + header.ready[kind].at(*tail), index + 1);
                *tail += 1;
            }
        }
        memory.write(base + header.scheduler.offset_bytes, &words);
    }

    fn write_capture(
        &self,
        memory: &Memory,
        capture: u64,
        header: &CaptureHeader,
        configs: &[LaneConfig],
    ) -> Vec<HostLane> {
        memory.write(capture, header);
        let lane = |(index, config): (u32, &LaneConfig)| {
            memory.write(capture + header.lane_configs.at(index), config);
            let device = LaneDevice {
                filling_buffer: NO_BUFFER,
                ..LaneDevice::default()
            };
            memory.write(capture + header.lane_devices.at(index), &device);
            let host = LaneHost {
                free_tail: config.capacity,
                ..LaneHost::default()
            };
            memory.write(capture + header.lane_hosts.at(index), &host);
            for buffer in 0..config.capacity {
                let entry = config.free_offset_bytes + u64::from(buffer) * 4;
                memory.store32(capture + entry, buffer);
            }
            HostLane {
                config: *config,
                device: capture + header.lane_devices.at(index),
                host: capture + header.lane_hosts.at(index),
                capture,
                ready_head: 0,
                free_tail: config.capacity,
                entries: Vec::new(),
                bytes: Vec::new(),
                payloads: Vec::new(),
            }
        };
        (0u32..).zip(configs).map(lane).collect()
    }
}

impl Outcome {
    /// Every thread ended well, every task ran once on a core of its type, every record stands for
    /// one of them, and the counts agree.
    pub fn assert_exact(&self, setup: &Setup) {
        for result in &self.results {
            assert_eq!(*result, Ok(()));
        }
        assert!(
            self.has_left.iter().all(|left| *left),
            "a core did not leave"
        );
        let tasks = setup.graph.tasks.len();
        let mut ends = HashMap::new();
        for ran in &self.ran {
            assert_eq!(ends.insert(ran.task_id, ran), None, "a task ran twice");
        }
        assert_eq!(ends.len(), tasks);
        for (index, (core_type, successors)) in (0u64..).zip(&setup.graph.tasks) {
            let ran = ends[&(1000 + index)];
            assert_eq!(
                setup.chip.info().core_type(setup.clusters, ran.core),
                *core_type
            );
            for successor in successors {
                assert!(ran.end <= ends[&(1000 + u64::from(*successor))].begin);
            }
        }
        for (kind, counters) in &self.by_kind {
            assert_eq!(counters.mismatched, 0, "{kind}");
            assert_eq!(counters.dropped, [0; 4], "{kind}");
        }
        if setup.level == 0 {
            return;
        }
        let total = u64::try_from(tasks).unwrap();
        assert_eq!(self.counters.total, total);
        assert_eq!(self.counters.mismatched + self.counters.dropped[0], 0);
        assert_eq!(self.records.len(), tasks);
        let dispatched: u64 = self.orders.iter().map(|order| order.dispatched).sum();
        let completed: u64 = self.orders.iter().map(|order| order.completed).sum();
        assert_eq!((dispatched, completed), (total, total));
        let mut next: HashMap<u16, Token> = HashMap::new();
        for record in &self.records {
            let ran = ends[&record.task_id];
            assert_eq!(
                (u32::from(record.core), record.token),
                (ran.core, ran.token)
            );
            assert_eq!((record.start_ticks, record.end_ticks), (ran.begin, ran.end));
            assert_eq!((record.run_id, record.func_id), (7, 3));
            let core_type = setup.chip.info().core_type(setup.clusters, ran.core);
            assert_eq!(u32::from(record.core_type), core_type as u32);
            if setup.level >= 2 {
                assert!(record.dispatch_ticks <= record.receive_ticks);
                assert!(record.end_ticks <= record.finish_ticks);
            } else {
                assert_eq!((record.dispatch_ticks, record.finish_ticks), (0, 0));
            }
            let first = Token::new(setup.first_token).unwrap();
            let expected = next.entry(record.core).or_insert(first);
            assert_eq!(
                record.token,
                expected.raw(),
                "records of a core are in token order"
            );
            *expected = expected.next();
        }
    }

    /// The number of the first status line that holds a failure.
    pub fn first_failure(&self) -> &ThreadStatus {
        let is_failed = |status: &&ThreadStatus| status.error != 0;
        self.statuses
            .iter()
            .find(is_failed)
            .expect("a thread failed")
    }
}

fn records<R: Record>(lanes: &[HostLane]) -> Vec<R> {
    let of_kind = lanes
        .iter()
        .filter(|lane| lane.config.kind == R::KIND.raw());
    of_kind.flat_map(HostLane::records).collect()
}

/// Hands out line-aligned sections.
#[derive(Debug)]
struct Placer {
    end: u64,
}

impl Placer {
    fn place(&mut self, count: u32, item_bytes: usize) -> Section {
        let section = Section {
            offset_bytes: self.end,
            count,
            stride_bytes: u32::try_from(item_bytes).unwrap(),
        };
        self.end = section.end().unwrap().next_multiple_of(64);
        section
    }
}

/// Offset of the abort word in the host's line.
pub const ABORT_RUN: u64 = offset_of!(HostLine, abort_run) as u64;
