//! One trace event, as far as it is read.

use super::super::json::{self, Source};
use super::flows::Point;
use crate::TraceError;
use crate::json::{Fixed, Kind, Members};
use lanescope_abi::Chip;
use std::hash::{DefaultHasher, Hash, Hasher};

/// One trace event.
#[derive(Clone, Debug, Default)]
pub(super) struct Event {
    pub(super) ph: String,
    pub(super) name: String,
    pub(super) cat: String,
    pub(super) pid: Number,
    pub(super) tid: Number,
    /// Nanoseconds, as the duration.
    pub(super) ts: Option<Fixed>,
    pub(super) dur: Option<Fixed>,
    pub(super) id: Option<Number>,
    /// The id is one of its process alone.
    is_local: bool,
    /// A slice's flow of the second kind, which has no events of its own: the slice says what flows into it and out
    /// of it.
    bind_id: Option<Number>,
    flow_in: bool,
    flow_out: bool,
    /// A flow's end belongs to the slice it lies in, not to the next one.
    pub(super) binds_here: bool,
    pub(super) args: Arguments,
    pub(super) counted: Counted,
}

/// A slice says that something flows into it or out of it, and not what.
pub(super) struct NoBindId;

/// The arguments that known writers give.
#[derive(Clone, Debug, Default)]
pub(super) struct Arguments {
    pub(super) name: Option<String>,
    pub(super) task_id: Option<u64>,
    pub(super) func_id: Option<u32>,
    pub(super) token: Option<u32>,
    receive_wait: Option<Fixed>,
    head_wait: Option<Fixed>,
    tail_wait: Option<Fixed>,
    /// Dispatch, receive, start, end, finish, where they are told as times.
    pub(super) times: [Option<Fixed>; 5],
    pub(super) fanout_hint: Option<String>,
    event_hint: Option<String>,
    pub(super) loop_iter: Option<u64>,
    pub(super) tasks_processed: Option<u64>,
    pub(super) rounds: Option<u64>,
    pub(super) pop_hit: Option<u64>,
    pub(super) pop_miss: Option<u64>,
    pub(super) submit_index: Option<u64>,
    pub(super) total_cycles: Option<u64>,
    /// Values by column, of counter events.
    pub(super) columns: Vec<(&'static str, u64)>,
}

/// What our own export says of counters beside their values.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counted {
    pub(super) task_id: Option<u64>,
    pub(super) func_id: Option<u64>,
    pub(super) thread: Option<u64>,
    pub(super) token: Option<u64>,
    pub(super) event: Option<u64>,
}

const EVENT: [&str; 19] = [
    "ph", "pid", "tid", "name", "ts", "dur", "args", "cat", "id", "bp", "task_id", "func_id",
    "thread", "token", "event", "id2", "flow_in", "flow_out", "bind_id",
];
const ARGUMENTS: [&str; 23] = [
    "task_id",
    "func_id",
    "token",
    "head_wait_us",
    "receive_wait_us",
    "tail_wait_us",
    "name",
    "taskId",
    "fanout-hint",
    "event-hint",
    "loop_iter",
    "tasks_processed",
    "pop_hit",
    "pop_miss",
    "submit_index",
    "submit_idx",
    "dispatch_us",
    "receive_us",
    "start_us",
    "end_us",
    "finish_us",
    "total_cycles",
    "rounds",
];
/// The place of `dispatch_us` among [`ARGUMENTS`].
const FIRST_TIME: usize = 16;

/// Reads events.
#[derive(Debug)]
pub(super) struct Events {
    /// [`ARGUMENTS`], and behind them every column of counters.
    arguments: Vec<&'static str>,
}

impl Events {
    pub(super) fn new() -> Self {
        let mut arguments = ARGUMENTS.to_vec();
        let events = Chip::ALL.iter().flat_map(|chip| chip.info().pmu_events);
        for (_, column) in events.flat_map(lanescope_abi::PmuEvent::columns) {
            if !arguments.contains(&column) {
                arguments.push(column);
            }
        }
        Self { arguments }
    }

