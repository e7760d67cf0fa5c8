//! A packet sequence: one track's events with interned names and a clock that counts on.

use super::event::{ARGUMENT_NAMES, Annotations, EventFields};
use super::flow_fields;
use super::wire::{Short, Wire, length_key, varint_key};
use crate::ExportError;
use crate::flows::RowFlows;
use lanescope_trace::Functions;
use std::collections::HashMap;

/// Perfetto's number for the clock of boot time, which is that of the whole trace.
const BOOTTIME: u64 = 6;
/// The sequence's own clock; sequence-scoped clocks are 64..=127.
const DEVICE_CLOCK: u64 = 64;

/// `TracePacket.sequence_flags`.
const INCREMENTAL_STATE_CLEARED: u64 = 1;
const NEEDS_INCREMENTAL_STATE: u64 = 2;

/// `TrackEvent.type`.
const SLICE_BEGIN: u64 = 1;
const SLICE_END: u8 = 2;
const COUNTER: u64 = 4;

/// `Trace.packet`, field 1 with a length.
const PACKET_KEY: u32 = 0x0A;
/// `TracePacket.timestamp`, field 8.
const TIMESTAMP_KEY: u8 = 0x40;
/// `TracePacket.track_event`, field 11 with a length.
const EVENT_KEY: u8 = 0x5A;
/// `TracePacket.trusted_packet_sequence_id`, field 10.
const SEQUENCE_KEY: u8 = 0x50;
/// `TracePacket.sequence_flags`, field 13.
const FLAGS_KEY: u8 = 0x68;
/// `TrackEvent.type`, field 9.
const TYPE_KEY: u8 = 0x48;
/// `TrackEvent.track_uuid`, field 11.
const TRACK_KEY: u8 = 0x58;
/// `TrackEvent.double_counter_value`, field 44, eight bytes.
const DOUBLE_VALUE_KEY: [u8; 2] = [0xE1, 0x02];
/// `TrackEvent.name_iid`, field 10.
const NAME_KEY: u8 = 0x50;

/// How raw ticks become the units of the device clock.
///
/// Where a tick is a whole number of nanoseconds the units are ticks; else they are nanoseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    ticks_per_second: u64,
    ns_per_unit: u64,
    units_are_ticks: bool,
    bounds: Option<(u64, u64)>,
}

impl Clock {
    pub(super) fn of(
        ticks_per_second: u64,
        bounds: Option<(u64, u64)>,
    ) -> Result<Self, ExportError> {
        let ticks_per_second = ticks_per_second.max(1);
        let units_are_ticks = 1_000_000_000_u64.is_multiple_of(ticks_per_second);
        let clock = Self {
            ticks_per_second,
            ns_per_unit: match units_are_ticks {
                true => 1_000_000_000 / ticks_per_second,
                false => 1,
            },
            units_are_ticks,
            bounds,
        };
        let last = bounds.map_or(0, |(_, last)| last);
        let last_ns = u128::from(last) * 1_000_000_000 / u128::from(ticks_per_second);
        match i64::try_from(last_ns) {
            Ok(_) => Ok(clock),
            Err(_) => Err(ExportError::TimeOutOfRange {
                ticks: last,
                ticks_per_second,
            }),
        }
    }

    /// The earliest time of the trace, in ticks.
    pub(super) fn origin(&self) -> Option<u64> {
        self.bounds.map(|(first, _)| first)
    }

    /// A time that may be any, moved into the bounds of the trace; `None` without either.
    pub(super) fn within(&self, ticks: Option<u64>) -> Option<u64> {
        let (first, last) = self.bounds?;
        Some(ticks?.clamp(first, last))
    }

    /// A time of the trace in the clock's units.
    #[inline]
    pub(super) fn at(&self, ticks: u64) -> u64 {
        match self.units_are_ticks {
            true => ticks,
            false => self.nanoseconds(ticks),
        }
    }

    /// A time or a duration of the trace in nanoseconds, rounded down.
    #[inline]
    pub(super) fn nanoseconds(&self, ticks: u64) -> u64 {
        match self.units_are_ticks {
            true => ticks * self.ns_per_unit,
            false => {
                let ns = u128::from(ticks) * 1_000_000_000 / u128::from(self.ticks_per_second);
                u64::try_from(ns).expect("checked against the last time of the trace")
            }
        }
    }

