//! How far each clock is from the merged one, and how sure that is.

use super::{MergeError, Source};
use crate::{Clock, Trace};

/// What was given by hand for a clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offset {
    /// Added to the host's clock where the run has clock pairs, else to the device's.
    pub ns: i64,
    /// How far that may be off.
    pub uncertainty_ns: u64,
}

/// How ticks of a source become nanoseconds of the merged clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Placed {
    ticks_per_second: u64,
    /// Added to the device's clock.
    pub(super) shift_ns: i64,
    /// Against the first source.
    pub(super) uncertainty_ns: u64,
    /// How far the host's clock may be from where its own pairs and the offset put it.
    pub(super) host_uncertainty_ns: u64,
    /// Added to all clocks alike, so that no time is 0 or less.
    lift_ns: i64,
}

impl Placed {
    /// A time on the merged clock; an unknown one stays unknown.
    #[inline]
    pub(super) fn ns(&self, ticks: u64) -> u64 {
        match ticks {
            0 => 0,
            ticks => {
                let shift = i128::from(self.shift_ns) + i128::from(self.lift_ns);
                let ns = scaled(ticks, self.ticks_per_second) + shift;
                u64::try_from(ns.max(1)).unwrap_or(u64::MAX)
            }
        }
    }

    /// What was added to all clocks alike.
    pub(super) fn lift_ns(&self) -> i64 {
        self.lift_ns
    }

    /// A duration.
    pub(super) fn duration_ns(&self, ticks: u64) -> u64 {
        u64::try_from(scaled(ticks, self.ticks_per_second)).unwrap_or(u64::MAX)
    }
}

fn scaled(ticks: u64, ticks_per_second: u64) -> i128 {
    i128::from(ticks) * 1_000_000_000 / i128::from(ticks_per_second.max(1))
}

/// The distance from a device's clock to its host's: what its pairs allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Distance {
    ns: i128,
    uncertainty_ns: u64,
}

impl Distance {
    /// `None` without a pair.
    fn of(clocks: &[Clock], ticks_per_second: u64) -> Option<Self> {
        let intervals = clocks.iter().map(|clock| {
            let middle = i128::from(clock.host_ns) - scaled(clock.device_ticks, ticks_per_second);
            let reach = i128::from(clock.uncertainty_ns);
            (middle - reach, middle + reach)
        });
        let all = intervals.clone();
        let (least, most) = intervals.reduce(|(a, b), (c, d)| (a.max(c), b.min(d)))?;
        let (least, most) = match least <= most {
            true => (least, most),
            // They drift: nothing suits all pairs.
            false => all.reduce(|(a, b), (c, d)| (a.min(c), b.max(d)))?,
        };
        Some(Self {
            ns: least + (most - least) / 2,
            uncertainty_ns: u64::try_from((most - least + 1) / 2).unwrap_or(u64::MAX),
        })
    }

    fn of_trace(trace: &Trace) -> Option<Self> {
        Self::of(trace.clocks(), trace.session().ticks_per_second)
    }
}

/// The clock of each source; the first's host is the merged clock, where it has pairs.
pub(super) fn place(sources: &[Source]) -> Result<Vec<Placed>, MergeError> {
    let Some(first) = sources.first() else {
        return Ok(Vec::new());
    };
    let by_hand = first.offset.unwrap_or_default();
    let own = Distance::of_trace(&first.trace);
    let own_uncertainty_ns = own.map_or(0, |own| own.uncertainty_ns);
    let first = First {
        source: first,
        has_pairs: own.is_some(),
        uncertainty_ns: sum(&[own_uncertainty_ns, by_hand.uncertainty_ns]),
    };
    let mut placed = Vec::with_capacity(sources.len());
    for (number, source) in sources.iter().enumerate() {
        let (shift, uncertainty_ns) = if number == 0 {
            let shift = own.map_or(0, |own| own.ns) + i128::from(by_hand.ns);
            (shift, 0)
        } else {
            first.beside(source, first.offset_of(source, sources))?
        };
        let shift_ns = i64::try_from(shift).map_err(|_| MergeError::TooLarge {
            name: source.name.clone(),
            what: "its clock must be moved by nanoseconds",
            number: u64::try_from(shift.unsigned_abs()).unwrap_or(u64::MAX),
            limit: i64::MAX.unsigned_abs(),
        })?;
        placed.push(Placed {
            ticks_per_second: source.trace.session().ticks_per_second,
            shift_ns,
            uncertainty_ns,
            host_uncertainty_ns: match number {
                0 => first.uncertainty_ns,
                _ => uncertainty_ns,
            },
            lift_ns: 0,
        });
    }
    lift(sources, &mut placed);
    for (source, clock) in sources.iter().zip(&placed) {
        let (_, last) = source.trace.bounds_ticks().unwrap_or_default();
        let limit = i64::MAX.unsigned_abs();
        let number = clock.ns(last);
        if number > limit {
            return Err(MergeError::TooLarge {
                name: source.name.clone(),
                what: "its last time would be nanosecond",
                number,
                limit,
            });
        }
    }
    Ok(placed)
}

