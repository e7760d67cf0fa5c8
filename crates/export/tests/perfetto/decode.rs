//! Replays the packets the way a viewer does, and refuses what a viewer would misread.

use super::messages::{Annotation, Packet, TraceFile, TrackEvent};
use prost::Message;
use std::collections::HashMap;

/// What the packets say once clocks, defaults and interned names are resolved.
#[derive(Debug, Default)]
pub struct Decoded {
    pub tracks: HashMap<u64, Track>,
    pub slices: Vec<Slice>,
    pub instants: Vec<Instant>,
    pub counts: Vec<Count>,
}

/// A value of a counter track.
#[derive(Clone, Debug, PartialEq)]
pub struct Count {
    /// The core's thread, the counter, its unit.
    pub track: (String, String, String),
    pub at_ns: u64,
    pub value: f64,
}

/// A track, with the names of the process and the thread it belongs to.
#[derive(Clone, Debug, Default)]
pub struct Track {
    pub process: String,
    pub thread: String,
    /// Name and unit of a counter.
    pub counter: Option<(String, String)>,
    pid: i32,
}

#[derive(Debug)]
pub struct Slice {
    pub track: u64,
    pub name: String,
    pub start_ns: u64,
    pub end_ns: u64,
    pub arguments: HashMap<String, u64>,
    pub flows: Vec<u64>,
    pub ending_flows: Vec<u64>,
}

#[derive(Debug)]
pub struct Instant {
    pub name: String,
    pub at_ns: u64,
    pub numbers: HashMap<String, u64>,
    pub texts: HashMap<String, String>,
}

/// The state of one packet sequence.
#[derive(Default)]
struct Sequence {
    is_cleared: bool,
    default_track: Option<u64>,
    clock: Option<(u64, u64)>,
    event_names: HashMap<u64, String>,
    annotation_names: HashMap<u64, String>,
}

impl Decoded {
    pub fn run(&self) -> &Instant {
        self.instants.last().expect("the run comes last")
    }

    fn describe(&mut self, packet: &Packet) {
        let Some(descriptor) = &packet.track_descriptor else {
            return;
        };
        let uuid = descriptor.uuid.expect("a track has an id");
        let mut track = Track::default();
        if let Some(parent) = descriptor.parent_uuid {
            track = self
                .tracks
                .get(&parent)
                .expect("parents come first")
                .clone();
        }
        if let Some(process) = &descriptor.process {
            track.process = process.process_name.clone().expect("a process has a name");
            track.pid = process.pid.expect("a process has a pid");
        }
        if let Some(thread) = &descriptor.thread {
            assert_eq!(
                thread.pid,
                Some(track.pid),
                "a thread is in its parent's process"
            );
            track.thread = thread.thread_name.clone().expect("a thread has a name");
        }
        if let Some(counter) = &descriptor.counter {
            let unit = counter.unit_name.clone().expect("a counter has a unit");
            let name = descriptor.name.clone().expect("a counter has a name");
            track.counter = Some((name, unit));
        }
        assert!(
            self.tracks.insert(uuid, track).is_none(),
            "track {uuid} twice"
        );
    }
}

pub fn decode(bytes: &[u8]) -> Decoded {
    let file = TraceFile::decode(bytes).expect("whole messages");
    let encoded = file.encoded_len();
    assert_eq!(encoded, bytes.len(), "fields that the messages do not know");
    let mut decoded = Decoded::default();
    let mut sequences: HashMap<u32, Sequence> = HashMap::new();
    let mut open: HashMap<u64, Vec<Slice>> = HashMap::new();
    for packet in &file.packets {
        decoded.describe(packet);
        let id = packet
            .trusted_packet_sequence_id
            .expect("every packet has a sequence");
        let sequence = sequences.entry(id).or_default();
        sequence.state(packet);
        let Some(event) = &packet.track_event else {
            continue;
        };
        let at_ns = sequence.time(packet);
        let track = event
            .track_uuid
            .or(sequence.default_track)
            .expect("a track");
        assert!(
            decoded.tracks.contains_key(&track),
            "track {track} is described first"
        );
        match event.r#type {
            Some(1) => {
                let slice = sequence.slice(event, track, at_ns);
                let latest = decoded
                    .slices
                    .iter()
                    .rev()
                    .find(|slice| slice.track == track);
                assert!(latest.is_none_or(|latest| latest.end_ns <= at_ns));
                let open = open.entry(track).or_default();
                // Only a wait for the host lies inside another slice.
                assert!(
                    open.is_empty() || open.len() == 1 && slice.name == "blocked",
                    "a slice inside another"
                );
                open.push(slice);
            }
            Some(2) => {
                let open = open.get_mut(&track).expect("a slice that ends has begun");
                let mut slice = open.pop().expect("a slice that ends has begun");
                assert!(slice.start_ns <= at_ns);
                slice.end_ns = at_ns;
                decoded.slices.push(slice);
            }
            Some(3) => decoded.instants.push(instant(event, at_ns)),
            Some(4) => {
                let owner = &decoded.tracks[&track];
                let (name, unit) = owner.counter.clone().expect("a counter track");
                decoded.counts.push(Count {
                    track: (owner.thread.clone(), name, unit),
                    at_ns,
                    value: event.double_counter_value.expect("a value"),
                });
            }
            other => panic!("event type {other:?}"),
        }
    }
    assert!(open.values().all(Vec::is_empty), "slices without an end");
    decoded
}

