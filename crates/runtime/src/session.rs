//! An opened device that runs graphs, one after the other.

use crate::chosen::ChosenTensors;
use crate::clock::{self, Bounds};
use crate::control::ControlRegion;
use crate::failure::{DeviceFailure, InFlight, duration_to_ticks};
use crate::graph::{Graph, TensorId};
use crate::kernels::Kernels;
use crate::layout::{GraphSizes, counter_pages};
use crate::options::{RunOptions, SessionOptions, Shape};
use crate::outcome::RunOutcome;
use crate::recording::Recorder;
use crate::tensors::Tensors;
use crate::watch::{Progress, ProgressCallback, Seen, watch};
use crate::{Build, MemoryCost, Result, RuntimeError};
use lanescope_abi::control::{CONTROL_MAGIC, ControlHeader, CoreConfig, CoreOrder};
use lanescope_abi::{ABI_HASH, ABI_VERSION, ChipInfo, Token, is_mutant};
use lanescope_capture::Abandoned;
use lanescope_platform::{Device, Launch, PlatformError, StreamKind, check_programs};
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

/// An opened device with its programs loaded.
///
/// What a run leaves behind serves the next: kernels, tensors and control region stay on the
/// device, and each core's tokens go on where they stopped, also after a failed run.
#[derive(Debug)]
pub struct Session {
    // Dropped in this order: mappings and memory before the device.
    recorder: Recorder,
    control: Option<ControlRegion>,
    kernels: Kernels,
    tensors: Tensors,
    device: Arc<dyn Device>,
    chip: &'static ChipInfo,
    ring_size: u32,
    platform: String,
    registers: Vec<u64>,
    next_tokens: Vec<Token>,
    next_run: u32,
    progress: Option<ProgressCallback>,
    /// A program of an earlier run did not end.
    is_stuck: bool,
}

impl Session {
    /// Checks the programs of a build, loads them and reads the register table.
    ///
    /// # Errors
    ///
    /// [`PlatformError::AbiMismatch`] when the programs were built for another ABI than this
    /// host's or another ring size than the manifest says; the driver's refusals.
    pub fn open(device: Arc<dyn Device>, build: &Build, options: &SessionOptions) -> Result<Self> {
        let chip = device.info().chip;
        let opening = |source| RuntimeError::platform("loading the device programs", source);
        if build.chip() != chip {
            return Err(opening(PlatformError::AbiMismatch {
                program: "build",
                field: "chip",
                host: chip.name().to_owned(),
                device: build.chip().name().to_owned(),
            }));
        }
        if build.abi_hash() != ABI_HASH {
            return Err(opening(PlatformError::AbiMismatch {
                program: "build",
                field: "ABI hash",
                host: format!("{ABI_HASH:#018x}"),
                device: format!("{:#018x}", build.abi_hash()),
            }));
        }
        let programs = build.programs()?;
        let ring_size = check_programs(&programs, chip).map_err(opening)?;
        if ring_size != build.ring_size() {
            return Err(opening(PlatformError::AbiMismatch {
                program: "AICPU program",
                field: "ring size",
                host: format!("{} (manifest)", build.ring_size()),
                device: ring_size.to_string(),
            }));
        }
        device.load_programs(&programs).map_err(opening)?;
        let registers = device
            .register_table()
            .map_err(|source| RuntimeError::platform("reading the register table", source))?;
        let chip = chip.info();
        Ok(Self {
            recorder: Recorder::default(),
            control: None,
            kernels: Kernels::default(),
            tensors: Tensors::default(),
            device,
            chip,
            ring_size,
            platform: options
                .platform_name
                .clone()
                .unwrap_or_else(|| build.platform().to_owned()),
            registers,
            next_tokens: vec![options.first_token; chip.max_cores as usize],
            next_run: 1,
            progress: None,
            is_stuck: false,
        })
    }

    /// The device.
    #[must_use]
    pub fn device(&self) -> &Arc<dyn Device> {
        &self.device
    }