/// The source that the others are placed beside.
struct First<'a> {
    source: &'a Source,
    has_pairs: bool,
    uncertainty_ns: u64,
}

impl First<'_> {
    /// What was given for the clock of a source; or for that of another device of its host, whose clock they
    /// share, unless the first shares it too.
    fn offset_of(&self, source: &Source, sources: &[Source]) -> Option<Offset> {
        let has_pairs = |source: &Source| !source.trace.clocks().is_empty();
        let is_beside_first = self.has_pairs && is_one_host(self.source, source);
        let of_host = |other: &&Source| {
            has_pairs(other) && other.offset.is_some() && is_one_host(source, other)
        };
        let of_host = || match has_pairs(source) && !is_beside_first {
            true => sources[1..].iter().find(of_host)?.offset,
            false => None,
        };
        source.offset.or_else(of_host)
    }

    /// How far a source's clock is from the merged one, and how far that may be off; `offset` is that of
    /// its host, or its own.
    fn beside(&self, source: &Source, offset: Option<Offset>) -> Result<(i128, u64), MergeError> {
        let refuse = |reason| {
            Err(MergeError::NoClock {
                name: source.name.clone(),
                first: self.source.name.clone(),
                reason,
            })
        };
        match (Distance::of_trace(&source.trace), offset) {
            (distance, Some(offset)) => {
                let (ns, uncertainty_ns) = distance.map_or((0, 0), |d| (d.ns, d.uncertainty_ns));
                let parts = [self.uncertainty_ns, uncertainty_ns, offset.uncertainty_ns];
                Ok((ns + i128::from(offset.ns), sum(&parts)))
            }
            (Some(distance), None) if self.has_pairs && is_one_host(self.source, source) => Ok((
                distance.ns,
                sum(&[self.uncertainty_ns, distance.uncertainty_ns]),
            )),
            (_, None) if !self.has_pairs => refuse("the first has no clock pair"),
            (None, None) => refuse("it has no clock pair"),
            (Some(_), None) => refuse("their clock pairs are not of one boot of one host"),
        }
    }
}

/// Whether two runs were of one boot of one host.
fn is_one_host(one: &Source, other: &Source) -> bool {
    let (a, b) = (one.trace.session(), other.trace.session());
    !a.boot.is_empty() && (&a.host, &a.boot) == (&b.host, &b.boot)
}

fn sum(parts: &[u64]) -> u64 {
    parts.iter().copied().fold(0, u64::saturating_add)
}

/// Moves all clocks alike when a time would be 0 or less.
fn lift(sources: &[Source], placed: &mut [Placed]) {
    let firsts = sources.iter().zip(&*placed).filter_map(|(source, clock)| {
        let (first, _) = source.trace.bounds_ticks()?;
        Some(scaled(first, clock.ticks_per_second) + i128::from(clock.shift_ns))
    });
    let least = firsts.min().unwrap_or(1);
    if least < 1 {
        let lift_ns = i64::try_from(1 - least).unwrap_or(i64::MAX);
        for clock in placed {
            clock.lift_ns = lift_ns;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(host_ns: u64, device_ticks: u64, uncertainty_ns: u64) -> Clock {
        Clock {
            host_ns,
            device_ticks,
            uncertainty_ns,
            reserved: 0,
        }
    }

    #[test]
    fn pairs_narrow_each_other_down() {
        // 50 MHz: 100 ticks are 2000 ns. Allowed: 7900..=8100, then 7950..=8250.
        let pairs = [pair(10_000, 100, 100), pair(20_100, 600, 150)];
        let distance = Distance::of(&pairs, 50_000_000).unwrap();
        assert_eq!((distance.ns, distance.uncertainty_ns), (8025, 75));
    }

    #[test]
    fn pairs_that_drift_widen_the_uncertainty() {
        let pairs = [pair(1000, 0, 10), pair(2100, 1000, 10)];
        let distance = Distance::of(&pairs, 1_000_000_000).unwrap();
        assert_eq!((distance.ns, distance.uncertainty_ns), (1050, 60));
        assert_eq!(Distance::of(&[], 1), None);
    }
}