    /// A sum of durations, which may be any, in nanoseconds; `None` beyond 64 bits.
    pub(super) fn sum_ns(&self, ticks: u64) -> Option<u64> {
        let ns = u128::from(ticks) * 1_000_000_000 / u128::from(self.ticks_per_second);
        u64::try_from(ns).ok()
    }

    /// The clock's reading at the earliest time of the trace.
    fn origin_units(&self) -> u64 {
        self.origin().map_or(0, |ticks| self.at(ticks))
    }
}

/// Every name that events carry; a name's number is its place.
#[derive(Debug, Default)]
pub(super) struct Names {
    texts: Vec<String>,
    /// The names of functions with small ids, by id; 0 where there is none yet, else number + 1.
    small_ids: Vec<u32>,
    large_ids: HashMap<u32, u32>,
    fixed: HashMap<&'static str, u32>,
}

impl Names {
    /// The number of a function's name.
    #[inline]
    pub(super) fn function(&mut self, func_id: u32, functions: &Functions) -> u32 {
        match self.small_ids.get(func_id as usize) {
            Some(&entry) if entry != 0 => entry - 1,
            _ => self.other_function(func_id, functions),
        }
    }

    /// A function seen for the first time, or one with a large id.
    fn other_function(&mut self, func_id: u32, functions: &Functions) -> u32 {
        let texts = &mut self.texts;
        let mut add_label = || add(texts, functions.label(func_id).into_owned());
        let index = func_id as usize;
        if index >= SMALL_IDS {
            return *self.large_ids.entry(func_id).or_insert_with(add_label);
        }
        if index >= self.small_ids.len() {
            self.small_ids.resize(index + 1, 0);
        }
        let name = add_label();
        self.small_ids[index] = name + 1;
        name
    }

    /// The number of a name known when this was compiled.
    pub(super) fn fixed(&mut self, text: &'static str) -> u32 {
        let texts = &mut self.texts;
        *self
            .fixed
            .entry(text)
            .or_insert_with(|| add(texts, text.to_owned()))
    }

    fn text(&self, name: u32) -> &str {
        &self.texts[name as usize]
    }
}

/// Function ids below this are found by index.
const SMALL_IDS: usize = 1 << 16;

fn add(texts: &mut Vec<String>, text: String) -> u32 {
    texts.push(text);
    u32::try_from(texts.len() - 1).expect("fewer names than function ids")
}

/// A packet's sequence, a key and as many as ten bytes, and its flags.
const HEADER_BYTES: usize = 13;
/// A packet up to its event's fields: a time, a key and as many as ten bytes; the header; the event's key and its
/// length, six bytes for as many flows as there are edges at most.
const HEAD_BYTES: usize = 32;

/// One track's packets.
#[derive(Debug)]
pub(super) struct Sequence {
    /// `trusted_packet_sequence_id` and `sequence_flags`, encoded.
    header: Short<HEADER_BYTES>,
    /// The time of the last packet, in the clock's units.
    latest: u64,
    /// Which names were interned, a bit each.
    interned: Vec<u64>,
    id: u64,
    track: u64,
}

impl Sequence {
    /// Starts the sequence: defaults, clock, names of arguments.
    pub(super) fn start(wire: &mut Wire, id: u64, track: u64, clock: &Clock) -> Self {
        let mut header = Short::new();
        header.uint(SEQUENCE_KEY, id);
        header.uint(FLAGS_KEY, NEEDS_INCREMENTAL_STATE);
        let mut sequence = Self {
            header,
            latest: clock.origin_units(),
            interned: Vec::new(),
            id,
            track,
        };
        sequence.restart(wire, clock);
        sequence
    }