    /// The chip behind it.
    #[must_use]
    pub fn chip(&self) -> &'static ChipInfo {
        self.chip
    }

    /// Calls `callback` some times a second during later runs, from a thread of the session.
    pub fn on_progress(&mut self, callback: impl Fn(Progress) + Send + Sync + 'static) {
        self.progress = Some(ProgressCallback(Arc::new(callback)));
    }

    /// Refuses a graph and options that [`Session::run`] would refuse, without touching the device.
    ///
    /// # Errors
    ///
    /// As [`Session::run`], before anything is uploaded.
    pub fn check(&self, graph: &Graph, options: &RunOptions) -> Result<()> {
        self.memory(options)?;
        graph.check()?;
        ChosenTensors::new(graph, options.collectors.dump.as_ref()).map(drop)
    }

    /// The device memory that recording a run costs.
    ///
    /// # Errors
    ///
    /// [`RuntimeError::Option`] when that is over the budget, or an option cannot be.
    pub fn memory(&self, options: &RunOptions) -> Result<MemoryCost> {
        let region = self.shape(options)?.region(self.ring_size, self.chip);
        let lanes = options.collectors.lanes(options.limits.block);
        options.collectors.memory(&lanes, &region, self.chip)
    }

    fn shape(&self, options: &RunOptions) -> Result<Shape> {
        Shape::new(options, self.chip, self.device.info(), self.ring_size)
    }

    /// Runs a graph to its end.
    ///
    /// Whatever happens, profiling is stopped and what was captured is written.
    ///
    /// # Errors
    ///
    /// [`RuntimeError::Graph`] and [`RuntimeError::Option`] before the device is touched;
    /// [`RuntimeError::Device`] when the device ended the run and said why; else the driver's error.
    pub fn run(&mut self, graph: &Graph, options: &RunOptions) -> Result<RunOutcome> {
        let begin = Instant::now();
        let mut shape = self.shape(options)?;
        let memory = self.memory(options)?;
        let order = graph.order()?;
        let chosen = ChosenTensors::new(graph, options.collectors.dump.as_ref())?;
        shape.tensor_records = options.collectors.dump.is_some().then(|| chosen.records());
        let sizes = GraphSizes::new(graph, &order, &chosen)?;
        if self.is_stuck {
            let source = PlatformError::DevicePoisoned {
                device: self.device.info().logical_id,
                cause: "a program of an earlier run has not ended".to_owned(),
            };
            return Err(RuntimeError::platform("starting a run", source));
        }
        // Nothing is uploaded while another session's run has the device.
        let turn = self.device.take_turn(options.limits.sync);
        let _turn = turn.map_err(|source| RuntimeError::platform("starting a run", source))?;
        let kernels = self.kernels.addresses(&*self.device, graph)?;
        self.tensors.upload(&*self.device, graph)?;
        self.reserve_control(&sizes)?;
        let control = self.control.as_ref().expect("reserve_control made it");
        control.upload_graph(
            &*self.device,
            graph,
            &order,
            &kernels,
            &self.tensors,
            &chosen,
        )?;

        let counter_pages = match shape.pmu_event {
            0 => Vec::new(),
            _ => self.counter_pages()?,
        };

        let run_id = self.next_run;
        self.next_run = self.next_run.checked_add(1).unwrap_or(1);
        let cores = self.core_configs(&shape);
        let run = Run {
            device: &*self.device,
            control,
            chip: self.chip,
            ring_size: self.ring_size,
            shape,
            run_id,
            sizes,
            cores: &cores,
            counter_pages: &counter_pages,
        };
        self.recorder
            .begin(&run, &self.device, &self.platform, graph, &order, options)?;
        let header = run.header(options, self.recorder.capture_region());
        let (ended, watched) = run.execute(&header, options, self.progress.as_ref());
        // Under a program that still runs nothing may be freed, and no buffer taken from it.
        self.is_stuck = ended.is_err() && wait_a_moment(&*self.device);
        let status = RunStatus::read(&run, watched, self.is_stuck);
        if let Some(dispatched) = &status.dispatched {
            advance(&mut self.next_tokens, &cores, dispatched);
        }
        let failure = ended
            .err()
            .map(|error| status.explain(&run, &header, error));
        if failure.is_some() && is_mutant("collectors-left-running") {
            return failure.map_or_else(|| unreachable!("it was there"), Err);
        }
        let abandoned = match &failure {
            Some(_) => status.abandoned(&run, graph),
            None => Vec::new(),
        };
        let recorded = self.recorder.end(&status, failure.as_ref(), abandoned);
        if let Some(failure) = failure {
            // What keeps the partial capture from being written matters less than why it is partial.
            if let Err(error) = recorded {
                log::warn!("{error}");
            }
            return Err(failure);
        }
        let outcome = RunOutcome::new(&run, &status, recorded?, begin.elapsed());
        Ok(RunOutcome { memory, ..outcome })
    }

    /// What a tensor of the last graph holds now.
    ///
    /// # Errors
    ///
    /// The driver's refusal; a tensor that the graph does not have.
    pub fn read(&self, tensor: TensorId) -> Result<Vec<u8>> {
        self.tensors.read(&*self.device, tensor)
    }

    /// The control region is made at the first run and again only when a graph needs more room.
    fn reserve_control(&mut self, sizes: &GraphSizes) -> Result<()> {
        if let Some(control) = &mut self.control
            && control.fit(self.chip, self.ring_size, sizes)?
        {
            return Ok(());
        }
        self.control = None;
        self.control = Some(ControlRegion::new(
            &*self.device,
            self.chip,
            self.ring_size,
            sizes,
            &self.registers,
        )?);
        Ok(())
    }

    /// The page of hardware counters of every physical core; none where they lie in the windows.
    fn counter_pages(&self) -> Result<Vec<u64>> {
        let reading =
            |source| RuntimeError::platform("reading the table of hardware counters", source);
        let pages = self.device.pmu_register_table().map_err(reading)?;
        let expected = counter_pages(self.chip) as usize;
        if pages.len() != expected {
            let what = "a view of the hardware counters";
            let reason = format!("the device gave {} pages, expected {expected}", pages.len());
            return Err(reading(PlatformError::Unsupported { what, reason }));
        }
        Ok(pages)
    }

    fn core_configs(&self, shape: &Shape) -> Vec<CoreConfig> {
        (0..shape.cores)
            .zip(&self.next_tokens)
            .map(|(core, token)| CoreConfig {
                first_token: token.raw(),
                core_type: self.chip.core_type(shape.clusters, core) as u32,
                thread: shape.thread_of(core),
                reserved: 0,
            })
            .collect()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if self.is_stuck {
            // A program that has ended since holds nothing any more, and the device knows it only
            // when its streams are looked at.
            wait_a_moment(&*self.device);
        }
    }
}

