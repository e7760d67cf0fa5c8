//! Why the device ended a run early, read from its status lines.

use lanescope_abi::control::{AbiField, DeviceError, Phase};
use lanescope_abi::{ControlHeader, CoreAnswer, ThreadStatus};
use lanescope_platform::PlatformError;
use std::fmt;
use std::time::Duration;

/// Cores in flight that a message lists.
const SHOWN_CORES: usize = 4;

/// A run that the device ended early.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DeviceFailure {
    /// Who reports it.
    pub agent: Agent,
    /// How far the agent had got, as [`Phase`] names it.
    pub phase: &'static str,
    /// Its error, as [`DeviceError`] numbers it.
    pub error: u32,
    /// The core the error is about.
    pub core: Option<u32>,
    /// The token the error is about, 0 for none.
    pub token: u32,
    /// `DATA_MAIN_BASE` of that core, as last written.
    pub data_main_base: u32,
    /// `COND` of that core, as last read.
    pub cond: u32,
    /// The limit that ran out, for time-outs.
    pub limit: Option<Duration>,
    /// For an ABI mismatch: the field, the host's value and the device program's.
    pub mismatch: Option<(AbiField, u64, u64)>,
    /// Cores that had not finished what they were given.
    pub in_flight: Vec<InFlight>,
    /// What the driver said of the launch.
    pub driver: Option<PlatformError>,
}

/// Tokens that a core was given and that nobody saw finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InFlight {
    /// The core.
    pub core: u32,
    /// The oldest of them.
    pub oldest_token: u32,
    /// How many there are.
    pub count: u64,
}

/// An agent of the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Agent {
    /// An AICPU thread.
    Thread(u32),
    /// A core.
    Core(u32),
}

impl DeviceFailure {
    /// The error, when it is one this host knows.
    #[must_use]
    pub const fn device_error(&self) -> Option<DeviceError> {
        DeviceError::from_raw(self.error)
    }

    /// What to do about it, when something is known; one line.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        match self.device_error() {
            Some(DeviceError::AbiMismatch) => {
                Some("build host and device programs together with `cargo xtask build`")
            }
            Some(DeviceError::SchedulerTimeout) => {
                Some("the named core holds a kernel that does not end, or waits for one")
            }
            Some(DeviceError::HandshakeTimeout) => {
                Some("the named core never started; run on fewer clusters or reset the device")
            }
            _ => self.driver.as_ref().and_then(PlatformError::hint),
        }
    }

    /// The most telling failure among the status lines of a run, if there is one.
    pub(crate) fn find(
        header: &ControlHeader,
        threads: &[ThreadStatus],
        answers: &[CoreAnswer],
        ticks_per_second: u64,
    ) -> Option<Self> {
        let limit = |ticks| (ticks > 0).then(|| ticks_to_duration(ticks, ticks_per_second));
        let from_threads = (0u32..)
            .zip(threads)
            .filter(|(_, line)| line.run_id == header.run_id && line.error != 0)
            .map(|(thread, line)| {
                let abi = line.error == DeviceError::AbiMismatch as u32;
                let field = AbiField::from_raw(line.field).unwrap_or(AbiField::None);
                Self {
                    agent: Agent::Thread(thread),
                    phase: phase_text(line.phase),
                    error: line.error,
                    core: (line.core != u32::MAX).then_some(line.core),
                    token: line.token,
                    data_main_base: line.data_main_base,
                    cond: line.cond,
                    limit: if abi { None } else { limit(line.detail) },
                    mismatch: abi.then(|| (field, host_value(header, field), line.detail)),
                    in_flight: Vec::new(),
                    driver: None,
                }
            });
        let from_cores = (0u32..)
            .zip(answers)
            .filter(|(_, line)| {
                let of_this_run =
                    line.answer_run == header.run_id || line.exited_run == header.run_id;
                of_this_run && line.error != 0
            })
            .map(|(core, line)| Self {
                agent: Agent::Core(core),
                phase: phase_text(line.phase),
                error: line.error,
                core: None,
                token: line.token,
                data_main_base: 0,
                cond: 0,
                limit: limit(line.limit_ticks),
                mismatch: None,
                in_flight: Vec::new(),
                driver: None,
            });
        let said = from_threads.chain(from_cores).min_by_key(Self::rank);
        said.or_else(|| Self::unended(header, threads))
    }

    /// The first AICPU thread that entered the run and neither left it nor said why not.
    fn unended(header: &ControlHeader, threads: &[ThreadStatus]) -> Option<Self> {
        let is_outside = |phase| [Phase::Absent as u32, Phase::Done as u32].contains(&phase);
        let mut threads = (0u32..).zip(threads);
        let (thread, line) =
            threads.find(|(_, line)| line.run_id == header.run_id && !is_outside(line.phase))?;
        Some(Self {
            agent: Agent::Thread(thread),
            phase: phase_text(line.phase),
            error: DeviceError::None as u32,
            core: None,
            token: 0,
            data_main_base: 0,
            cond: 0,
            limit: None,
            mismatch: None,
            in_flight: Vec::new(),
            driver: None,
        })
    }

    /// Lower is closer to the cause, or tells more of it.
    fn rank(&self) -> (u32, bool) {
        let distance = match (self.agent, self.device_error()) {
            (_, Some(DeviceError::Sibling)) => 4,
            (_, Some(DeviceError::Aborted)) => 3,
            (_, Some(DeviceError::CoreFailed)) => 2,
            (Agent::Core(_), _) => 1,
            (Agent::Thread(_), _) => 0,
        };
        (distance, self.core.is_none())
    }
}

