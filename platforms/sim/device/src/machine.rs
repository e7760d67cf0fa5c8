//! The machine: coroutines of all agents, resumed in the order of the engine, and their tasks.
//!
//! # Where it sits
//!
//! [`crate::device`] hands it tasks and decides what happens when nothing is left to do in virtual
//! time; the machine reports each task that has ended.

use crate::agent::{Agent, Due, Identity};
use crate::clock::{NEVER, later};
use crate::cost::{Costs, Random};
use crate::engine::{Current, Engine, Fault, STOP_SLOT};
use crate::error::{
    AICORE_EXCEPTION, AICORE_TIMEOUT, AICPU_EXCEPTION, AICPU_TIMEOUT, DeviceProcessError,
};
use crate::launch::TaskId;
use crate::watchdog::{Report, Running};
use corosensei::stack::DefaultStack;
use corosensei::{Coroutine, CoroutineResult};
use lanescope_sim_wire::{DONE_OK, DeviceFrame};
use std::fmt;
use std::sync::Arc;

/// Bytes of an agent's stack; pages are taken as they are touched.
const STACK_BYTES: usize = 1 << 20;

/// What an agent does; it returns 0 when it has done all it should.
pub type Body = Box<dyn FnOnce() -> i32>;

/// An agent to be.
pub struct NewAgent {
    /// Who it is.
    pub identity: Identity,
    /// What its calls cost.
    pub costs: Costs,
    /// Perturbs its kernels.
    pub random: Random,
    /// When it starts.
    pub start: u64,
    /// Its first kernel never ends.
    pub hangs: bool,
    /// What it does; `None` for one that never does anything.
    pub body: Option<Body>,
}

impl fmt::Debug for NewAgent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewAgent")
            .field("identity", &self.identity)
            .field("start", &self.start)
            .finish_non_exhaustive()
    }
}

#[derive(Debug)]
struct Task {
    id: TaskId,
    slots: Vec<usize>,
    limit: u64,
    code: i32,
    note: Option<String>,
}

type AgentCoroutine = Coroutine<(), (), i32, DefaultStack>;

/// Runs agents.
pub struct Machine {
    engine: &'static Engine,
    report: Arc<dyn Report>,
    coroutines: Vec<Option<AgentCoroutine>>,
    stacks: Vec<DefaultStack>,
    tasks: Vec<Task>,
    /// The earliest time at which a task has run too long, the process is to end, or to pause.
    stop: u64,
    /// What is to happen to the whole process, and when.
    ends: Vec<(u64, fn())>,
    pause_at: Option<u64>,
}

impl fmt::Debug for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Machine")
            .field("tasks", &self.tasks)
            .field("stop", &self.stop)
            .finish_non_exhaustive()
    }
}

impl Machine {
    /// A machine without tasks.
    #[must_use]
    pub fn new(engine: &'static Engine, report: Arc<dyn Report>) -> Self {
        Self {
            engine,
            report,
            coroutines: engine.agents.iter().map(|_| None).collect(),
            stacks: Vec::new(),
            tasks: Vec::new(),
            stop: NEVER,
            ends: Vec::new(),
            pause_at: None,
        }
    }

