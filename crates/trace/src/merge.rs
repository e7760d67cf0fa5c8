//! Captures of several devices and hosts on one timeline, as a capture of its own.
//!
//! # Where it sits
//!
//! Takes traces, gives a capture file that [`crate::Trace::open`] reads as any other: its cores and AICPU
//! threads are those of the first device, then of the second and so on ([`crate::Session::devices`]).
//!
//! # How clocks meet
//!
//! The merged clock counts nanoseconds. A clock pair of a run says at which time of the host's clock the
//! device's counter stood where; each allows the distance of the two to lie in an interval, and the
//! distance taken is the middle of what all pairs of the run allow, half the width its uncertainty. Where
//! no distance suits all pairs the clocks drift: then the middle and half the width of everything that
//! any pair allows. Runs of one boot of one host share the host's clock. A device whose clock cannot be
//! placed so needs an offset by hand, its own or that of another device of its host, or it is refused. Durations within a device stay as they are: all
//! its ticks are scaled by the same factor and moved by the same distance.
//!
//! # What can be lost
//!
//! Tensors and the totals of orchestrators stay in their own captures; [`Merged`] counts them.

mod align;
mod write;

use crate::{Chip, DeviceInfo, Trace};
use lanescope_capture::CaptureError;
use std::io::Write;

pub use align::Offset;

/// A run to merge.
#[derive(Debug)]
pub struct Source {
    /// What outputs call its device, unique among the sources.
    pub name: String,
    /// The run.
    pub trace: Trace,
    /// What was given for its clock.
    pub offset: Option<Offset>,
}

/// Runs that were found to fit on one timeline.
#[derive(Debug)]
pub struct Merge<'a> {
    sources: &'a [Source],
    clocks: Vec<align::Placed>,
    devices: Vec<DeviceInfo>,
}

/// What a merge left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Merged {
    /// Tensors.
    pub tensors: u64,
    /// Totals of orchestrators.
    pub orchestrators: u64,
}

/// Runs cannot be merged.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MergeError {
    /// A device's clock cannot be placed beside the first's.
    #[error("the clock of {name} cannot be placed beside that of {first}: {reason}")]
    NoClock {
        /// The source.
        name: String,
        /// The first source.
        first: String,
        /// Why not.
        reason: &'static str,
    },
    /// The hardware counters of a device have other names than the first's.
    #[error(
        "{name} has hardware counters of {chip}, the merged capture those of {first}; merge runs of one \
         chip, or one recorded without counters"
    )]
    Counters {
        /// The source.
        name: String,
        /// Its chip.
        chip: &'static str,
        /// The chip of the first source.
        first: &'static str,
    },
    /// A number does not fit the merged capture.
    #[error("{name}: {what} {number}, at most {limit} fits a merged capture")]
    TooLarge {
        /// The source.
        name: String,
        /// What is too large.
        what: &'static str,
        /// How large it is.
        number: u64,
        /// How large it may be.
        limit: u64,
    },
    /// The capture cannot be written.
    #[error("cannot write the merged capture")]
    Write(#[from] CaptureError),
}

impl<'a> Merge<'a> {
    /// Places the clocks of runs beside the first's.
    ///
    /// # Errors
    ///
    /// [`MergeError::NoClock`], [`MergeError::Counters`] and [`MergeError::TooLarge`].
    pub fn of(sources: &'a [Source]) -> Result<Self, MergeError> {
        one_chip_counts(sources)?;
        let clocks = align::place(sources)?;
        let placed = sources.iter().zip(&clocks);
        let devices = placed.flat_map(|(source, clock)| devices_of(source, clock));
        Ok(Self {
            sources,
            devices: devices.collect(),
            clocks,
        })
    }

    /// The devices of the merged capture, with what was added to their clocks and how sure that is.
    #[must_use]
    pub fn devices(&self) -> &[DeviceInfo] {
        &self.devices
    }

    /// Writes the merged capture, row by row.
    ///
    /// # Errors
    ///
    /// [`MergeError::TooLarge`] and [`MergeError::Write`].
    pub fn write(&self, out: impl Write) -> Result<Merged, MergeError> {
        write::write(self, out)
    }
}

/// A capture says of which chip its counters are.
fn one_chip_counts(sources: &[Source]) -> Result<(), MergeError> {
    let chip = |source: &Source| source.trace.session().chip.unwrap_or(Chip::A2a3);
    let Some(first) = sources.first().map(chip) else {
        return Ok(());
    };
    let is_other =
        |source: &&Source| chip(source) != first && source.trace.pmu_rows().next().is_some();
    match sources.iter().find(is_other) {
        None => Ok(()),
        Some(source) => Err(MergeError::Counters {
            name: source.name.clone(),
            chip: chip(source).info().name,
            first: first.info().name,
        }),
    }
}

/// The devices of a source: one, or those it was merged from.
fn devices_of(source: &Source, clock: &align::Placed) -> Vec<DeviceInfo> {
    let session = source.trace.session();
    let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    if session.devices.is_empty() {
        return vec![DeviceInfo {
            name: source.name.clone(),
            host: session.host.clone(),
            device: session.device,
            platform: session.platform.clone(),
            cores: count(session.cores.len()),
            threads: source.trace.threads().end,
            offset_ns: clock.shift_ns,
            uncertainty_ns: clock.uncertainty_ns,
        }];
    }
    let devices = session.devices.iter().map(|device| DeviceInfo {
        offset_ns: device.offset_ns.saturating_add(clock.shift_ns),
        uncertainty_ns: device.uncertainty_ns.saturating_add(clock.uncertainty_ns),
        name: format!("{}:{}", source.name, device.name),
        ..device.clone()
    });
    devices.collect()
}