impl fmt::Display for DeviceFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.agent {
            Agent::Thread(thread) => write!(f, "AICPU thread {thread}")?,
            Agent::Core(core) => write!(f, "core {core}")?,
        }
        match self.device_error() {
            Some(DeviceError::None) => write!(f, " did not end")?,
            _ => write!(f, " failed")?,
        }
        write!(f, " in phase {}", self.phase)?;
        match self.device_error() {
            Some(DeviceError::None) => {}
            Some(error) => write!(f, ": {}", error.text())?,
            None => write!(f, ": unknown device error {}", self.error)?,
        }
        if let Some((field, host, device)) = self.mismatch {
            let field = field.text();
            write!(f, " on {field}: host {host:#x}, device program {device:#x}")?;
        }
        if let Some(limit) = self.limit {
            write!(f, " ({limit:?})")?;
        }
        if let Some(core) = self.core {
            write!(f, "; core {core}")?;
            if self.token != 0 {
                write!(f, ", token {}", self.token)?;
            }
            let (data_main_base, cond) = (self.data_main_base, self.cond);
            write!(
                f,
                ", DATA_MAIN_BASE {data_main_base:#010x}, COND {cond:#010x}"
            )?;
        } else if self.token != 0 {
            write!(f, "; token {}", self.token)?;
        }
        for (number, in_flight) in self.in_flight.iter().take(SHOWN_CORES).enumerate() {
            let InFlight {
                core,
                oldest_token,
                count,
            } = in_flight;
            let begin = if number == 0 { "; in flight: " } else { ", " };
            write!(f, "{begin}core {core} token {oldest_token}")?;
            if *count > 1 {
                write!(f, " and {} more", count - 1)?;
            }
        }
        if let Some(hidden) = self.in_flight.len().checked_sub(SHOWN_CORES + 1) {
            write!(f, ", and {} more cores", hidden + 1)?;
        }
        if let Some(driver) = &self.driver {
            write!(f, "; {driver}")?;
        }
        Ok(())
    }
}

impl std::error::Error for DeviceFailure {}

fn phase_text(raw: u32) -> &'static str {
    Phase::from_raw(raw).map_or("unknown", Phase::text)
}

fn host_value(header: &ControlHeader, field: AbiField) -> u64 {
    match field {
        AbiField::None => 0,
        AbiField::Magic => header.magic,
        AbiField::Version => u64::from(header.abi_version),
        AbiField::Hash => header.abi_hash,
        AbiField::Chip => u64::from(header.chip),
        AbiField::RingSize => u64::from(header.ring_size),
        AbiField::IssueDepth => u64::from(header.issue_depth),
        AbiField::CoreCount => u64::from(header.core_count),
        AbiField::ThreadCount => u64::from(header.thread_count),
    }
}

/// Ticks as time, to the microsecond.
pub(crate) fn ticks_to_duration(ticks: u64, ticks_per_second: u64) -> Duration {
    let micros = u128::from(ticks) * 1_000_000 / u128::from(ticks_per_second.max(1));
    Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX))
}