/// Whether a program of the device may still run after a moment.
fn wait_a_moment(device: &dyn Device) -> bool {
    for stream in [StreamKind::Aicpu, StreamKind::Aicore] {
        let ended = device.synchronize(stream, Duration::from_millis(1));
        log::debug!("the {stream} stream after the run: {ended:?}");
    }
    device.is_overdue()
}

/// Each core goes on behind its last dispatched token.
fn advance(next: &mut [Token], cores: &[CoreConfig], dispatched: &[u64]) {
    for ((next, core), &dispatched) in next.iter_mut().zip(cores).zip(dispatched) {
        *next = first_token(core).advance(dispatched);
    }
}

/// One run under way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run<'a> {
    pub(crate) device: &'a dyn Device,
    pub(crate) control: &'a ControlRegion,
    pub(crate) chip: &'static ChipInfo,
    pub(crate) ring_size: u32,
    pub(crate) shape: Shape,
    pub(crate) run_id: u32,
    pub(crate) sizes: GraphSizes,
    pub(crate) cores: &'a [CoreConfig],
    pub(crate) counter_pages: &'a [u64],
}

impl Run<'_> {
    fn header(
        &self,
        options: &RunOptions,
        (capture_address, capture_bytes): (u64, u64),
    ) -> ControlHeader {
        let ticks = |limit| duration_to_ticks(limit, self.chip.ticks_per_second);
        ControlHeader {
            magic: CONTROL_MAGIC,
            abi_hash: ABI_HASH,
            abi_version: ABI_VERSION,
            chip: self.chip.chip as u32,
            ring_size: self.ring_size,
            issue_depth: self.shape.issue_depth,
            core_count: self.shape.cores,
            thread_count: self.shape.threads,
            run_id: self.run_id,
            swimlane_level: self.shape.level,
            capture_address,
            capture_bytes,
            handshake_limit_ticks: ticks(options.limits.handshake),
            scheduler_limit_ticks: ticks(options.limits.scheduler),
            task_count: self.sizes.tasks,
            pmu_event: self.shape.pmu_event,
            tensor_piece_bytes: options
                .collectors
                .dump
                .as_ref()
                .map_or(0, |dump| dump.piece_bytes),
            ..*self.control.sections()
        }
    }

    /// Launches and waits; also returns the last status lines seen on the way.
    fn execute(
        &self,
        header: &ControlHeader,
        options: &RunOptions,
        progress: Option<&ProgressCallback>,
    ) -> (Result<()>, Watched) {
        let launched_ns = clock::now_ns();
        std::thread::scope(|scope| {
            let (running, stop) = channel::<()>();
            let watcher = scope.spawn(move || watch(self, progress, &stop));
            let ended = self
                .control
                .write_header(header, self.cores, self.counter_pages)
                .and_then(|()| self.launch())
                .and_then(|()| self.wait(options));
            let ended_ns = clock::now_ns();
            drop(running);
            let watched = Watched {
                host_ns: (launched_ns, ended_ns),
                seen: watcher.join().unwrap_or_default(),
            };
            (ended, watched)
        })
    }

    fn launch(&self) -> Result<()> {
        let launch = Launch {
            control: self.control.address(),
            clusters: self.shape.clusters,
            threads: self.shape.threads,
        };
        self.device
            .launch(&launch, &|| self.abort())
            .map_err(|source| RuntimeError::platform("launching the device programs", source))
    }

    /// Waits for the AICPU stream, then the AICore stream; after a failure of the first the cores
    /// are told to leave, and are waited for all the same.
    fn wait(&self, options: &RunOptions) -> Result<()> {
        let limit = options.limits.sync;
        let mut completed = 0;
        let scheduled = loop {
            match self.device.synchronize(StreamKind::Aicpu, limit) {
                // The limit is for a device without news: a long run is no failure.
                Err(PlatformError::Timeout { .. }) if self.completed() > completed => {
                    completed = self.completed();
                }
                ended => break ended,
            }
        };
        if let Err(error) = &scheduled {
            self.abort();
            if matches!(error, PlatformError::Timeout { .. }) {
                let grace = options.limits.handshake * 2;
                let late = self.device.synchronize(StreamKind::Aicpu, grace);
                log::debug!("the AICPU stream after the abort: {late:?}");
            }
        }
        let left = self.device.synchronize(StreamKind::Aicore, limit);
        scheduled
            .map_err(|source| RuntimeError::platform("waiting for the AICPU program", source))?;
        left.map_err(|source| RuntimeError::platform("waiting for the AICore program", source))
    }

    /// Tasks proven finished so far, of all cores; every single one moves it.
    fn completed(&self) -> u64 {
        let orders = self.control.orders(self.shape.cores).unwrap_or_default();
        let of_run = orders.iter().filter(|order| order.ready_run == self.run_id);
        let completed = of_run.fold(0u64, |sum, order| sum.saturating_add(order.completed));
        // A device that counts on and on must not look like one that gets on.
        completed.min(u64::from(self.sizes.tasks))
    }

    fn abort(&self) {
        if let Err(error) = self.control.abort(self.run_id) {
            log::debug!("run {} could not be told to end: {error}", self.run_id);
        }
    }
}

