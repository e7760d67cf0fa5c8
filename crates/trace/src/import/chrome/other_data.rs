//! What our own export says beside the events.

use super::super::cores;
use super::super::draft::{BASE_NS, Draft};
use super::super::finish::MOST_CORES;
use super::super::json::{self, Source, Step};
use super::event::{hash, narrow};
use crate::json::{Kind, Members};
use crate::{Orchestrator, TraceError};
use lanescope_abi::{Chip, CoreType};
use lanescope_capture::DeviceInfo;
use std::collections::HashSet;

const NAMES: [&str; 12] = [
    "ticks_per_second",
    "origin_ticks",
    "chip",
    "platform",
    "workload",
    "level",
    "core_to_thread",
    "orchestrator",
    "tasks",
    "verdict",
    "devices",
    "core_types",
];
const DEVICE: [&str; 8] = [
    "name",
    "host",
    "device",
    "platform",
    "cores",
    "threads",
    "offset_ns",
    "uncertainty_ns",
];
/// Bytes of a device's names; a list with longer ones is none of ours.
const MOST_NAME_BYTES: usize = 256;
const UNDRAWN: [&str; 5] = ["tasks", "edges", "counters", "stays", "phases"];
const UNDRAWN_WORDS: [&str; UNDRAWN.len()] = [
    "[task|tasks]",
    "[edge|edges]",
    "[row|rows] of counters",
    "[stay|stays]",
    "[phase|phases]",
];
const TOTALS: [&str; 4] = ["start_us", "end_us", "submit_count", "phase_us"];

/// Takes the facts of the run; other programs have other data, of any kind.
pub(super) fn read(reader: &mut Source, draft: &mut Draft) -> Step {
    let (mut rate, mut origin) = (None, None);
    let mut members = Members::default();
    reader.begin_object()?;
    while let Some(member) = reader.member(&NAMES, &mut members)? {
        match member {
            0 => rate = json::maybe_uint(reader)?,
            1 => origin = json::maybe_uint(reader)?,
            2 => {
                let name = json::maybe_text(reader)?;
                let mut chips = Chip::ALL.into_iter();
                draft.chip = chips.find(|chip| Some(chip.info().name) == name.as_deref());
            }
            3 => draft.platform = json::maybe_text(reader)?.unwrap_or_default(),
            4 => draft.workload = json::maybe_text(reader)?.unwrap_or_default(),
            5 => {
                let level = json::maybe_uint(reader)?;
                draft.level = level.and_then(|level| u32::try_from(level).ok());
            }
            6 if reader.kind()? == Kind::Array => cores::core_to_thread(reader, draft)?,
            7 if reader.kind()? == Kind::Object => totals(reader, draft)?,
            9 => {
                let verdict = json::maybe_text(reader)?.filter(|verdict| verdict != "exact");
                if let Some(verdict) = verdict {
                    let verdict: String = verdict.chars().take(40).collect();
                    draft.note_word(1, "run that its source calls ", &verdict);
                }
            }
            10 if reader.kind()? == Kind::Array => {
                let devices = devices(reader)?.unwrap_or_default();
                let cores: u32 = devices.iter().map(|device| device.cores).sum();
                if let Some(last) = cores.checked_sub(1) {
                    draft.core(u16::try_from(last).expect("checked to fit"));
                }
                draft.devices = devices;
            }
            11 if reader.kind()? == Kind::Array => core_types(reader, draft)?,
            _ => reader.skip()?,
        }
    }
    if let Some((rate, origin)) = rate.zip(origin) {
        draft.counter = Some((rate.max(1), origin));
        if draft.chip.is_none() {
            let mut chips = Chip::ALL.into_iter();
            draft.chip = chips.find(|chip| chip.info().ticks_per_second == rate);
        }
    }
    Ok(())
}

/// Takes the kinds of the cores, `[["aic", 8], ["aiv", 16]]`; what is not as our export writes it ends the list.
fn core_types(reader: &mut Source, draft: &mut Draft) -> Step {
    let mut cores = 0..=u16::MAX;
    let mut is_ours = true;
    json::each(reader, "an array of kinds and counts", |reader| {
        let run = match is_ours && reader.kind()? == Kind::Array {
            true => run_of_cores(reader)?,
            false => reader.skip().map(|()| None)?,
        };
        let run = run.filter(|&(_, count)| count <= cores.len());
        is_ours &= run.is_some();
        if let Some((core_type, count)) = run {
            for core in cores.by_ref().take(count) {
                draft.core(core).core_type = Some(core_type);
            }
        }
        Ok(())
    })
}

