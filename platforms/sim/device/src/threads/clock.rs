//! The system counter in thread mode: wall time, slowed down.

use lanescope_abi::ChipInfo;
use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

/// What the counter shows when it starts: a time of 0 means none in records.
const FIRST_TICK: u64 = 1000;

/// The counter of a chip whose agents share too few CPUs. All agents that run at a time have a copy
/// of the same one.
#[derive(Clone, Copy, Debug)]
pub struct SlowClock {
    ticks_per_second: u64,
    slowdown: u32,
    since: Instant,
    ticks_at_since: u64,
}

impl SlowClock {
    /// A counter that starts now, at full speed.
    #[must_use]
    pub fn new(chip: &ChipInfo) -> Self {
        Self {
            ticks_per_second: chip.ticks_per_second,
            slowdown: 1,
            since: Instant::now(),
            ticks_at_since: FIRST_TICK,
        }
    }

    /// The same counter, going on at the speed that `agents` agents leave. For when none runs.
    #[must_use]
    pub fn for_agents(self, agents: u32) -> Self {
        let cpus = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let cpus = u32::try_from(cpus).unwrap_or(u32::MAX);
        Self {
            slowdown: agents.div_ceil(cpus).max(1),
            since: Instant::now(),
            ticks_at_since: self.ticks(),
            ..self
        }
    }

    /// What the counter shows.
    #[must_use]
    #[inline]
    pub fn ticks(&self) -> u64 {
        let ticks = self.since.elapsed().as_nanos() * u128::from(self.ticks_per_second);
        let ticks = ticks / (1_000_000_000 * u128::from(self.slowdown));
        self.ticks_at_since + u64::try_from(ticks).unwrap_or(u64::MAX / 2)
    }

    /// Wall time until the counter shows `ticks`.
    #[must_use]
    pub fn until(&self, ticks: u64) -> Duration {
        let ns = u128::from(ticks.saturating_sub(self.ticks()))
            * u128::from(self.slowdown)
            * 1_000_000_000
            / u128::from(self.ticks_per_second);
        Duration::from_nanos(u64::try_from(ns).unwrap_or(u64::MAX))
    }

    /// Wall time of a span of device time.
    #[must_use]
    pub fn wall(&self, span: Duration) -> Duration {
        span.saturating_mul(self.slowdown)
    }

    /// By how much it is slower than the chip's.
    #[must_use]
    pub fn slowdown(&self) -> u32 {
        self.slowdown
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lanescope_abi::Chip;

    #[test]
    fn a_slower_counter_goes_on_from_where_it_was() {
        let clock = SlowClock::new(Chip::A5.info());
        let before = clock.ticks();
        assert!(before >= FIRST_TICK);
        let slow = clock.for_agents(1_000_000);
        assert!(slow.slowdown() > 1);
        assert!(slow.ticks() >= before);
        let span = slow.until(slow.ticks() + 1_000_000);
        let most = Duration::from_millis(1) * slow.slowdown();
        assert!(span > most / 2 && span <= most, "{span:?} of {most:?}");
        assert_eq!(slow.until(0), Duration::ZERO);
    }
}
