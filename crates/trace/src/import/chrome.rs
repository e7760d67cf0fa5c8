//! Chrome trace JSON: slices of any program as tasks, and the tracks of known writers as what they are.
//!
//! Threads of a process named `AICore` or `AICore View` are cores by their names (`AIC_3`, `AIV_40`), slices of
//! `AICPU View` tell when their task was dispatched and seen finished, slices of `AICPU scheduler` are phases:
//! that is what [`crate`]'s export and the reference's `merged_swimlane.json` hold. Any other thread with slices
//! becomes a core of its own, in the order in which they appear, and a slice's name its function. Times are
//! taken to the nanosecond. Everything else is counted in notes, edges drawn as flows among it.

mod event;

use super::draft::{Draft, Unit};
use super::json::{self, Each, Keys, Object, Uint};
use super::rows::Half;
use crate::phase::{orchestrator_record, scheduler_record};
use crate::{OrchestratorPhase, SchedulerPhase, TraceError};
use event::{Event, Number};
use lanescope_abi::{Chip, CoreType, TaskRecord};
use serde::Deserialize;
use serde::de::{IgnoredAny, MapAccess};
use std::collections::HashMap;
use std::path::Path;

/// Different names of slices that are kept apart; slices of further ones share a function.
const MOST_FUNCTIONS: usize = 1 << 16;
/// Slices that are open on one thread at a time.
const MOST_OPEN: usize = 1 << 10;

pub(super) fn read(path: &Path, draft: &mut Draft) -> Result<(), TraceError> {
    let is_array = super::first_byte(path)? == Some(b'[');
    let mut document = Document {
        events: Events {
            draft,
            processes: HashMap::new(),
            threads: HashMap::new(),
            names: HashMap::new(),
            next_task: 0,
        },
        has_events: is_array,
    };
    if is_array {
        let events = &mut document.events;
        let expected = "an array of trace events";
        json::read(path, Each::new(expected, |event| events.take(event)))?;
    } else {
        json::read(path, Object(&mut document))?;
    }
    let events = document.events;
    let open = events
        .threads
        .values()
        .map(|thread| thread.open.len() as u64);
    let open = open.sum();
    draft.note(open, "slices that begin and never end");
    draft.unit = Some(Unit::Nanoseconds);
    if draft.platform.is_empty() {
        "chrome trace".clone_into(&mut draft.platform);
    }
    Ok(())
}

struct Document<'a> {
    events: Events<'a>,
    has_events: bool,
}

/// What our own export says beside the events.
#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
struct OtherData {
    ticks_per_second: Option<Uint>,
    origin_ticks: Option<Uint>,
    platform: Option<String>,
    workload: Option<String>,
}

impl<'de> Keys<'de> for Document<'_> {
    const EXPECTED: &'static str =
        "an object with the key `traceEvents`, or an array of trace events";

    fn key<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        match key {
            "traceEvents" => {
                self.has_events = true;
                let events = &mut self.events;
                let expected = "an array of trace events";
                map.next_value_seed(Each::new(expected, |event| events.take(event)))
            }
            "otherData" => {
                let other: OtherData = map.next_value()?;
                let draft = &mut *self.events.draft;
                if let (Some(rate), Some(origin)) = (other.ticks_per_second, other.origin_ticks) {
                    draft.counter = Some((rate.0.max(1), origin.0));
                    let mut chips = Chip::ALL.into_iter();
                    draft.chip = chips.find(|chip| chip.info().ticks_per_second == rate.0);
                }
                draft.platform = other.platform.unwrap_or_default();
                draft.workload = other.workload.unwrap_or_default();
                Ok(())
            }
            _ => map.next_value::<IgnoredAny>().map(drop),
        }
    }

    fn missing(&self) -> Option<String> {
        (!self.has_events).then(|| "missing field `traceEvents`".to_owned())
    }
}

/// What a process shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shows {
    Kernels,
    Stays,
    Scheduler,
    Orchestrator,
    Anything,
}

#[derive(Default)]
struct Thread {
    name: String,
    core: Option<u16>,
    open: Vec<Event>,
}