/// What the host saw of a run while it waited.
struct Watched {
    /// Before the launch and after the end was seen.
    host_ns: (u64, u64),
    /// The last lines it could read.
    seen: Seen,
}

/// What the device said of a run when it was over.
#[derive(Debug)]
pub(crate) struct RunStatus {
    /// Begin and end on both clocks; `None` when no thread has entered the run.
    pub(crate) bounds: Option<Bounds>,
    pub(crate) threads: Vec<lanescope_abi::ThreadStatus>,
    pub(crate) answers: Vec<lanescope_abi::CoreAnswer>,
    /// Tokens dispatched per core; `None` when the device cannot be read any more.
    pub(crate) dispatched: Option<Vec<u64>>,
    /// Tokens proven finished per core.
    pub(crate) completed: Option<Vec<u64>>,
    /// Why those two are `None`.
    pub(crate) unread: Option<RuntimeError>,
    /// A program has not ended.
    pub(crate) device_goes_on: bool,
    /// What was seen of the run before its end.
    seen: Seen,
}

impl RunStatus {
    fn read(run: &Run<'_>, watched: Watched, device_goes_on: bool) -> Self {
        let lines = run.control.threads(run.shape.threads);
        let threads = lines.unwrap_or_else(|_| watched.seen.threads.clone());
        let entered = || threads.iter().filter(|line| line.run_id == run.run_id);
        let begin = entered().map(|line| line.begin_ticks).min();
        let bounds = begin.map(|begin| Bounds {
            host_ns: watched.host_ns,
            device_ticks: (
                begin,
                entered().fold(begin, |end, line| end.max(line.ticks)),
            ),
        });
        let answers = run.control.answers(run.shape.cores).unwrap_or_default();
        let (orders, unread) = match run.control.orders(run.shape.cores) {
            Ok(orders) => (Some(orders), None),
            Err(error) => (None, Some(error)),
        };
        let counts = |count| orders.as_ref().map(|orders| counts_of(run, orders, count));
        Self {
            bounds,
            threads,
            answers,
            dispatched: counts(|order| order.dispatched),
            completed: counts(|order| order.completed),
            unread,
            device_goes_on,
            seen: watched.seen,
        }
    }

