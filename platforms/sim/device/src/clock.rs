//! Virtual time: its unit, and the chip's system counter derived from it.
//!
//! Inside this crate every time is a number of *grains* since the device process started: eighths
//! of a nanosecond, fine enough to perturb a cost of two nanoseconds, and small enough that 57 bits
//! last for half a year.

use lanescope_abi::ChipInfo;

/// Grains in a nanosecond.
pub const GRAINS_PER_NS: u64 = 8;

/// No time at all: later than everything that happens.
pub const NEVER: u64 = u64::MAX;

/// The last time the engine can name; what lies behind it counts as [`NEVER`].
pub const LAST_GRAIN: u64 = (1 << 57) - 2;

/// Grains of a number of microseconds, [`NEVER`] when there are too many.
#[must_use]
pub const fn grains_of_us(us: u64) -> u64 {
    match us.checked_mul(1000 * GRAINS_PER_NS) {
        Some(grains) if grains <= LAST_GRAIN => grains,
        _ => NEVER,
    }
}

/// `time + span`, [`NEVER`] when either is, or when the sum cannot be named.
#[must_use]
pub const fn later(time: u64, span: u64) -> u64 {
    match time.checked_add(span) {
        Some(sum) if sum <= LAST_GRAIN => sum,
        _ => NEVER,
    }
}

/// The chip's system counter.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    grains_per_tick: u64,
}

impl Clock {
    /// The counter of a chip.
    #[must_use]
    pub const fn new(chip: &ChipInfo) -> Self {
        Self {
            grains_per_tick: GRAINS_PER_NS * 1_000_000_000 / chip.ticks_per_second,
        }
    }

    /// What the counter shows at a time.
    #[must_use]
    #[inline]
    pub const fn ticks(self, time: u64) -> u64 {
        // Divisions by a constant cost a multiplication.
        match self.grains_per_tick {
            8 => time / 8,
            160 => time / 160,
            other => time / other,
        }
    }

    /// The first time at which the counter shows `ticks`.
    #[must_use]
    #[inline]
    pub const fn time(self, ticks: u64) -> u64 {
        match ticks.checked_mul(self.grains_per_tick) {
            Some(time) if time <= LAST_GRAIN => time,
            _ => NEVER,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lanescope_abi::Chip;

    #[test]
    fn ticks_follow_the_chip() {
        let a2a3 = Clock::new(Chip::A2a3.info());
        assert_eq!(a2a3.ticks(159), 0);
        assert_eq!(a2a3.ticks(160), 1);
        assert_eq!(a2a3.time(3), 480);
        let a5 = Clock::new(Chip::A5.info());
        assert_eq!(a5.ticks(8 * 77 + 7), 77);
        assert_eq!(a5.time(u64::MAX), NEVER);
    }

    #[test]
    fn spans_saturate_to_never() {
        assert_eq!(grains_of_us(1), 8000);
        assert_eq!(grains_of_us(u64::MAX / 2), NEVER);
        assert_eq!(later(5, NEVER), NEVER);
        assert_eq!(later(5, 6), 11);
    }
}