    pub(super) fn read(&self, reader: &mut Source) -> Result<Event, TraceError> {
        let mut event = Event::default();
        let mut members = Members::default();
        json::begin(reader, "a trace event, an object")?;
        while let Some(member) = reader.member(&EVENT, &mut members)? {
            match member {
                0 => event.ph = reader.text("an event's kind")?,
                1 => event.pid = Number::read(reader)?,
                2 => event.tid = Number::read(reader)?,
                3 => event.name = json::maybe_text(reader)?.unwrap_or_default(),
                4 if reader.null()? => {}
                4 => event.ts = Some(json::nanoseconds(reader, "microseconds")?),
                5 if reader.null()? => {}
                5 => event.dur = Some(json::nanoseconds(reader, "microseconds")?),
                6 if reader.kind()? == Kind::Object => event.args = self.arguments(reader)?,
                7 => event.cat = json::maybe_text(reader)?.unwrap_or_default(),
                8 => event.id = Some(Number::read(reader)?),
                9 => event.binds_here = json::maybe_text(reader)?.as_deref() == Some("e"),
                10 => event.counted.task_id = json::maybe_uint(reader)?,
                11 => event.counted.func_id = json::maybe_uint(reader)?,
                12 => event.counted.thread = json::maybe_uint(reader)?,
                13 => event.counted.token = json::maybe_uint(reader)?,
                14 => event.counted.event = json::maybe_uint(reader)?,
                15 if reader.kind()? == Kind::Object => event.read_id(reader)?,
                16 if reader.kind()? == Kind::Other => {
                    event.flow_in = !reader.null()? && reader.boolean()?;
                }
                17 if reader.kind()? == Kind::Other => {
                    event.flow_out = !reader.null()? && reader.boolean()?;
                }
                18 if reader.null()? => {}
                18 => event.bind_id = Some(Number::read(reader)?),
                _ => reader.skip()?,
            }
        }
        Ok(event)
    }

    /// Arguments of other programs may be anything: what is not as known writers write it is none.
    fn arguments(&self, reader: &mut Source) -> Result<Arguments, TraceError> {
        let mut args = Arguments::default();
        let mut members = Members::default();
        reader.begin_object()?;
        while let Some(member) = reader.member(&self.arguments, &mut members)? {
            match member {
                0 | 7 => args.task_id = json::maybe_uint(reader)?,
                1 => args.func_id = narrow(json::maybe_uint(reader)?),
                2 => args.token = narrow(json::maybe_uint(reader)?),
                3 => args.head_wait = maybe_time(reader)?,
                4 => args.receive_wait = maybe_time(reader)?,
                5 => args.tail_wait = maybe_time(reader)?,
                6 => args.name = json::maybe_text(reader)?,
                8 => args.fanout_hint = json::maybe_text(reader)?,
                9 => args.event_hint = json::maybe_text(reader)?,
                10 => args.loop_iter = json::maybe_uint(reader)?,
                11 => args.tasks_processed = json::maybe_uint(reader)?,
                12 => args.pop_hit = json::maybe_uint(reader)?,
                13 => args.pop_miss = json::maybe_uint(reader)?,
                14 | 15 => args.submit_index = json::maybe_uint(reader)?,
                FIRST_TIME..=20 => args.times[member - FIRST_TIME] = maybe_time(reader)?,
                21 => args.total_cycles = json::maybe_uint(reader)?,
                22 => args.rounds = json::maybe_uint(reader)?,
                _ => match self.arguments.get(member) {
                    Some(&column) => {
                        let value = json::maybe_uint(reader)?;
                        args.columns.extend(value.map(|value| (column, value)));
                    }
                    None => reader.skip()?,
                },
            }
        }
        Ok(args)
    }
}

pub(super) fn narrow(value: Option<u64>) -> Option<u32> {
    value.and_then(|value| u32::try_from(value).ok())
}

fn maybe_time(reader: &mut Source) -> Result<Option<Fixed>, TraceError> {
    match reader.kind()? {
        Kind::Number => reader.fixed_if_any(3),
        _ => reader.skip().map(|()| None),
    }
}

impl Arguments {
    /// The function, as our export or the reference's says it.
    pub(super) fn function(&self) -> Option<u32> {
        let hinted = || {
            let (_, rest) = self.event_hint.as_deref()?.split_once("FuncId:")?;
            rest.split(',').next()?.trim().parse().ok()
        };
        self.func_id.or_else(hinted)
    }

    /// Dispatch, receive and finish of a slice, in nanoseconds, which our export tells as waits before its
    /// start and behind its end.
    pub(super) fn around(&self, start: i128, end: i128) -> [Option<i128>; 3] {
        let dispatch = self.head_wait.map(|wait| start - wait.units);
        let received = dispatch
            .zip(self.receive_wait)
            .map(|(dispatch, wait)| dispatch + wait.units);
        let finish = self.tail_wait.map(|wait| end + wait.units);
        let told = [self.times[0], self.times[1], self.times[4]];
        let [dispatched, receive, finished] = told.map(|time| time.map(|time| time.units));
        [
            dispatch.or(dispatched),
            received.or(receive),
            finish.or(finished),
        ]
    }
}

