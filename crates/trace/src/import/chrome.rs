//! Chrome trace JSON: slices of any program as tasks, and the tracks of known writers as what they are.
//!
//! Threads of a process named `AICore` or `AICore View` are cores by their names (`AIC_3`, `AIV_40`, of a merged
//! run `node1/0 AIC_3`), slices of
//! `AICPU View` tell when their task was dispatched and seen finished, slices of `AICPU scheduler` are phases:
//! that is what [`crate`]'s export and the reference's `merged_swimlane.json` hold. Any other thread with slices
//! becomes a core of its own behind those that have a name, in the order in which they appear, and a slice's
//! name its function. Times are taken to the nanosecond. A flow belongs to the slice it lies in; one that joins
//! two tasks is an edge. Counter events of our own export are the rows of counters they were made of. What has
//! no place is counted in notes.
//!
//! Writers may tell what a track is when its events are over. The file is then read again, for what the tracks
//! are first.

mod core_numbers;
mod counters;
mod event;
mod flows;
mod other_data;
mod slices;
mod tracks;

use super::draft::{BASE_NS, Draft, Unit};
use super::input::Input;
use super::json::{self, Source, Step};
use crate::TraceError;
use crate::json::{Kind, Members};
use core_numbers::{CoreName, CoreNumbers};
use event::Event;
use flows::{Flows, Point};
use lanescope_abi::CoreType;
use std::path::Path;
use tracks::{Late, Shows, Tracks};

/// The name that the reference gives its trace.
pub(super) const MERGED_FILE_NAME: &str = "merged_swimlane.json";
/// Kinds of events that are nothing without a time.
const PLACED: [&str; 9] = ["X", "B", "E", "s", "t", "f", "i", "I", "C"];
/// Slices that are open on one thread at a time.
const MOST_OPEN: usize = 1 << 10;
/// What all slices take that are open at a time.
const MOST_OPEN_BYTES: usize = 32 << 20;

/// What a pass over the file is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pass {
    Everything,
    /// What tracks are, and what is told beside the events.
    Facts,
    /// All the rest.
    Events,
}

pub(super) fn read(input: &Input, folder: &Path, draft: &mut Draft) -> Result<(), TraceError> {
    let mut tracks = Tracks::default();
    let read = pass(input, folder, draft, (Pass::Everything, &mut tracks))?;
    if read == Read::Late {
        *draft = Draft::new(folder);
        tracks = Tracks::default();
        pass(input, folder, draft, (Pass::Facts, &mut tracks))?;
        pass(input, folder, draft, (Pass::Events, &mut tracks))?;
    }
    draft.unit = Some(Unit::Nanoseconds);
    if draft.platform.is_empty() {
        "chrome trace".clone_into(&mut draft.platform);
    }
    Ok(())
}

/// Whether a pass came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Read {
    Whole,
    /// What earlier events mean was told behind them.
    Late,
}

fn pass(
    input: &Input,
    folder: &Path,
    draft: &mut Draft,
    (pass, tracks): (Pass, &mut Tracks),
) -> Result<Read, TraceError> {
    let mut reader = json::open(input)?;
    let mut events = Events {
        pass,
        draft,
        tracks,
        cores: CoreNumbers::default(),
        names: slices::FunctionNames::default(),
        flows: Flows::new(folder),
        next_task: 0,
        open_bytes: 0,
        next_unnamed: 0,
        is_late: false,
    };
    events.cores.tell(&events.draft.devices);
    let read = match reader.kind()? {
        Kind::Array => events.read_open(&mut reader),
        _ => document(&mut reader, &mut events),
    };
    if events.is_late {
        return Ok(Read::Late);
    }
    read?;
    reader.end()?;
    events.finish(folder).map_err(|text| reader.error(text))?;
    Ok(Read::Whole)
}

fn document(reader: &mut Source, events: &mut Events<'_>) -> Step {
    let names = ["otherData", "traceEvents", "undrawn"];
    let mut has_events = false;
    let mut members = Members::default();
    let expected = "an object with the key `traceEvents`, or an array of trace events";
    json::begin(reader, expected)?;
    while let Some(member) = reader.member(&names, &mut members)? {
        let is_object = reader.kind()? == Kind::Object;
        match member {
            0 if is_object && events.pass != Pass::Events => {
                if has_events && events.pass == Pass::Everything {
                    events.is_late = true;
                    return Err(reader.error("facts behind the events they are of"));
                }
                other_data::read(reader, events.draft)?;
                events.cores.tell(&events.draft.devices);
            }
            1 => {
                has_events = true;
                events.read(reader)?;
            }
            2 if is_object && events.pass != Pass::Facts => {
                other_data::undrawn(reader, events.draft)?;
            }
            _ => reader.skip()?,
        }
    }
    match has_events {
        true => Ok(()),
        false => Err(reader.error("the object ends without `traceEvents`")),
    }
}

struct Events<'a> {
    pass: Pass,
    draft: &'a mut Draft,
    tracks: &'a mut Tracks,
    cores: CoreNumbers,
    names: slices::FunctionNames,
    flows: Flows,
    next_task: u64,
    /// What the slices take that are open.
    open_bytes: usize,
    next_unnamed: u16,
    is_late: bool,
}

