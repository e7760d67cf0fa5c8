//! Chrome trace JSON: slices of any program as tasks, and the tracks of known writers as what they are.
//!
//! Threads of a process named `AICore` or `AICore View` are cores by their names (`AIC_3`, `AIV_40`), slices of
//! `AICPU View` tell when their task was dispatched and seen finished, slices of `AICPU scheduler` are phases:
//! that is what [`crate`]'s export and the reference's `merged_swimlane.json` hold. Any other thread with slices
//! becomes a core of its own, in the order in which they appear, and a slice's name its function. Times are
//! taken to the nanosecond. A flow belongs to the slice it lies in; one that joins two tasks is an edge.
//! Counter events of our own export are the rows of counters they were made of. What has no place is counted
//! in notes.

mod counters;
mod event;
mod flows;
mod other_data;
mod slices;

use super::draft::{BASE_NS, Draft, Unit};
use super::json::{self, Source, Step};
use crate::TraceError;
use crate::json::{Kind, Members};
use event::{Event, Number};
use flows::{Flows, Point};
use lanescope_abi::CoreType;
use std::collections::HashMap;
use std::path::Path;

/// Different names of slices that are kept apart; slices of further ones share a function.
const MOST_FUNCTIONS: usize = 1 << 16;
/// Slices that are open on one thread at a time.
const MOST_OPEN: usize = 1 << 10;

pub(super) fn read(path: &Path, folder: &Path, draft: &mut Draft) -> Result<(), TraceError> {
    let mut reader = json::open(path)?;
    let mut events = Events {
        draft,
        processes: HashMap::new(),
        threads: HashMap::new(),
        names: HashMap::new(),
        flows: Flows::new(folder),
        next_task: 0,
    };
    match reader.kind()? {
        Kind::Array => events.read(&mut reader)?,
        _ => document(&mut reader, &mut events)?,
    }
    reader.end()?;
    let Events {
        threads,
        flows,
        draft,
        ..
    } = events;
    let open = threads.values().map(|thread| thread.open.len() as u64);
    draft.note(open.sum(), "slices that begin and never end");
    let joined = flows.finish(draft, folder);
    draft.kept(joined).map_err(|text| reader.error(text))?;
    draft.unit = Some(Unit::Nanoseconds);
    if draft.platform.is_empty() {
        "chrome trace".clone_into(&mut draft.platform);
    }
    Ok(())
}

fn document(reader: &mut Source, events: &mut Events<'_>) -> Step {
    let names = ["otherData", "traceEvents", "undrawn"];
    let mut has_events = false;
    let mut members = Members::default();
    let expected = "an object with the key `traceEvents`, or an array of trace events";
    json::begin(reader, expected)?;
    while let Some(member) = reader.member(&names, &mut members)? {
        match member {
            0 if reader.kind()? == Kind::Object => other_data::read(reader, events.draft)?,
            1 => {
                has_events = true;
                events.read(reader)?;
            }
            2 if reader.kind()? == Kind::Object => other_data::undrawn(reader, events.draft)?,
            _ => reader.skip()?,
        }
    }
    match has_events {
        true => Ok(()),
        false => Err(reader.error("the object ends without `traceEvents`")),
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
    /// Its own among all tracks.
    track: u64,
    name: String,
    core: Option<u16>,
    open: Vec<Event>,
}

struct Events<'a> {
    draft: &'a mut Draft,
    processes: HashMap<Number, Shows>,
    threads: HashMap<(Number, Number), Thread>,
    names: HashMap<String, u32>,
    flows: Flows,
    next_task: u64,
}

impl Events<'_> {
    fn read(&mut self, reader: &mut Source) -> Step {
        let events = event::Events::new();
        json::each(reader, "an array of trace events", |reader| {
            let event = events.read(reader)?;
            self.take(event).map_err(|text| reader.error(text))
        })
    }

    fn take(&mut self, event: Event) -> Result<(), String> {
        match event.ph.as_str() {
            "M" => {
                self.metadata(event);
                Ok(())
            }
            "X" => self.slice(event),
            "B" => {
                let open = &mut self.thread(&event).open;
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
                let mut lasting = event.ts;
                lasting.units -= begun.ts.units;
                begun.dur = Some(lasting);
                self.slice(begun)
            }
            "s" => self.flow(&event, Point::Begin),
            "t" => self.flow(&event, Point::Step),
            "f" if event.binds_here => self.flow(&event, Point::EndHere),
            "f" => self.flow(&event, Point::EndNext),
            "i" | "I" if event.args.task_id.is_some() => self.instant(&event),
            "C" => self.counters(&event),
            _ => {
                self.leave_out();
                Ok(())
            }
        }
    }

    fn leave_out(&mut self) {
        self.draft.note(1, "events that are no slices left out");
    }

    /// The thread of an event; its number is that of its track.
    fn thread(&mut self, event: &Event) -> &mut Thread {
        let next = self.threads.len() as u64;
        let thread = self.threads.entry(event.track());
        thread.or_insert_with(|| Thread {
            track: next,
            ..Thread::default()
        })
    }

    fn shows(&self, event: &Event) -> Shows {
        let shows = self.processes.get(&event.pid);
        shows.copied().unwrap_or(Shows::Anything)
    }

    /// A draft's time; none is a second or more before the file's own 0, or beyond 64 bits of nanoseconds.
    fn time(&mut self, ns: i128) -> Option<u64> {
        let time = u64::try_from(ns.saturating_add(i128::from(BASE_NS)));
        let time = time.ok().filter(|&time| time != 0 && time != u64::MAX);
        if time.is_none() {
            let text = "times a second or more before 0, or beyond 64 bits of ns, taken as unknown";
            self.draft.note(1, text);
        }
        time
    }

    fn known_time(&mut self, ns: Option<i128>) -> u64 {
        ns.and_then(|ns| self.time(ns)).unwrap_or(0)
    }

    fn flow(&mut self, event: &Event, point: Point) -> Result<(), String> {
        let Some(at) = self.time(event.ts.units) else {
            return Ok(());
        };
        let track = self.thread(event).track;
        let pushed = self.flows.point(track, at, point, event.flow());
        self.draft.kept(pushed)
    }

    fn metadata(&mut self, mut event: Event) {
        let Some(name) = event.args.name.take() else {
            return;
        };
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
            "thread_name" => self.thread(&event).name = name,
            _ => {}
        }
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
