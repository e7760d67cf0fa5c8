//! Slices as what their track says they are: tasks, what the scheduler said of them, phases.

use super::super::rows::Half;
use super::event::{self, Event, NoBindId, Number};
use super::{CoreName, Events, Shows};
use crate::phase::{orchestrator_record, scheduler_record, with_rounds};
use crate::{OrchestratorPhase, SchedulerPhase};
use lanescope_abi::{CoreType, TaskRecord};
use std::collections::HashMap;

/// Names of slices that are kept apart; slices of further ones share a function.
const MOST_FUNCTIONS: usize = 1 << 16;
/// Bytes of those names.
const MOST_NAME_BYTES: usize = 32 << 20;

/// The functions of slices that have nothing but a name.
#[derive(Debug, Default)]
pub(super) struct FunctionNames {
    numbers: HashMap<String, u32>,
    count: usize,
    bytes: usize,
    is_full: bool,
}

impl FunctionNames {
    /// Whether there is room for another name; once there was none, there is none.
    fn admit(&mut self, name: &str) -> bool {
        let bytes = self.bytes + name.len();
        self.is_full |= self.count == MOST_FUNCTIONS || bytes > MOST_NAME_BYTES;
        if !self.is_full {
            self.count += 1;
            self.bytes = bytes;
        }
        !self.is_full
    }
}

/// Thread numbers of the reference that are of one core.
const LANES_OF_CORE: u64 = 10;

