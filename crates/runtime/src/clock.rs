//! Pairs of host and device time, from what bounds a run on both clocks.
//!
//! No call reads both clocks at once. But the host knows when it launched a run and when it saw its
//! end, and the device knows when it began and ended; the second span lies inside the first, and
//! the slack between the two is all the uncertainty there is.

use lanescope_capture::Clock;
use rustix::time::{ClockId, clock_gettime};

/// `CLOCK_MONOTONIC_RAW` of the host.
pub(crate) fn now_ns() -> u64 {
    let now = clock_gettime(ClockId::MonotonicRaw);
    let seconds = u64::try_from(now.tv_sec).expect("the clock counts from start-up");
    let rest = u64::try_from(now.tv_nsec).expect("a part of a second is not negative");
    seconds * 1_000_000_000 + rest
}

/// Begin and end of a run on both clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bounds {
    /// Before the launch and after the end was seen.
    pub(crate) host_ns: (u64, u64),
    /// The first thread's entry and the last thread's last word.
    pub(crate) device_ticks: (u64, u64),
}

impl Bounds {
    /// One pair for the begin and one for the end; only the first when the device's clock ran ahead
    /// of the host's, as a simulator's may.
    pub(crate) fn pairs(&self, ticks_per_second: u64) -> Vec<Clock> {
        let (launched, ended) = self.host_ns;
        let (begin, end) = self.device_ticks;
        let host_ns = ended.saturating_sub(launched);
        let ticks = u128::from(end.saturating_sub(begin));
        let device_ns = ticks * 1_000_000_000 / u128::from(ticks_per_second.max(1));
        let pair = |host_ns, device_ticks, uncertainty_ns| Clock {
            host_ns,
            device_ticks,
            uncertainty_ns,
            reserved: 0,
        };
        match u64::try_from(device_ns) {
            Ok(device_ns) if device_ns <= host_ns => {
                let half = (host_ns - device_ns).div_ceil(2);
                vec![
                    pair(launched + half, begin, half),
                    pair(ended - half, end, half),
                ]
            }
            _ => vec![pair(launched + host_ns / 2, begin, host_ns.div_ceil(2))],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slack_is_the_uncertainty_of_both_pairs() {
        let bounds = Bounds {
            host_ns: (1_000_000, 3_000_000),
            device_ticks: (500, 50_500),
        };
        // 50,000 ticks of 20 ns are 1 ms; the host waited 2 ms.
        let pairs = bounds.pairs(50_000_000);
        assert_eq!(
            pairs
                .iter()
                .map(|pair| (pair.host_ns, pair.device_ticks))
                .collect::<Vec<_>>(),
            [(1_500_000, 500), (2_500_000, 50_500)]
        );
        assert!(pairs.iter().all(|pair| pair.uncertainty_ns == 500_000));
    }

    #[test]
    fn a_device_clock_that_ran_ahead_gives_one_pair() {
        let bounds = Bounds {
            host_ns: (1_000, 2_000),
            device_ticks: (7, 1_000_000),
        };
        let pairs = bounds.pairs(1_000_000_000);
        assert_eq!(pairs.len(), 1);
        assert_eq!(
            (
                pairs[0].host_ns,
                pairs[0].device_ticks,
                pairs[0].uncertainty_ns
            ),
            (1_500, 7, 500)
        );
    }
}