fn run_of_cores(reader: &mut Source) -> Result<Option<(CoreType, usize)>, TraceError> {
    let (mut core_type, mut count) = (None, None);
    let mut place = 0;
    json::each(reader, "a kind and a count", |reader| {
        match place {
            0 => {
                let name = json::maybe_text(reader)?;
                let mut types = [CoreType::Aic, CoreType::Aiv].into_iter();
                core_type = types.find(|known| Some(known.name()) == name.as_deref());
            }
            1 => count = json::maybe_uint(reader)?.and_then(|count| usize::try_from(count).ok()),
            _ => reader.skip()?,
        }
        place += 1;
        Ok(())
    })?;
    Ok(core_type.zip(count))
}

/// The devices of a merged run; nothing where the list is not as our export writes it.
fn devices(reader: &mut Source) -> Result<Option<Vec<DeviceInfo>>, TraceError> {
    let mut devices = Vec::new();
    let mut names = HashSet::new();
    let (mut cores, mut is_ours) = (0, true);
    json::each(reader, "an array of devices", |reader| {
        let device = match is_ours && reader.kind()? == Kind::Object {
            true => device(reader)?,
            false => reader.skip().map(|()| None)?,
        };
        cores += device.as_ref().map_or(0, |device| u64::from(device.cores));
        let device = device.filter(|device| names.insert(hash(&device.name.as_str())));
        is_ours &= cores <= MOST_CORES as u64 && devices.len() < MOST_CORES;
        match device.filter(|_| is_ours) {
            Some(device) => devices.push(device),
            None => is_ours = false,
        }
        Ok(())
    })?;
    Ok(is_ours.then_some(devices))
}

fn device(reader: &mut Source) -> Result<Option<DeviceInfo>, TraceError> {
    let mut device = DeviceInfo::default();
    let (mut cores, mut threads) = (None, None);
    let mut members = Members::default();
    reader.begin_object()?;
    while let Some(member) = reader.member(&DEVICE, &mut members)? {
        match member {
            0 => device.name = json::maybe_text(reader)?.unwrap_or_default(),
            1 => device.host = json::maybe_text(reader)?.unwrap_or_default(),
            2 => device.device = narrow(json::maybe_uint(reader)?),
            3 => device.platform = json::maybe_text(reader)?.unwrap_or_default(),
            4 => cores = narrow(json::maybe_uint(reader)?),
            5 => threads = narrow(json::maybe_uint(reader)?),
            6 => {
                let offset = json::maybe_uint(reader)?;
                device.offset_ns = offset.map_or(0, u64::cast_signed);
            }
            7 => device.uncertainty_ns = json::maybe_uint(reader)?.unwrap_or(0),
            _ => reader.skip()?,
        }
    }
    let texts = [&device.name, &device.host, &device.platform];
    let are_short = texts.iter().all(|text| text.len() <= MOST_NAME_BYTES);
    let counts = cores.zip(threads);
    let counts = counts.filter(|_| are_short && !device.name.is_empty());
    Ok(counts.map(|(cores, threads)| DeviceInfo {
        cores,
        threads,
        ..device
    }))
}

/// Counts what the export could not draw.
pub(super) fn undrawn(reader: &mut Source, draft: &mut Draft) -> Step {
    let mut members = Members::default();
    reader.begin_object()?;
    while let Some(member) = reader.member(&UNDRAWN, &mut members)? {
        match UNDRAWN_WORDS.get(member) {
            Some(what) => {
                let count = json::maybe_uint(reader)?.unwrap_or(0);
                draft.note(count, &format!("{what} that the trace does not draw"));
            }
            None => reader.skip()?,
        }
    }
    Ok(())
}

fn totals(reader: &mut Source, draft: &mut Draft) -> Step {
    let mut totals = Orchestrator::default();
    let mut members = Members::default();
    reader.begin_object()?;
    while let Some(member) = reader.member(&TOTALS, &mut members)? {
        match member {
            0 => totals.start_ticks = time(reader)?,
            1 => totals.end_ticks = time(reader)?,
            2 => totals.submit_count = reader.integer_of("an integer of 64 bits")?,
            3 => {
                let mut members = Members::default();
                reader.begin_object()?;
                while let Some(member) = reader.member(&Orchestrator::PHASES, &mut members)? {
                    match totals.phase_ticks.get_mut(member) {
                        Some(phase) => *phase = span(reader)?,
                        None => reader.skip()?,
                    }
                }
            }
            _ => reader.skip()?,
        }
    }
    draft.orchestrator = Some(totals);
    Ok(())
}

fn span(reader: &mut Source) -> Result<u64, TraceError> {
    let ns = json::nanoseconds(reader, "microseconds")?.units;
    u64::try_from(ns).map_err(|_| reader.error(format!("{ns} ns, expected 0 or more")))
}

fn time(reader: &mut Source) -> Result<u64, TraceError> {
    Ok(span(reader)?.saturating_add(BASE_NS))
}