    /// What all agents share.
    #[must_use]
    pub fn engine(&self) -> &'static Engine {
        self.engine
    }

    /// Tasks that have not ended.
    pub fn tasks(&self) -> impl Iterator<Item = TaskId> {
        self.tasks.iter().map(|task| task.id)
    }

    /// Whether there is room for so many agents more.
    #[must_use]
    pub fn has_room_for(&self, agents: usize) -> bool {
        let slots = self.coroutines.iter().take(STOP_SLOT);
        slots.filter(|slot| slot.is_none()).count() >= agents
    }

    /// Does each of these at its time, in place of what was to be done before.
    pub fn set_ends(&mut self, ends: Vec<(u64, fn())>) {
        self.ends = ends;
        self.update_stop();
    }

    /// Starts a task that may run until `limit`. There must be room for its agents.
    ///
    /// # Errors
    ///
    /// [`DeviceProcessError::Stack`]; the task has then not started.
    pub fn start(
        &mut self,
        id: TaskId,
        limit: u64,
        agents: Vec<NewAgent>,
    ) -> Result<(), DeviceProcessError> {
        while self.stacks.len() < agents.len() {
            let stack =
                DefaultStack::new(STACK_BYTES).map_err(|source| DeviceProcessError::Stack {
                    agent: agents[self.stacks.len()].identity.to_string(),
                    source,
                })?;
            self.stacks.push(stack);
        }
        let mut slots = Vec::with_capacity(agents.len());
        for agent in agents {
            let free = self.coroutines.iter().position(Option::is_none);
            let slot = free.expect("the caller asked for room");
            let stack = self.stacks.pop().expect("there is one for each agent");
            self.coroutines[slot] = Some(self.begin(slot, limit, agent, stack));
            slots.push(slot);
        }
        self.tasks.push(Task {
            id,
            slots,
            limit,
            code: DONE_OK,
            note: None,
        });
        self.update_stop();
        self.tell_watchdog();
        self.end_task_without_agents();
        Ok(())
    }

    fn begin(&self, slot: usize, limit: u64, new: NewAgent, stack: DefaultStack) -> AgentCoroutine {
        let engine = self.engine;
        let agent = &engine.agents[slot];
        agent.begin(new.identity, new.costs, new.random, new.start);
        agent.hangs.set(new.hangs);
        agent.task_limit.set(limit);
        engine.enqueue(agent, new.start, Due::Event);
        let body = new.body;
        Coroutine::with_stack(stack, move |yielder, ()| {
            agent.yielder.set(std::ptr::from_ref(yielder));
            match body {
                Some(body) => body(),
                None => engine.hang(agent, "nothing any more"),
            }
        })
    }

    /// Runs until nothing is left to happen but that somebody's patience ends, or until `pause_at`.
    /// Returns whether nothing is left.
    pub fn run(&mut self, pause_at: u64) -> bool {
        self.pause_at = Some(pause_at);
        self.update_stop();
        self.engine.progress.set_inside(true);
        while self.engine.has_events() && self.pause_at.is_some() {
            self.resume_next();
        }
        self.engine.progress.set_inside(false);
        Current::set(None);
        self.pause_at = None;
        self.update_stop();
        !self.engine.has_events()
    }

    /// Lets the first sleeper whose patience ends go on. Returns whether there was one.
    pub fn pass_limit(&mut self) -> bool {
        if !self.engine.has_limits() {
            return false;
        }
        self.engine.progress.set_inside(true);
        self.resume_next();
        self.engine.progress.set_inside(false);
        true
    }

    /// Fails the task of a sleeper that nobody will ever wake.
    pub fn fail_deadlock(&mut self) {
        let agents = &self.engine.agents;
        let slots = self.tasks.iter().flat_map(|task| &task.slots);
        let sleepers = || slots.clone().filter(|slot| !agents[**slot].hung.get());
        let stuck = sleepers()
            .find(|slot| agents[**slot].is_thread.get())
            .or_else(|| sleepers().next());
        if let Some(slot) = stuck.copied() {
            let name = agents[slot].wait.name.get();
            let text = format!(
                "waits for {name} without a limit, and every other agent sleeps or has ended"
            );
            self.fail_task(slot, &text, false);
        } else if let Some(slot) = self.tasks.first().and_then(|task| task.slots.first()) {
            let slot = *slot;
            self.fail_task(slot, "never answers, and its task has no limit", false);
        }
    }

    #[inline]
    fn resume_next(&mut self) {
        let Some((agent, time)) = self.engine.next() else {
            return;
        };
        if time >= self.stop {
            return self.pass_stop(time);
        }
        let slot = agent.slot;
        self.engine.pass(time);
        self.resume(slot, time);
    }

    #[inline]
    fn resume(&mut self, slot: usize, time: u64) {
        let engine = self.engine;
        let agent = &engine.agents[slot];
        engine.dequeue(agent);
        engine.forget_wait(agent);
        agent.clock.set(time);
        Current::set(Some(Current { engine, agent }));
        engine.progress.enter(slot);
        let coroutine = self.coroutines[slot]
            .as_mut()
            .expect("who is due has a coroutine");
        match coroutine.resume(()) {
            CoroutineResult::Yield(()) => {
                if engine.fault.borrow().is_some() {
                    self.take_fault();
                }
            }
            CoroutineResult::Return(value) => self.end(agent, value),
        }
    }

    /// An agent has returned.
    fn end(&mut self, agent: &Agent, value: i32) {
        let slot = agent.slot;
        let clock = agent.clock.get();
        self.engine.pass(clock);
        self.engine.wake_thread_watchers(clock);
        self.engine.wake_core_watchers(clock);
        self.release(slot);
        if value != 0
            && let Some(task) = self
                .tasks
                .iter_mut()
                .find(|task| task.slots.contains(&slot))
            && task.code == DONE_OK
        {
            task.code = exception(agent);
            task.note = Some(format!("{} returned {value}", agent.identity.get()));
        }
        for task in &mut self.tasks {
            task.slots.retain(|other| *other != slot);
        }
        self.end_task_without_agents();
    }

    fn end_task_without_agents(&mut self) {
        while let Some(index) = self.tasks.iter().position(|task| task.slots.is_empty()) {
            let task = self.tasks.remove(index);
            self.update_stop();
            self.tell_watchdog();
            self.report_end(task.id, task.code, task.note);
        }
    }

    fn report_end(&self, id: TaskId, code: i32, note: Option<String>) {
        if let Some(text) = note {
            self.report.report(DeviceFrame::Note { text });
        }
        self.report.report(DeviceFrame::Done {
            stream: id.stream,
            task: id.task,
            code,
        });
    }

    #[cold]
    fn take_fault(&mut self) {
        if let Some(Fault { slot, text }) = self.engine.fault.take() {
            self.fail_task(slot, &text, false);
        }
    }

    /// Virtual time has come to where a task has run too long, or the process is to end, or to pause.
    #[cold]
    fn pass_stop(&mut self, time: u64) {
        self.ends.retain(|(at, end)| {
            if time >= *at {
                end();
            }
            time < *at
        });
        if self.pause_at.is_some_and(|pause_at| time >= pause_at) {
            self.pause_at = None;
            self.engine.pass(time);
        }
        let late = self.tasks.iter().position(|task| task.limit <= time);
        if let Some(index) = late {
            self.engine.pass(self.tasks[index].limit);
            let slots = &self.tasks[index].slots;
            let hung = slots
                .iter()
                .find(|slot| self.engine.agents[**slot].hung.get());
            let slot = *hung
                .or(slots.first())
                .expect("a task without agents has ended");
            let name = self.engine.agents[slot].wait.name.get();
            let text = format!("waits for {name}; the task has run longer than its limit");
            self.fail_task(slot, &text, true);
        }
        self.update_stop();
    }

    /// Ends the task of an agent: all its agents are gone, wherever they were.
    fn fail_task(&mut self, slot: usize, text: &str, timed_out: bool) {
        let agent = &self.engine.agents[slot];
        let Some(index) = self
            .tasks
            .iter()
            .position(|task| task.slots.contains(&slot))
        else {
            return;
        };
        let task = self.tasks.remove(index);
        for slot in &task.slots {
            self.kill(*slot);
        }
        self.update_stop();
        self.tell_watchdog();
        let code = match (timed_out, agent.is_thread.get()) {
            (false, _) => exception(agent),
            (true, true) => AICPU_TIMEOUT,
            (true, false) => AICORE_TIMEOUT,
        };
        let name = agent.identity.get();
        self.report_end(task.id, code, Some(format!("{name} {text}")));
    }

    fn kill(&mut self, slot: usize) {
        let agent = &self.engine.agents[slot];
        self.engine.dequeue(agent);
        self.engine.forget_wait(agent);
        agent.hung.set(false);
        if let Some(coroutine) = &mut self.coroutines[slot] {
            // SAFETY:
            // - What is on the stack is leaked, not used again: frames of device code, which may not
            //   be unwound through, and of this crate's calls, none of which holds a borrow while it
            //   suspends.
            unsafe { coroutine.force_reset() };
        }
        self.release(slot);
    }

    /// Frees the slot of an agent whose coroutine has ended.
    fn release(&mut self, slot: usize) {
        if let Some(coroutine) = self.coroutines[slot].take() {
            self.stacks.push(coroutine.into_stack());
        }
        let agent = &self.engine.agents[slot];
        if !agent.is_thread.get() {
            let view = &self.engine.core_views[agent.physical.get()];
            view.borrow_mut().drop_dirty();
        }
    }

    fn update_stop(&mut self) {
        let limits = self.tasks.iter().map(|task| task.limit);
        self.stop = limits
            .chain(self.ends.iter().map(|(at, _)| *at))
            .chain(self.pause_at)
            .min()
            .unwrap_or(NEVER);
        self.engine.set_stop(self.stop);
    }

    fn tell_watchdog(&self) {
        let running = self.tasks.iter().flat_map(|task| {
            task.slots.iter().map(|slot| {
                let agent = &self.engine.agents[*slot];
                Running {
                    slot: *slot,
                    name: agent.identity.get().to_string(),
                    is_thread: agent.is_thread.get(),
                    stream: task.id.stream,
                    task: task.id.task,
                }
            })
        });
        self.engine.progress.set_running(running.collect());
    }
}

fn exception(agent: &Agent) -> i32 {
    if agent.is_thread.get() {
        AICPU_EXCEPTION
    } else {
        AICORE_EXCEPTION
    }
}

/// The limit of a task that starts at `start` and may run for `span`; `None` is for ever.
#[must_use]
pub fn task_limit(start: u64, span: Option<u64>) -> u64 {
    span.map_or(NEVER, |span| later(start, span))
}