impl Events<'_> {
    fn read(&mut self, reader: &mut Source) -> Step {
        let events = event::Events::new();
        json::each(reader, "an array of trace events", |reader| {
            let event = events.read(reader)?;
            self.take(event).map_err(|text| reader.error(text))
        })
    }

    /// Reads an array that a program which was stopped did not close, as the format allows.
    fn read_open(&mut self, reader: &mut Source) -> Step {
        let events = event::Events::new();
        let mut members = Members::default();
        reader.begin_array()?;
        while reader.element_if_any(&mut members)? {
            let event = events.read(reader)?;
            self.take(event).map_err(|text| reader.error(text))?;
        }
        if !members.is_closed() && self.pass != Pass::Facts {
            self.draft.note(1, "array of events without its end");
        }
        Ok(())
    }

    fn take(&mut self, event: Event) -> Result<(), String> {
        let is_metadata = event.ph == "M";
        match (self.pass, is_metadata) {
            (Pass::Facts, false) | (Pass::Events, true) => return Ok(()),
            (_, true) => return self.metadata(&event),
            _ => {}
        }
        if self.tracks.thread(&event).is_none() {
            let text = "[event|events] of too many different threads left out";
            self.draft.note(1, text);
            return Ok(());
        }
        if event.ts.is_none() && PLACED.contains(&event.ph.as_str()) {
            self.draft.note(1, "[event|events] without `ts` left out");
            // A begin and an end belong to each other all the same.
            if !matches!(event.ph.as_str(), "B" | "E") {
                return Ok(());
            }
        }
        match event.ph.as_str() {
            "X" => {
                let is_without = event.dur.is_none();
                let text = "[slice|slices] without `dur`, taken for 0 ns long";
                self.draft.note(u64::from(is_without), text);
                self.slice(&event)
            }
            "B" => {
                self.begin(event);
                Ok(())
            }
            "E" => self.end(&event),
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
        self.draft.note(
            1,
            "[event that is no slice|events that are no slices] left out",
        );
    }

    /// The number and the kind of the core that an event is of by this name.
    fn core(&mut self, name: Option<CoreName>, event: &Event) -> Option<(u16, CoreType)> {
        let name = name?;
        let number = self.cores.of(name, event, self.draft)?;
        Some((number, name.core_type))
    }

    /// The number of an event's track, of those that are known.
    fn track(&mut self, event: &Event) -> u64 {
        self.tracks.thread(event).map_or(0, |thread| thread.track)
    }

    fn begin(&mut self, event: Event) {
        let bytes = event.bytes();
        let Some(thread) = self.tracks.thread(&event) else {
            return;
        };
        let mut left_out = 0;
        if thread.open.len() == MOST_OPEN {
            self.open_bytes -= thread.open.remove(0).bytes();
            left_out += 1;
        }
        if self.open_bytes + bytes <= MOST_OPEN_BYTES {
            self.open_bytes += bytes;
            thread.open.push(Box::new(event));
        } else {
            left_out += 1;
        }
        let text = "[slice left out: too many were open at its|slices left out: too many were open at their] time";
        self.draft.note(left_out, text);
    }

    fn end(&mut self, event: &Event) -> Result<(), String> {
        let thread = self.tracks.thread(event);
        let Some(mut begun) = thread.and_then(|thread| thread.open.pop()) else {
            self.draft
                .note(1, "[slice that ends|slices that end] and never began");
            return Ok(());
        };
        self.open_bytes -= begun.bytes();
        let Some((begin, mut lasting)) = begun.ts.zip(event.ts) else {
            return Ok(());
        };
        lasting.units -= begin.units;
        begun.dur = Some(lasting);
        self.slice(&begun)
    }

    /// A draft's time; none is a second or more before the file's own 0, or beyond 64 bits of nanoseconds.
    fn time(&mut self, ns: i128) -> Option<u64> {
        let time = u64::try_from(ns.saturating_add(i128::from(BASE_NS)));
        let time = time.ok().filter(|&time| time != 0 && time != u64::MAX);
        if time.is_none() {
            let text =
                "[time|times] a second or more before 0, or beyond 64 bits of ns, taken as unknown";
            self.draft.note(1, text);
        }
        time
    }

    fn known_time(&mut self, ns: Option<i128>) -> u64 {
        ns.and_then(|ns| self.time(ns)).unwrap_or(0)
    }

    fn flow(&mut self, event: &Event, point: Point) -> Result<(), String> {
        let Some(flow) = event.flow() else {
            self.draft
                .note(1, "flow [event|events] without an id left out");
            return Ok(());
        };
        let Some(at) = self.time(event.at_ns()) else {
            return Ok(());
        };
        let track = self.track(event);
        let pushed = self.flows.point(track, at, point, flow);
        self.draft.kept(pushed)
    }

    fn metadata(&mut self, event: &Event) -> Result<(), String> {
        let Some(name) = &event.args.name else {
            return Ok(());
        };
        let told = match event.name.as_str() {
            "process_name" => self.tracks.name_process(event, name),
            "thread_name" => self.tracks.name_thread(event, name),
            _ => Ok(()),
        };
        told.map_err(|Late| {
            self.is_late = true;
            "a name behind the events it is of".to_owned()
        })
    }

    /// What stays open when the file has ended, and what the flows join.
    fn finish(self, folder: &Path) -> Result<(), String> {
        if self.pass == Pass::Facts {
            return Ok(());
        }
        let threads = self.tracks.threads();
        let open = threads.map(|thread| thread.open.len() as u64);
        let draft = self.draft;
        draft.note(
            open.sum(),
            "[slice that begins and never ends|slices that begin and never end]",
        );
        let text = "[device that only the names of its|devices that only the names of their] cores tell, taken for one";
        draft.note(self.cores.untold_devices(), text);
        let joined = self.flows.finish(draft, folder);
        draft.kept(joined)
    }
}