impl Sequence {
    fn state(&mut self, packet: &Packet) {
        let flags = packet.sequence_flags.unwrap_or(0);
        if flags & 1 != 0 {
            assert!(!self.is_cleared, "one start a sequence");
            self.is_cleared = true;
        }
        assert!(
            flags & 2 == 0 || self.is_cleared,
            "state is needed before there is any"
        );
        if let Some(defaults) = &packet.defaults {
            assert_eq!(defaults.timestamp_clock_id, Some(64));
            self.default_track = defaults
                .track_event
                .as_ref()
                .and_then(|event| event.track_uuid);
        }
        if let Some(snapshot) = &packet.clock_snapshot {
            let [boot, device] = &snapshot.clocks[..] else {
                panic!("two clocks in a snapshot");
            };
            assert_eq!(
                (boot.clock_id, snapshot.primary_trace_clock),
                (Some(6), Some(6))
            );
            assert_eq!(
                (device.clock_id, device.is_incremental),
                (Some(64), Some(true))
            );
            let unit = device.unit_multiplier_ns.expect("a unit");
            let reading = device.timestamp.expect("a reading");
            assert_eq!(boot.timestamp, Some(reading * unit));
            self.clock = Some((reading, unit));
        }
        if let Some(interned) = &packet.interned_data {
            for entry in &interned.event_names {
                let name = entry.name.clone().expect("a name");
                let known = self.event_names.insert(entry.iid.expect("an iid"), name);
                assert!(known.is_none(), "interned twice");
            }
            for entry in &interned.annotation_names {
                let name = entry.name.clone().expect("a name");
                self.annotation_names
                    .insert(entry.iid.expect("an iid"), name);
            }
        }
    }

    fn time(&mut self, packet: &Packet) -> u64 {
        let stamp = packet.timestamp.expect("an event has a time");
        match &mut self.clock {
            None => stamp,
            Some((reading, unit)) => {
                *reading += stamp;
                *reading * *unit
            }
        }
    }

    fn slice(&self, event: &TrackEvent, track: u64, start_ns: u64) -> Slice {
        let text = |name: &Option<String>, iid: Option<u64>, names: &HashMap<u64, String>| {
            let interned = || names[&iid.expect("an interned name")].clone();
            name.clone().unwrap_or_else(interned)
        };
        let argument = |annotation: &Annotation| {
            let Annotation { name, name_iid, .. } = annotation;
            let value = annotation.uint_value.expect("a number");
            (text(name, *name_iid, &self.annotation_names), value)
        };
        Slice {
            track,
            name: text(&event.name, event.name_iid, &self.event_names),
            start_ns,
            end_ns: start_ns,
            arguments: event.annotations.iter().map(argument).collect(),
            flows: event.flow_ids.clone(),
            ending_flows: event.terminating_flow_ids.clone(),
        }
    }
}

fn instant(event: &TrackEvent, at_ns: u64) -> Instant {
    let name = |annotation: &Annotation| annotation.name.clone().expect("a name in full");
    let numbers = event.annotations.iter();
    let numbers = numbers.filter_map(|entry| Some((name(entry), entry.uint_value?)));
    let texts = event.annotations.iter();
    let texts = texts.filter_map(|entry| Some((name(entry), entry.string_value.clone()?)));
    Instant {
        name: event.name.clone().expect("a name in full"),
        at_ns,
        numbers: numbers.collect(),
        texts: texts.collect(),
    }
}