impl Events<'_> {
    pub(super) fn slice(&mut self, event: &Event) -> Result<(), String> {
        let shows = self.tracks.shows(event);
        let named = self.tracks.named(event);
        let (track, number) = (self.track(event), named.number);
        let named = named.core.or_else(|| self.core_of_lane(event, shows));
        let is_of_core = matches!(shows, Shows::Kernels | Shows::Stays);
        let core = self.core(named.filter(|_| is_of_core), event);
        let (start_ns, dur_ns) = (event.at_ns(), event.dur.unwrap_or_default().units);
        // A task may be told so, since its times are two records; of anything else it is nonsense.
        if dur_ns < 0 && shows != Shows::Kernels {
            self.draft.note(
                1,
                "[slice that ends before it begins|slices that end before they begin]",
            );
            return Ok(());
        }
        let end_ns = start_ns.saturating_add(dur_ns);
        let Some((start, end)) = self.time(start_ns).zip(self.time(end_ns)) else {
            self.draft
                .note(1, "[slice|slices] at an unknown time left out");
            return Ok(());
        };
        if event.is_rounded() {
            self.draft
                .note(1, "[event|events] with parts of a nanosecond, rounded");
        }
        match (shows, core, event.args.task_id) {
            (Shows::Kernels, Some((core, core_type)), Some(task_id)) => {
                self.flow_slice(event, track, (start, end.max(start)), task_id)?;
                let func_id = self.function(event);
                self.successors(task_id, event.args.fanout_hint.as_deref())?;
                let mut around = [0; 3];
                for (time, ns) in around.iter_mut().zip(event.args.around(start_ns, end_ns)) {
                    *time = self.known_time(ns);
                }
                let [dispatch, receive, finish] = around;
                self.half_of_core(TaskRecord {
                    task_id,
                    func_id,
                    core,
                    core_type: core_type as u8,
                    token: event.args.token.unwrap_or(0),
                    dispatch_ticks: dispatch,
                    receive_ticks: receive,
                    start_ticks: start,
                    end_ticks: end,
                    finish_ticks: finish,
                    ..TaskRecord::default()
                })
            }
            (Shows::Stays, Some((core, core_type)), Some(task_id)) => {
                self.flow_slice(event, track, (start, end), task_id)?;
                self.draft.half_of_scheduler(Half {
                    join: [u64::from(core), task_id, 0],
                    record: TaskRecord {
                        core,
                        core_type: core_type as u8,
                        dispatch_ticks: start,
                        finish_ticks: end,
                        ..TaskRecord::default()
                    },
                })
            }
            // The task that stayed there is told by its kernel.
            (Shows::Stays, ..) => {
                let text =
                    "[slice|slices] from dispatch to finish left out: of no known core or task";
                self.draft.note(1, text);
                Ok(())
            }
            (Shows::Scheduler, ..) => {
                let (name, count) = event.split_name();
                let mut names = SchedulerPhase::NAMES.iter();
                let known = names.position(|known| *known == name);
                let phase = self.draft.scheduler_phase(known.ok_or(name));
                let tasks = event.args.tasks_processed.or(count).unwrap_or(0);
                let round = event.args.loop_iter.unwrap_or(0);
                let pops = event.args.pop_hit.zip(event.args.pop_miss);
                let record = scheduler_record(phase, (start, end), round, tasks, pops);
                let record = match event.args.rounds {
                    Some(rounds) => with_rounds(record, rounds),
                    None => record,
                };
                self.draft.phase(number, record)
            }
            (Shows::Orchestrator, ..) => {
                let (name, _) = event.split_name();
                let name = name.strip_prefix("orch_").unwrap_or(name);
                let names = OrchestratorPhase::NAMES.iter();
                let mut names = names.map(|known| known.trim_start_matches("orch_"));
                let known = names.position(|known| known == name);
                let phase = self.draft.orchestrator_phase(known.ok_or(name));
                let task_id = event.args.task_id.unwrap_or(u64::MAX);
                let submit = event.args.submit_index.unwrap_or(0);
                self.draft.phase(
                    number,
                    orchestrator_record(phase, (start, end), submit, task_id),
                )
            }
            _ => self.other(event, track, (start, end)),
        }
    }

    /// A task's slice, which flows may meet, and what it says itself of one.
    fn flow_slice(
        &mut self,
        event: &Event,
        track: u64,
        (start, end): (u64, u64),
        task_id: u64,
    ) -> Result<(), String> {
        let mut pushed = self.flows.slice(track, (start, end), task_id);
        match event.bound() {
            // Right behind it in the file, so no other slice is meant.
            Ok(Some((point, flow))) => {
                pushed = pushed.and_then(|()| self.flows.point(track, start, point, flow));
            }
            Ok(None) => {}
            Err(NoBindId) => self.draft.note(
                1,
                "[slice|slices] with flow_in or flow_out and without bind_id, which says what flows",
            ),
        }
        self.draft.kept(pushed)
    }

    /// The core of a lane that the reference gives no name: tasks that overlap twice. The first lane has one.
    fn core_of_lane(&self, event: &Event, shows: Shows) -> Option<CoreName> {
        let Number::Uint(tid) = event.tid else {
            return None;
        };
        let first = (event.pid, Number::Uint(tid - tid % LANES_OF_CORE));
        self.tracks.core(first).filter(|_| shows == Shows::Stays)
    }

    fn half_of_core(&mut self, record: TaskRecord) -> Result<(), String> {
        self.draft.half_of_core(Half {
            join: [u64::from(record.core), record.task_id, 0],
            record,
        })
    }

    /// A task of our own export of which no slice could be drawn: its times are arguments.
    pub(super) fn instant(&mut self, event: &Event) -> Result<(), String> {
        let named = self.tracks.named(event).core;
        let named = named.filter(|_| self.tracks.shows(event) == Shows::Kernels);
        let core = self.core(named, event);
        let Some(((core, core_type), task_id)) = core.zip(event.args.task_id) else {
            self.leave_out();
            return Ok(());
        };
        if let Some(at) = self.time(event.at_ns()) {
            let track = self.track(event);
            self.flow_slice(event, track, (at, at), task_id)?;
        }
        let func_id = self.function(event);
        let mut times = [0; 5];
        for (time, told) in times.iter_mut().zip(event.args.times) {
            *time = self.known_time(told.map(|told| told.units));
        }
        let [dispatch, receive, start, end, finish] = times;
        self.half_of_core(TaskRecord {
            task_id,
            func_id,
            core,
            core_type: core_type as u8,
            token: event.args.token.unwrap_or(0),
            dispatch_ticks: dispatch,
            receive_ticks: receive,
            start_ticks: start,
            end_ticks: end,
            finish_ticks: finish,
            ..TaskRecord::default()
        })
    }

    /// A slice of a program that is not known: its thread is a core, its name a function.
    fn other(&mut self, event: &Event, track: u64, (start, end): (u64, u64)) -> Result<(), String> {
        let func_id = self.function(event);
        let core = self.unnamed(event);
        let task_id = self.next_task;
        self.next_task += 1;
        self.flow_slice(event, track, (start, end), task_id)?;
        self.draft.unnamed_task(TaskRecord {
            task_id,
            func_id,
            core,
            core_type: CoreType::Aiv as u8,
            start_ticks: start,
            end_ticks: end,
            ..TaskRecord::default()
        })
    }

    /// The number of a thread among those that are no core, in the order of their first slices.
    fn unnamed(&mut self, event: &Event) -> u16 {
        let next = self.next_unnamed;
        let Some(thread) = self.tracks.thread(event) else {
            return 0;
        };
        let number = *thread.unnamed.get_or_insert(next);
        if number == next {
            self.next_unnamed = next.saturating_add(1);
        }
        number
    }

    /// The number of a slice's function, as its arguments say or its name is new.
    fn function(&mut self, event: &Event) -> u32 {
        let (name, _) = event.split_name();
        let functions = &mut self.draft.functions;
        if let Some(func_id) = event.args.function() {
            if !functions.contains_key(&func_id) && self.names.admit(name) {
                functions.insert(func_id, name.to_owned());
            }
            return func_id;
        }
        if let Some(&func_id) = self.names.numbers.get(name) {
            return func_id;
        }
        let func_id = u32::try_from(self.names.numbers.len()).expect("bounded");
        if self.names.admit(name) {
            self.names.numbers.insert(name.to_owned(), func_id);
            functions.insert(func_id, name.to_owned());
        } else {
            let text = "[slice|slices] of too many different names, taken for one function";
            self.draft.note(1, text);
        }
        func_id
    }

    /// Edges as the reference lists them with a slice: `[t1, r2t5]`.
    fn successors(&mut self, task: u64, hint: Option<&str>) -> Result<(), String> {
        let list = hint.unwrap_or_default().trim_matches(['[', ']']);
        for shown in list.split(", ").filter(|shown| !shown.is_empty()) {
            match event::shown_task(shown) {
                Some(successor) => self.draft.edge(task, successor)?,
                None => self
                    .draft
                    .note(1, "[successor|successors] whose name is no task"),
            }
        }
        Ok(())
    }
}