impl Event {
    /// An id that says whether it is one of all processes.
    fn read_id(&mut self, reader: &mut Source) -> Result<(), TraceError> {
        let mut members = Members::default();
        reader.begin_object()?;
        while let Some(member) = reader.member(&["local", "global"], &mut members)? {
            match member {
                0 | 1 => {
                    self.is_local = member == 0;
                    self.id = Some(Number::read(reader)?);
                }
                _ => reader.skip()?,
            }
        }
        Ok(())
    }

    pub(super) fn track(&self) -> (Number, Number) {
        (self.pid, self.tid)
    }

    /// What it takes in memory.
    pub(super) fn bytes(&self) -> usize {
        let args = &self.args;
        let hints = [&args.name, &args.fanout_hint, &args.event_hint];
        let hints = hints.into_iter().flatten().map(String::len);
        let columns = args.columns.len() * size_of::<(&str, u64)>();
        let texts = self.ph.len() + self.name.len() + self.cat.len();
        size_of::<Self>() + texts + hints.sum::<usize>() + columns
    }

    /// Whether a time had parts of a nanosecond.
    pub(super) fn is_rounded(&self) -> bool {
        let times = [self.ts, self.dur];
        times.into_iter().flatten().any(|time| time.is_rounded)
    }

    /// Its time in nanoseconds; who takes an event has seen that it has one.
    pub(super) fn at_ns(&self) -> i128 {
        self.ts.unwrap_or_default().units
    }

    /// What flows that belong together have in common; unlike ones have it by the rarest chance alone.
    pub(super) fn flow(&self) -> Option<u64> {
        let id = self.id?;
        let process = self.is_local.then_some(self.pid);
        Some(hash(&(&self.cat, &self.name, id, process)))
    }

    /// What a slice is to its flow of the second kind; an error when it does not say which that is.
    pub(super) fn bound(&self) -> Result<Option<(Point, u64)>, NoBindId> {
        let point = match (self.flow_in, self.flow_out) {
            (false, false) => return Ok(None),
            (false, true) => Point::Begin,
            (true, true) => Point::Step,
            (true, false) => Point::EndHere,
        };
        let id = self.bind_id.ok_or(NoBindId)?;
        Ok(Some((point, hash(&("bind_id", id)))))
    }

    /// The name without what the reference writes behind it, as in `complete(3)` or `QK(t7)`.
    pub(super) fn split_name(&self) -> (&str, Option<u64>) {
        let split = self
            .name
            .strip_suffix(')')
            .and_then(|name| name.rsplit_once('('));
        match split {
            Some((name, inner)) if inner.parse::<u64>().is_ok() || shown_task(inner).is_some() => {
                (name, inner.parse().ok())
            }
            _ => (&self.name, None),
        }
    }
}

/// A task as the reference shows it: `t7`, and `r2t5` on ring 2.
pub(super) fn shown_task(text: &str) -> Option<u64> {
    let (ring, local) = match text.strip_prefix('r') {
        Some(rest) => rest.split_once('t')?,
        None => ("0", text.strip_prefix('t')?),
    };
    let ring: u8 = ring.parse().ok()?;
    let local: u32 = local.parse().ok()?;
    Some(u64::from(ring) << 32 | u64::from(local))
}

pub(super) fn hash(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// A process, thread or flow id, which some writers give as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Number {
    Uint(u64),
    /// What tells a text, or a number that is no id, from others.
    Other(u64),
}

impl Default for Number {
    fn default() -> Self {
        Self::Uint(0)
    }
}

impl Number {
    /// The id that comes, 0 where something else does.
    fn read(reader: &mut Source) -> Result<Self, TraceError> {
        match reader.kind()? {
            Kind::Text => {
                let text = json::maybe_text(reader)?.unwrap_or_default();
                let number = text.parse().map(Self::Uint);
                Ok(number.unwrap_or_else(|_| Self::Other(hash(&text))))
            }
            Kind::Number => {
                let fixed = reader.fixed_if_any(0)?.unwrap_or_default();
                let number = json::u64_of(fixed.units).map(Self::Uint);
                Ok(number.unwrap_or_else(|| Self::Other(hash(&fixed.units))))
            }
            _ => reader.skip().map(|()| Self::default()),
        }
    }
}