/// Time as ticks, saturating.
pub(crate) fn duration_to_ticks(duration: Duration, ticks_per_second: u64) -> u64 {
    let ticks = duration.as_nanos() * u128::from(ticks_per_second) / 1_000_000_000;
    u64::try_from(ticks).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> ControlHeader {
        ControlHeader {
            run_id: 3,
            ring_size: 2,
            ..ControlHeader::default()
        }
    }

    fn line(error: DeviceError) -> ThreadStatus {
        ThreadStatus {
            run_id: 3,
            phase: Phase::Running as u32,
            error: error as u32,
            core: u32::MAX,
            ..ThreadStatus::default()
        }
    }

    #[test]
    fn the_cause_wins_over_its_consequences() {
        let cause = ThreadStatus {
            core: 5,
            token: 17,
            data_main_base: 17,
            cond: 0x8000_0010,
            detail: 500_000_000,
            ..line(DeviceError::SchedulerTimeout)
        };
        let lines = [
            line(DeviceError::Sibling),
            cause,
            line(DeviceError::Sibling),
        ];
        let failure = DeviceFailure::find(&header(), &lines, &[], 50_000_000).expect("found");
        assert_eq!(
            failure.to_string(),
            "AICPU thread 1 failed in phase running: no task finished within the scheduler limit \
             (10s); core 5, token 17, DATA_MAIN_BASE 0x00000011, COND 0x80000010"
        );
    }

    #[test]
    fn cores_in_flight_are_listed_up_to_a_bound() {
        let status = line(DeviceError::SchedulerTimeout);
        let mut failure = DeviceFailure::find(&header(), &[status], &[], 1).expect("found");
        failure.in_flight = (0..6)
            .map(|core| InFlight {
                core,
                oldest_token: 20,
                count: 1 + u64::from(core % 2),
            })
            .collect();
        let text = failure.to_string();
        let listed = "; in flight: core 0 token 20, core 1 token 20 and 1 more, core 2 token 20, \
                      core 3 token 20 and 1 more, and 2 more cores";
        assert!(text.ends_with(listed), "{text}");
    }

    #[test]
    fn a_thread_that_says_nothing_of_its_end_is_named_with_its_phase() {
        let done = ThreadStatus {
            phase: Phase::Done as u32,
            ..line(DeviceError::None)
        };
        let lines = [done, line(DeviceError::None)];
        let failure = DeviceFailure::find(&header(), &lines, &[], 1).expect("found");
        let text = failure.to_string();
        assert_eq!(text, "AICPU thread 1 did not end in phase running");
        assert!(DeviceFailure::find(&header(), &[done], &[], 1).is_none());
    }

    #[test]
    fn lines_of_another_run_say_nothing() {
        let old = ThreadStatus {
            run_id: 2,
            ..line(DeviceError::BadGraph)
        };
        assert!(DeviceFailure::find(&header(), &[old], &[], 1).is_none());
    }

    #[test]
    fn an_abi_mismatch_names_both_values() {
        let status = ThreadStatus {
            field: AbiField::RingSize as u32,
            detail: 4,
            ..line(DeviceError::AbiMismatch)
        };
        let failure = DeviceFailure::find(&header(), &[status], &[], 1).expect("found");
        let text = failure.to_string();
        assert!(
            text.ends_with("on ring size: host 0x2, device program 0x4"),
            "{text}"
        );
    }

    #[test]
    fn a_cores_own_error_wins_over_core_failed() {
        let answer = CoreAnswer {
            answer_run: 3,
            error: DeviceError::HandshakeTimeout as u32,
            phase: Phase::Handshake as u32,
            ..CoreAnswer::default()
        };
        let answers = [CoreAnswer::default(), answer];
        let failure = DeviceFailure::find(&header(), &[line(DeviceError::CoreFailed)], &answers, 1)
            .expect("found");
        assert_eq!(failure.agent, Agent::Core(1));
    }

    #[test]
    fn ticks_and_durations_convert_without_overflow() {
        let second = Duration::from_secs(1);
        assert_eq!(duration_to_ticks(second, 50_000_000), 50_000_000);
        assert_eq!(ticks_to_duration(50_000_000, 50_000_000), second);
        assert_eq!(duration_to_ticks(Duration::MAX, 1_000_000_000), u64::MAX);
    }
}
