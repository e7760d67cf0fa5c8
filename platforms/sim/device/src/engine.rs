//! The engine: what all agents share, and the rule that orders them.
//!
//! # Where it sits
//!
//! Device code calls [`crate::table`], which calls [`crate::interface`] for the agent that runs.
//! [`crate::machine`] owns the coroutines and resumes whoever is next.
//!
//! # Ordering
//!
//! An agent is resumed only while its clock is the least of all, and then *settles* from time to
//! time: it lets every agent with an earlier clock run first. What has to be settled, and when:
//!
//! - What others can notice at once (a line written back, a wait, the end of a kernel, and the ticks
//!   an AICPU thread reads, since other threads see what it does next) charges its cost and settles:
//!   it takes effect at a time nobody has passed.
//! - A register takes its value on the way with the time it arrives, which is later than the store
//!   by at least [`FEWEST_FLIGHT`]. So a store may be executed early; and a load may be, as long as
//!   its agent has settled within that span.
//! - What only the agent itself can notice charges its cost and goes on, for at most [`THREAD_SLACK`]
//!   or [`CORE_SLACK`].
//!
//! So nobody reads a value before the time it was written at, each agent's clock is never behind
//! what it has done, and code between two calls, the atomics of AICPU threads included, comes after
//! every time that its agent has read.
//!
//! Equal times go by rank: the slot for seed 0, else an order the seed chooses.

use crate::agent::{Agent, Due};
use crate::clock::{Clock, GRAINS_PER_NS, NEVER};
use crate::copy::CopiedLines;
use crate::cost::{KernelModel, Random};
use crate::fault::Faults;
use crate::lanes::Lanes;
use crate::loader::Loader;
use crate::memory::Memory;
use crate::queue::{Key, MAX_AGENTS, Queue};
use crate::registers::RegisterFile;
use crate::table::TABLE;
use crate::view::View;
use crate::watchdog::Progress;
use lanescope_abi::{Chip, ChipInfo};
use std::cell::{Cell, RefCell};
use std::sync::atomic::Ordering;

/// Least time, with any seed, from a store of `COND` to its arrival.
const FEWEST_COND_FLIGHT: u64 = 480 * GRAINS_PER_NS;

/// Least time, with any seed, from a store of a register to its arrival.
pub const FEWEST_FLIGHT: u64 = 112 * GRAINS_PER_NS;

/// How far a core may go on before it lets others run.
pub const CORE_SLACK: u64 = 96 * GRAINS_PER_NS;

/// How far an AICPU thread may go on before it lets others run.
pub const THREAD_SLACK: u64 = 128 * GRAINS_PER_NS;

/// How far an AICPU thread may go on with loads of registers alone.
pub const POLL_SLACK: u64 = 400 * GRAINS_PER_NS;

const _: () = assert!(CORE_SLACK < FEWEST_FLIGHT);
const _: () = assert!(POLL_SLACK < FEWEST_COND_FLIGHT && THREAD_SLACK < POLL_SLACK);

/// The slot that no agent takes: it is due when the machine has to look after a task.
pub const STOP_SLOT: usize = MAX_AGENTS - 1;

/// Calls without any cost that an agent may make in a row.
const MAX_FREE_CALLS: u32 = 1_000_000;

/// What all agents share. It lives as long as the process.
#[derive(Debug)]
pub struct Engine {
    /// The chip.
    pub chip: &'static ChipInfo,
    /// Its counter.
    pub clock: Clock,
    /// Device memory.
    pub memory: Memory,
    /// All slots.
    pub agents: Vec<Agent>,
    /// Registers of all cores.
    pub registers: RefCell<RegisterFile>,
    /// What the AICPU has cached.
    pub aicpu_view: RefCell<View>,
    /// What of that only bulk copies have brought in.
    pub copied_lines: RefCell<CopiedLines>,
    /// What each physical core has cached.
    pub core_views: Vec<RefCell<View>>,
    /// Lanes on which an agent has waited for a buffer.
    pub lanes: RefCell<Lanes>,
    /// What goes wrong with shared lines.
    pub faults: Faults,
    /// What kernels cost.
    pub kernel_model: KernelModel,
    /// Programs and kernels.
    pub loader: Loader,
    /// Says that the engine is alive.
    pub progress: &'static Progress,
    /// The latest time at which anything has happened.
    pub now: Cell<u64>,
    /// Why an agent cannot go on; the machine takes it.
    pub fault: RefCell<Option<Fault>>,
    /// Sleeping AICPU threads that wait for a word, by slot.
    pub thread_watchers: Cell<u128>,
    /// Sleeping cores that wait for a word, by slot.
    pub core_watchers: Cell<u128>,
    /// Which lines they watch, hashed to a bit.
    pub core_watch_filter: Cell<u64>,
    /// The AICPU has stored to a line with such a bit.
    pub core_words_touched: Cell<bool>,
    queue: Queue,
    slot_of_rank: Vec<Cell<usize>>,
    events: Cell<u32>,
}