    /// Says everything again that later packets rest on, so that a reader may begin here.
    pub(super) fn restart(&mut self, wire: &mut Wire, clock: &Clock) {
        self.interned.clear();
        let (id, track, units) = (self.id, self.track, self.latest);
        wire.message(length_key(1), |packet| {
            packet.uint(varint_key(10), id);
            packet.uint(varint_key(13), INCREMENTAL_STATE_CLEARED);
            packet.message(length_key(59), |defaults| {
                defaults.uint(varint_key(58), DEVICE_CLOCK);
                defaults.message(length_key(11), |event| event.uint(varint_key(11), track));
            });
            packet.message(length_key(12), |interned| {
                for (iid, name) in (1..).zip(ARGUMENT_NAMES) {
                    interned.message(length_key(3), |entry| {
                        entry.uint(varint_key(1), iid);
                        entry.text(length_key(2), name);
                    });
                }
            });
            packet.message(length_key(6), |snapshot| {
                snapshot.message(length_key(1), |reading| {
                    reading.uint(varint_key(1), BOOTTIME);
                    reading.uint(varint_key(2), units * clock.ns_per_unit);
                });
                snapshot.message(length_key(1), |reading| {
                    reading.uint(varint_key(1), DEVICE_CLOCK);
                    reading.uint(varint_key(2), units);
                    reading.uint(varint_key(3), 1);
                    reading.uint(varint_key(4), clock.ns_per_unit);
                });
                snapshot.uint(varint_key(2), BOOTTIME);
            });
        });
    }

    /// The time of the last packet, in the clock's units; no event may be earlier.
    pub(super) fn latest(&self) -> u64 {
        self.latest
    }

    /// A slice begins.
    #[inline]
    pub(super) fn begin(
        &mut self,
        wire: &mut Wire,
        at: u64,
        name: u32,
        names: &Names,
        arguments: &Annotations,
        flows: &RowFlows<'_>,
    ) {
        let is_new = self.intern(name);
        let mut event = EventFields::new();
        event.uint(TYPE_KEY, SLICE_BEGIN);
        event.uint(NAME_KEY, iid(name));
        arguments.write(&mut event);
        let event_bytes = event.len() + flow_fields::encoded_bytes(flows);
        let mut interned = Wire::default();
        if is_new {
            intern_event_name(&mut interned, name, names.text(name));
        }
        let mut head = self.stamp(at);
        head.uint(EVENT_KEY, event_bytes as u64);
        let packet_bytes = interned.len() + head.len() + event_bytes;
        wire.uint(PACKET_KEY, packet_bytes as u64);
        if is_new {
            wire.raw(interned.bytes());
        }
        wire.short(&head);
        wire.short(&event);
        flow_fields::write(flows, wire);
    }

    /// The slice that began last ends.
    #[inline]
    pub(super) fn end(&mut self, wire: &mut Wire, at: u64) {
        let mut packet = self.stamp(at);
        packet.raw([EVENT_KEY, 2, TYPE_KEY, SLICE_END]);
        wire.uint(PACKET_KEY, packet.len() as u64);
        wire.short(&packet);
    }

    /// A counter track gets a value.
    pub(super) fn counter(&mut self, wire: &mut Wire, at: u64, track: u64, value: f64) {
        let mut event = EventFields::new();
        event.uint(TYPE_KEY, COUNTER);
        event.uint(TRACK_KEY, track);
        event.raw(DOUBLE_VALUE_KEY);
        event.raw(value.to_le_bytes());
        let mut head = self.stamp(at);
        head.uint(EVENT_KEY, event.len() as u64);
        wire.uint(PACKET_KEY, (head.len() + event.len()) as u64);
        wire.short(&head);
        wire.short(&event);
    }

    /// The fields that every packet begins with: its time and its sequence.
    #[inline]
    fn stamp(&mut self, at: u64) -> Short<HEAD_BYTES> {
        let mut packet = Short::new();
        packet.uint(TIMESTAMP_KEY, self.step_to(at));
        packet.short(&self.header);
        packet
    }

    fn step_to(&mut self, at: u64) -> u64 {
        let step = at
            .checked_sub(self.latest)
            .expect("a lane is chosen whose last event is not later");
        self.latest = at;
        step
    }

    /// Notes a name as interned; whether it was not before.
    #[inline]
    fn intern(&mut self, name: u32) -> bool {
        let (word, bit) = (name as usize / 64, 1_u64 << (name % 64));
        if word >= self.interned.len() {
            self.interned.resize(word + 1, 0);
        }
        let is_new = self.interned[word] & bit == 0;
        self.interned[word] |= bit;
        is_new
    }
}

/// `TracePacket.interned_data` with one event name.
#[cold]
fn intern_event_name(packet: &mut Wire, name: u32, text: &str) {
    packet.message(length_key(12), |interned| {
        interned.message(length_key(2), |entry| {
            entry.uint(varint_key(1), iid(name));
            entry.text(length_key(2), text);
        });
    });
}

/// Interning ids begin at 1.
fn iid(name: u32) -> u64 {
    u64::from(name) + 1
}