    /// Prefers what the device says of itself to the driver's code.
    fn explain(&self, run: &Run<'_>, header: &ControlHeader, error: RuntimeError) -> RuntimeError {
        let RuntimeError::Platform { source, .. } = &error else {
            return error;
        };
        let rate = run.chip.ticks_per_second;
        match DeviceFailure::find(header, &self.threads, &self.answers, rate) {
            Some(mut failure) => {
                failure.driver = Some(source.clone());
                failure.in_flight = self.in_flight(run);
                RuntimeError::Device(Box::new(failure))
            }
            None => error,
        }
    }

    /// Every token in flight, with what the device says of its task, or last said.
    fn abandoned(&self, run: &Run<'_>, graph: &Graph) -> Vec<Abandoned> {
        let (cores, ring_size) = (run.shape.cores, run.ring_size);
        let in_flight = self.in_flight(run);
        if in_flight.is_empty() {
            return Vec::new();
        }
        let payloads = run.control.payloads(run.device, cores, ring_size);
        let payloads = payloads.as_ref().unwrap_or(&self.seen.payloads);
        let mut abandoned = Vec::new();
        for InFlight {
            core,
            oldest_token,
            count,
        } in in_flight
        {
            let oldest = Token::new(oldest_token).expect("it was made from one");
            // More than the ring holds cannot be in flight, whatever the device says.
            for place in 0..count.min(u64::from(ring_size)) {
                let token = oldest.advance(place);
                let slot = (core * ring_size + token.slot(ring_size)) as usize;
                let payload = payloads
                    .get(slot)
                    .filter(|payload| payload.token == token.raw() && payload.run_id == run.run_id);
                let mut entry = Abandoned::new(core, token.raw());
                if let Some(payload) = payload {
                    entry.task_id = Some(payload.task_id);
                    let mut functions = graph.functions().iter();
                    entry.function = functions
                        .find(|function| function.func_id == payload.func_id)
                        .map(|function| function.name.clone());
                }
                abandoned.push(entry);
            }
        }
        abandoned
    }

    /// Cores with tokens that were dispatched and not seen finished; as last seen where the device
    /// cannot be read any more.
    fn in_flight(&self, run: &Run<'_>) -> Vec<InFlight> {
        let seen = |count| counts_of(run, &self.seen.orders, count);
        let (dispatched, completed) = match (&self.dispatched, &self.completed) {
            (Some(dispatched), Some(completed)) => (dispatched.clone(), completed.clone()),
            _ => (
                seen(|order| order.dispatched),
                seen(|order| order.completed),
            ),
        };
        (0u32..)
            .zip(run.cores)
            .zip(dispatched.into_iter().zip(completed))
            .filter(|(_, (dispatched, completed))| dispatched > completed)
            .map(|((core, config), (dispatched, completed))| InFlight {
                core,
                oldest_token: first_token(config).advance(completed).raw(),
                count: dispatched - completed,
            })
            .collect()
    }
}

/// One counter of each core; 0 for a core whose line does not name this run, for it was not reached.
fn counts_of(run: &Run<'_>, orders: &[CoreOrder], count: fn(&CoreOrder) -> u64) -> Vec<u64> {
    let of_run = |order: &CoreOrder| order.ready_run == run.run_id;
    orders
        .iter()
        .map(|order| if of_run(order) { count(order) } else { 0 })
        .collect()
}

fn first_token(config: &CoreConfig) -> Token {
    Token::new(config.first_token).expect("the host wrote a token")
}