/// Why an agent cannot go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Which agent.
    pub slot: usize,
    /// What it did, without its name.
    pub text: String,
}

/// The agent that runs on this thread, and its engine.
#[derive(Clone, Copy, Debug)]
pub struct Current {
    /// The engine.
    pub engine: &'static Engine,
    /// The agent.
    pub agent: &'static Agent,
}

thread_local! {
    static CURRENT: Cell<Option<Current>> = const { Cell::new(None) };
}

impl Current {
    /// Who runs on this thread; `None` outside of any agent.
    #[must_use]
    #[inline]
    pub fn get() -> Option<Self> {
        CURRENT.get()
    }

    /// Says who runs on this thread from now on.
    #[inline]
    pub fn set(current: Option<Self>) {
        CURRENT.set(current);
    }
}

impl Engine {
    /// An engine for one device; it is never freed, for device code refers to it.
    #[must_use]
    pub fn new(chip: Chip, memory: Memory, progress: &'static Progress) -> &'static Self {
        let info = chip.info();
        Box::leak(Box::new(Self {
            chip: info,
            clock: Clock::new(info),
            memory,
            agents: (0..MAX_AGENTS).map(Agent::new).collect(),
            registers: RefCell::new(RegisterFile::new(chip)),
            aicpu_view: RefCell::default(),
            copied_lines: RefCell::default(),
            core_views: (0..info.physical_cores)
                .map(|_| RefCell::default())
                .collect(),
            lanes: RefCell::default(),
            faults: Faults::default(),
            kernel_model: KernelModel::new(chip),
            loader: Loader::new(memory, &TABLE),
            progress,
            now: Cell::new(0),
            fault: RefCell::new(None),
            thread_watchers: Cell::new(0),
            core_watchers: Cell::new(0),
            core_watch_filter: Cell::new(0),
            core_words_touched: Cell::new(false),
            queue: Queue::default(),
            slot_of_rank: (0..MAX_AGENTS).map(Cell::new).collect(),
            events: Cell::new(0),
        }))
    }

    /// Charges a cost for what only the agent itself can notice.
    #[inline]
    pub fn charge(&self, agent: &Agent, cost: u64) {
        self.charge_within(agent, cost, agent.slack.get());
    }

    /// Charges a cost, and settles when the agent has gone on for `slack`.
    #[inline]
    pub fn charge_within(&self, agent: &Agent, cost: u64, slack: u64) {
        let before = agent.clock.get();
        agent.clock.set(before + cost);
        if before + cost - agent.settled.get() >= slack {
            self.settle(agent, before);
        }
    }

    /// Charges a cost for what others can notice, and lets every earlier agent run first.
    #[inline]
    pub fn advance(&self, agent: &Agent, cost: u64) {
        let before = agent.clock.get();
        agent.clock.set(before + cost);
        self.settle(agent, before);
    }

    /// A call without cost; an agent that makes nothing else cannot be waited for.
    #[inline]
    pub fn count_free_call(&self, agent: &Agent) {
        let calls = agent.free_calls.get() + 1;
        agent.free_calls.set(calls);
        if calls > MAX_FREE_CALLS {
            let text = format!("made {MAX_FREE_CALLS} calls while no time passed");
            self.fail(agent, text);
        }
    }

    /// Lets every earlier agent run. What the agent did since it last settled was done at `before`.
    #[inline]
    fn settle(&self, agent: &Agent, before: u64) {
        if agent.is_thread.get() {
            if self.thread_watchers.get() != 0 {
                self.wake_thread_watchers(before);
            }
            if self.core_words_touched.get() {
                self.wake_core_watchers(before);
            }
        }
        let clock = agent.clock.get();
        let key = Key::new(clock, agent.rank.get());
        if key > self.queue.least() {
            self.enqueue(agent, clock, Due::Event);
            Self::suspend(agent);
        }
        agent.settled.set(clock);
        agent.free_calls.set(0);
        self.progress.step();
    }

    /// Ends the agent: it did what cannot be done. Its task fails with `text`.
    #[cold]
    pub fn fail(&self, agent: &Agent, text: String) -> ! {
        self.fault.replace(Some(Fault {
            slot: agent.slot,
            text,
        }));
        loop {
            Self::suspend(agent);
        }
    }

    /// The agent never goes on; its task fails when it has run too long.
    #[cold]
    pub fn hang(&self, agent: &Agent, what: &'static str) -> ! {
        agent.hung.set(true);
        agent.wait.name.set(what);
        self.enqueue(agent, agent.task_limit.get(), Due::Limit);
        loop {
            Self::suspend(agent);
        }
    }

    /// Leaves the coroutine; returns when the machine resumes it.
    #[inline]
    pub fn suspend(agent: &Agent) {
        // SAFETY:
        // - An agent runs only inside its coroutine, whose first act is to store its yielder.
        // - The yielder lives on the coroutine's stack until the coroutine ends.
        let yielder = unsafe { &*agent.yielder.get() };
        yielder.suspend(());
    }

    /// Makes an agent due at a time; at [`NEVER`] it is not due at all.
    #[inline]
    pub fn enqueue(&self, agent: &Agent, time: u64, due: Due) {
        let due = if time == NEVER { Due::Never } else { due };
        let key = Key::new(time, agent.rank.get());
        self.count_events(agent.due.replace(due), due);
        agent.key.set(key);
        self.queue.set(agent.rank.get(), key);
    }

    /// The agent is not due any more: it runs, or is gone.
    #[inline]
    pub fn dequeue(&self, agent: &Agent) {
        self.enqueue(agent, NEVER, Due::Never);
    }

    #[inline]
    fn count_events(&self, before: Due, after: Due) {
        let events = self.events.get() + u32::from(after == Due::Event);
        self.events.set(events - u32::from(before == Due::Event));
    }

    /// Whether anything is to happen besides the end of somebody's patience.
    #[must_use]
    #[inline]
    pub fn has_events(&self) -> bool {
        self.events.get() != 0
    }

    /// Who is next, and when.
    #[must_use]
    #[inline]
    pub fn next(&self) -> Option<(&Agent, u64)> {
        let key = self.queue.least();
        if key == Key::NEVER {
            return None;
        }
        let slot = self.slot_of_rank[key.rank()].get();
        Some((&self.agents[slot], key.time()))
    }

    /// Makes the engine come back to the machine at a time, whoever runs; [`NEVER`] for not at all.
    pub fn set_stop(&self, time: u64) {
        self.enqueue(&self.agents[STOP_SLOT], time, Due::Limit);
    }

    /// Whether any agent's patience ends.
    #[must_use]
    pub fn has_limits(&self) -> bool {
        let mut agents = self.agents.iter().take(STOP_SLOT);
        agents.any(|agent| agent.due.get() != Due::Never)
    }

    /// Chooses the order of equal times. No agent may be due.
    pub fn rank_agents(&self, random: &mut Random) {
        let mut slots: Vec<usize> = (0..STOP_SLOT).collect();
        random.shuffle(&mut slots);
        for (rank, slot) in slots.into_iter().enumerate() {
            self.slot_of_rank[rank].set(slot);
            self.agents[slot].rank.set(rank);
        }
    }

    /// Notes that something has happened at a time.
    #[inline]
    pub fn pass(&self, time: u64) {
        if time > self.now.get() {
            self.now.set(time);
        }
    }

    /// The 4-byte word at an address in memory itself, whatever anybody has cached.
    #[must_use]
    #[inline]
    pub fn raw_word(&self, address: u64) -> Option<u32> {
        Some(self.memory.word32(address)?.load(Ordering::Acquire))
    }
}