struct Events<'a> {
    draft: &'a mut Draft,
    processes: HashMap<Number, Shows>,
    threads: HashMap<(Number, Number), Thread>,
    names: HashMap<String, u32>,
    next_task: u64,
}

impl Events<'_> {
    fn take(&mut self, event: Event) -> Result<(), String> {
        match event.ph.as_str() {
            "M" => {
                self.metadata(event);
                Ok(())
            }
            "X" => self.slice(event),
            "B" => {
                let open = &mut self.threads.entry(event.track()).or_default().open;
                if open.len() == MOST_OPEN {
                    return Err(format!("more than {MOST_OPEN} slices open on one thread"));
                }
                open.push(event);
                Ok(())
            }
            "E" => {
                let thread = self.threads.get_mut(&event.track());
                let Some(mut begun) = thread.and_then(|thread| thread.open.pop()) else {
                    self.draft.note(1, "slices that end and never began");
                    return Ok(());
                };
                let lasting = event.ts.0.checked_sub(begun.ts.0);
                let Some(lasting) = lasting else {
                    return Err(format!("slice `{}` ends before it begins", begun.name));
                };
                begun.dur = Some(event::Nanoseconds(lasting, event.ts.1));
                self.slice(begun)
            }
            "s" | "t" | "f" => {
                self.draft
                    .note(1, "flow events left out: they name no task");
                Ok(())
            }
            _ => {
                self.draft.note(1, "events that are no slices left out");
                Ok(())
            }
        }
    }

    fn metadata(&mut self, event: Event) {
        let track = event.track();
        let Some(name) = event.args.name else { return };
        match event.name.as_str() {
            "process_name" => {
                let shows = match name.as_str() {
                    "AICore" | "AICore View" => Shows::Kernels,
                    "AICPU view" | "AICPU View" => Shows::Stays,
                    "AICPU scheduler" | "AICPU Scheduler" => Shows::Scheduler,
                    name if name.starts_with("AICPU ") => Shows::Orchestrator,
                    _ => Shows::Anything,
                };
                self.processes.insert(event.pid, shows);
            }
            "thread_name" => self.threads.entry(track).or_default().name = name,
            _ => {}
        }
    }

    fn slice(&mut self, event: Event) -> Result<(), String> {
        let shows = self.processes.get(&event.pid);
        let shows = shows.copied().unwrap_or(Shows::Anything);
        let thread = self.threads.entry(event.track()).or_default();
        let named = core_of(&thread.name);
        // In draft times 0 is unknown.
        let (start, dur) = (event.ts.0 + 1, event.dur.unwrap_or_default().0);
        let end = start
            .checked_add(dur)
            .ok_or("ts and dur do not fit 64 bits")?;
        if event.is_rounded() {
            self.draft
                .note(1, "events with parts of a nanosecond, rounded");
        }
        match (shows, named, event.args.task_id) {
            (Shows::Kernels, Some((core, core_type)), Some(task)) => {
                let func_id = self.function(&event);
                self.successors(task.0, event.args.fanout_hint.as_deref())?;
                self.draft.half(Half {
                    join: [u64::from(core), task.0, 0],
                    side: Half::OF_CORE,
                    record: TaskRecord {
                        task_id: task.0,
                        func_id,
                        core,
                        core_type: core_type as u8,
                        token: event.args.token.unwrap_or(0),
                        receive_ticks: event.received(start),
                        start_ticks: start,
                        end_ticks: end,
                        ..TaskRecord::default()
                    },
                })
            }
            (Shows::Stays, Some((core, core_type)), Some(task)) => self.draft.half(Half {
                join: [u64::from(core), task.0, 0],
                side: Half::OF_SCHEDULER,
                record: TaskRecord {
                    core,
                    core_type: core_type as u8,
                    dispatch_ticks: start,
                    finish_ticks: end,
                    ..TaskRecord::default()
                },
            }),
            (Shows::Scheduler, ..) => {
                let thread = trailing_number(&thread.name).unwrap_or(0);
                let (name, count) = event.split_name();
                let known = SchedulerPhase::NAMES
                    .iter()
                    .position(|known| *known == name);
                let phase = known.and_then(|phase| u32::try_from(phase).ok());
                let tasks = event.args.tasks_processed.or(count).unwrap_or(0);
                let round = event.args.loop_iter.unwrap_or(0);
                let pops = event.args.pop_hit.zip(event.args.pop_miss);
                let phase = phase.unwrap_or(u32::MAX);
                self.draft.phase(
                    thread,
                    scheduler_record(phase, (start, end), round, tasks, pops),
                )
            }
            (Shows::Orchestrator, ..) => {
                let thread = trailing_number(&thread.name).unwrap_or(0);
                let (name, _) = event.split_name();
                let name = name.strip_prefix("orch_").unwrap_or(name);
                let names = OrchestratorPhase::NAMES.iter();
                let mut names = names.map(|known| known.trim_start_matches("orch_"));
                let known = names.position(|known| known == name);
                let known = known.and_then(|place| u32::try_from(place).ok());
                let phase = known.map_or(u32::MAX, |place| OrchestratorPhase::FIRST + place);
                let task_id = event.args.task_id.map_or(u64::MAX, |id| id.0);
                let submit = event.args.submit_index.unwrap_or(0);
                self.draft.phase(
                    thread,
                    orchestrator_record(phase, (start, end), submit, task_id),
                )
            }
            _ => self.other(&event, start, end),
        }
    }

    /// A slice of a program that is not known: its thread is a core, its name a function.
    fn other(&mut self, event: &Event, start: u64, end: u64) -> Result<(), String> {
        let func_id = self.function(event);
        let next = self.draft.cores.len();
        let thread = self.threads.entry(event.track()).or_default();
        let core = match thread.core {
            Some(core) => core,
            None => {
                let core = u16::try_from(next);
                let core = core.map_err(|_| "more than 65536 threads with slices".to_owned())?;
                *thread.core.insert(core)
            }
        };
        let task_id = self.next_task;
        self.next_task += 1;
        self.draft.task(TaskRecord {
            task_id,
            func_id,
            core,
            core_type: CoreType::Aiv as u8,
            start_ticks: start,
            end_ticks: end,
            ..TaskRecord::default()
        })
    }

    /// The number of a slice's function, as its arguments say or its name is new.
    fn function(&mut self, event: &Event) -> u32 {
        let (name, _) = event.split_name();
        if let Some(func_id) = event.args.function() {
            let functions = &mut self.draft.functions;
            if functions.len() < MOST_FUNCTIONS && !functions.contains_key(&func_id) {
                functions.insert(func_id, name.to_owned());
            }
            return func_id;
        }
        if let Some(&func_id) = self.names.get(name) {
            return func_id;
        }
        let func_id = u32::try_from(self.names.len()).expect("bounded");
        if self.names.len() >= MOST_FUNCTIONS {
            self.draft.note(
                1,
                "slices of too many different names, taken for one function",
            );
            return func_id;
        }
        self.names.insert(name.to_owned(), func_id);
        self.draft.functions.insert(func_id, name.to_owned());
        func_id
    }

    /// Edges as the reference lists them with a slice: `[t1, r2t5]`.
    fn successors(&mut self, task: u64, hint: Option<&str>) -> Result<(), String> {
        let list = hint.unwrap_or_default().trim_matches(['[', ']']);
        for shown in list.split(", ").filter(|shown| !shown.is_empty()) {
            match event::shown_task(shown) {
                Some(successor) => self.draft.edge(task, successor)?,
                None => self.draft.note(1, "successors whose name is no task"),
            }
        }
        Ok(())
    }
}

/// The core that a thread's name says: `AIC_3`, `AIV_40`, `AIV_40 (2)`, `AIV_40_1`.
fn core_of(name: &str) -> Option<(u16, CoreType)> {
    let (kind, rest) = name.split_once('_')?;
    let core_type = match kind {
        "AIC" => CoreType::Aic,
        "AIV" => CoreType::Aiv,
        _ => return None,
    };
    let digits = rest.split(['_', ' ']).next()?;
    Some((digits.parse().ok()?, core_type))
}

fn trailing_number(name: &str) -> Option<u32> {
    let digits = name.rsplit(['_', ' ']).next()?;
    digits.parse().ok()
}
