//! What things cost in virtual time: calls of the device interface, and kernels.
//!
//! The figures for registers and line write-back are those measured on hardware by the reference
//! runtime's authors (register load about 100 ns, store below 20 ns, a value from AICPU to core
//! 140 ns and back 600 ns, write-back 150 to 300 ns); all others are our own choice.
//!
//! The engine relies on the least flight of a register value; see [`crate::engine`].
//!
//! Seed 0 is the model exactly. Any other seed changes each cost of each agent by up to a fifth,
//! and each kernel that states no exact duration by up to a tenth.

use crate::activity::{Activity, UNSTATED};
use crate::clock::{Clock, GRAINS_PER_NS, LAST_GRAIN};
use crate::memory::LINE_BYTES;
use lanescope_abi::launch::KernelCost;
use lanescope_abi::{Chip, CoreType};

/// From the end of what came before to the start of a launched task.
pub const LAUNCH_LATENCY: u64 = 4_000 * GRAINS_PER_NS;

/// How far apart the agents of one task start, at most, when a seed spreads them.
const START_SKEW: u64 = 2_000 * GRAINS_PER_NS;

/// How long a kernel lasts that states no cost.
pub const DEFAULT_KERNEL_NS: u64 = 10_000;

const ACCESS_PERCENT: u64 = 20;
const KERNEL_PERCENT: u64 = 10;

/// Bytes that an AICPU thread copies in a nanosecond.
const COPY_BYTES_PER_NS: u64 = 4;

/// The cost of each call for one agent, in grains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Costs {
    /// `load32`, `load64`.
    pub load: u32,
    /// `store32`, `store64`.
    pub store: u32,
    /// `clean`.
    pub clean: u32,
    /// `invalidate`.
    pub invalidate: u32,
    /// `barrier`.
    pub barrier: u32,
    /// `ticks`.
    pub ticks: u32,
    /// `read_reg`.
    pub register_load: u32,
    /// `write_reg`.
    pub register_store: u32,
    /// From the end of this agent's `write_reg` to when the other side can see the value.
    pub register_flight: u32,
    /// `relax`, beyond the time slept.
    pub relax: u32,
    /// `call`, beyond the kernel.
    pub call: u32,
    /// `copy`, a line.
    pub copy_line: u32,
}

impl Costs {
    /// An AICPU thread's.
    #[must_use]
    pub fn of_thread(random: &mut Random) -> Self {
        Self::perturbed(random, [2, 2, 200, 10, 10, 10, 100, 20, 140, 5, 5])
    }

    /// A core's; its registers are its own.
    #[must_use]
    pub fn of_core(random: &mut Random) -> Self {
        Self::perturbed(random, [3, 2, 200, 10, 10, 10, 10, 10, 600, 5, 20])
    }

    /// `copy_summed`, a line: eight multiplications in four chains, while the next line is on its way.
    #[must_use]
    pub const fn summed_line(&self) -> u32 {
        self.copy_line + self.copy_line / 4
    }

    fn perturbed(random: &mut Random, ns: [u64; 11]) -> Self {
        let [
            load,
            store,
            clean,
            invalidate,
            barrier,
            ticks,
            register_load,
            register_store,
            register_flight,
            relax,
            call,
        ] = ns.map(|ns| {
            let grains = random.around(ns * GRAINS_PER_NS, ACCESS_PERCENT);
            u32::try_from(grains).unwrap_or(u32::MAX)
        });
        // Not drawn from the stream itself: kernels draw from it next.
        let copy_line = LINE_BYTES / COPY_BYTES_PER_NS * GRAINS_PER_NS;
        let copy_line = random.clone().around(copy_line, ACCESS_PERCENT);
        Self {
            load,
            store,
            clean,
            invalidate,
            barrier,
            ticks,
            register_load,
            register_store,
            register_flight,
            relax,
            call,
            copy_line: u32::try_from(copy_line).unwrap_or(u32::MAX),
        }
    }
}

/// What kernels cost on a chip.
#[derive(Clone, Copy, Debug)]
pub struct KernelModel {
    clock: Clock,
    /// Core cycles in 1000 ns.
    cycles_per_us: u64,
    /// Bytes a core reads from global memory in a nanosecond.
    read_bytes_per_ns: u64,
    /// Bytes it writes.
    write_bytes_per_ns: u64,
}

impl KernelModel {
    /// Our own choice: 1.85 GHz, 48 and 32 bytes a nanosecond on a2a3; 1.65 GHz, 64 and 48 on a5.
    #[must_use]
    pub const fn new(chip: Chip) -> Self {
        let clock = Clock::new(chip.info());
        match chip {
            Chip::A2a3 => Self {
                clock,
                cycles_per_us: 1850,
                read_bytes_per_ns: 48,
                write_bytes_per_ns: 32,
            },
            Chip::A5 => Self {
                clock,
                cycles_per_us: 1650,
                read_bytes_per_ns: 64,
                write_bytes_per_ns: 48,
            },
        }
    }

    /// Runs a kernel once: how long it lasts, in grains, and what it does. `None` is a kernel without
    /// a model. A kernel lasts as long as its longest pipe plus what is outside every pipe, or exactly
    /// as long as it says.
    #[must_use]
    pub fn run(
        &self,
        core_type: CoreType,
        cost: Option<&KernelCost>,
        random: &mut Random,
    ) -> (u64, Activity) {
        let stated = match cost {
            Some(cost) if cost.exact_ticks != 0 => {
                let grains = self.clock.time(cost.exact_ticks).min(LAST_GRAIN);
                return (grains, self.unstated(core_type, grains));
            }
            Some(cost) => cost,
            None => {
                let grains = random.around(DEFAULT_KERNEL_NS * GRAINS_PER_NS, KERNEL_PERCENT);
                return (grains, self.unstated(core_type, grains));
            }
        };
        let reading = scaled(stated.read_bytes, 1, self.read_bytes_per_ns);
        let writing = scaled(stated.write_bytes, 1, self.write_bytes_per_ns);
        let cycles = stated
            .cube_cycles
            .max(stated.vector_cycles)
            .max(stated.scalar_cycles);
        let pipes = scaled(cycles, 1000, self.cycles_per_us)
            .max(reading)
            .max(writing);
        let fixed = stated.fixed_ns.saturating_mul(GRAINS_PER_NS);
        let modelled = pipes.saturating_add(fixed).min(LAST_GRAIN);
        let grains = random.around(modelled, KERNEL_PERCENT);
        let stretched = |cycles: u64| share(cycles, grains, modelled);
        let activity = Activity {
            core_type,
            cycles: self.cycles(grains),
            cube: stretched(stated.cube_cycles),
            vector: stretched(stated.vector_cycles),
            scalar: stretched(stated.scalar_cycles),
            reading: stretched(self.cycles(reading)),
            writing: stretched(self.cycles(writing)),
            read_bytes: stated.read_bytes,
            write_bytes: stated.write_bytes,
        };
        (grains, activity)
    }

    /// Core cycles in a number of grains.
    #[must_use]
    pub fn cycles(&self, grains: u64) -> u64 {
        share(grains, self.cycles_per_us, 1000 * GRAINS_PER_NS)
    }

    /// What a kernel did of which only the duration is known.
    fn unstated(&self, core_type: CoreType, grains: u64) -> Activity {
        let of = |percent: u64| share(self.cycles(grains), percent, 100);
        let bytes =
            |percent: u64, per_ns: u64| share(grains, percent * per_ns, 100 * GRAINS_PER_NS);
        let [main, scalar, reading, writing] = UNSTATED;
        let (cube, vector) = match core_type {
            CoreType::Aic => (of(main), 0),
            CoreType::Aiv => (0, of(main)),
        };
        Activity {
            core_type,
            cycles: self.cycles(grains),
            cube,
            vector,
            scalar: of(scalar),
            reading: of(reading),
            writing: of(writing),
            read_bytes: bytes(reading, self.read_bytes_per_ns),
            write_bytes: bytes(writing, self.write_bytes_per_ns),
        }
    }
}

/// `amount * numerator / denominator`, the amount itself when there is nothing to divide by.
fn share(amount: u64, numerator: u64, denominator: u64) -> u64 {
    if denominator == 0 {
        return amount;
    }
    let product = u128::from(amount) * u128::from(numerator);
    u64::try_from(product / u128::from(denominator)).unwrap_or(u64::MAX)
}

/// `amount * numerator / denominator` nanoseconds, in grains.
fn scaled(amount: u64, numerator: u64, denominator: u64) -> u64 {
    let grains = u128::from(amount) * u128::from(numerator * GRAINS_PER_NS);
    u64::try_from(grains / u128::from(denominator)).unwrap_or(LAST_GRAIN)
}

/// A stream of perturbations that depends on nothing but its seed and its labels.
#[derive(Clone, Debug)]
pub struct Random {
    /// `None` for seed 0: no perturbation.
    state: Option<u64>,
}

/// A number that follows from a seed and labels, also for seed 0.
#[must_use]
pub fn hash(seed: u64, labels: &[u64]) -> u64 {
    labels
        .iter()
        .fold(mix(seed), |state, label| mix(state ^ mix(*label)))
}

impl Random {
    /// The stream with these labels: a launch, an agent, a purpose.
    #[must_use]
    pub fn new(seed: u64, labels: &[u64]) -> Self {
        let state = (seed != 0).then(|| hash(seed, labels));
        Self { state }
    }

    /// `value`, up to `percent` percent more or less; `value` itself for seed 0.
    #[inline]
    pub fn around(&mut self, value: u64, percent: u64) -> u64 {
        let spread = value / 100 * percent + value % 100 * percent / 100;
        if self.state.is_none() || spread == 0 {
            return value;
        }
        value - spread + self.below(2 * spread + 1)
    }

    /// When an agent starts after its task: 0 for seed 0.
    pub fn start_skew(&mut self) -> u64 {
        self.below(START_SKEW)
    }

    /// Puts items in an order of its own; leaves them for seed 0.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        if self.state.is_none() {
            return;
        }
        for last in (1..items.len()).rev() {
            let other = usize::try_from(self.below(last as u64 + 1)).unwrap_or(0);
            items.swap(last, other);
        }
    }

    /// A number below `limit`; 0 for seed 0.
    #[inline]
    pub fn below(&mut self, limit: u64) -> u64 {
        let Some(state) = &mut self.state else {
            return 0;
        };
        *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        mix(*state) % limit.max(1)
    }
}

/// The finaliser of splitmix64.
#[inline]
fn mix(mut value: u64) -> u64 {
    value = value.wrapping_add(0x9E37_79B9_7F4A_7C15);
    value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seed_zero_is_the_model_exactly() {
        let mut random = Random::new(0, &[1, 2]);
        assert_eq!(random.around(1000, 20), 1000);
        assert_eq!(random.start_skew(), 0);
        let costs = Costs::of_thread(&mut random);
        assert_eq!(costs.register_load, 800);
        assert_eq!(costs.register_flight, 1120);
    }

    #[test]
    fn a_seed_stays_within_its_bounds_and_repeats() {
        let mut values = Vec::new();
        for label in 0..1000 {
            let value = Random::new(7, &[label]).around(8000, 10);
            assert!((7200..=8800).contains(&value));
            assert_eq!(value, Random::new(7, &[label]).around(8000, 10));
            values.push(value);
        }
        values.sort_unstable();
        values.dedup();
        assert!(values.len() > 400, "{} different values", values.len());
    }

    #[test]
    fn kernels_last_as_long_as_their_longest_pipe() {
        let model = KernelModel::new(Chip::A2a3);
        let mut random = Random::new(0, &[]);
        let mut cost = KernelCost {
            fixed_ns: 100,
            cube_cycles: 1850,
            read_bytes: 48,
            ..KernelCost::default()
        };
        let us = 1000 * GRAINS_PER_NS;
        let mut lasts = |cost: Option<&KernelCost>| model.run(CoreType::Aiv, cost, &mut random).0;
        assert_eq!(lasts(Some(&cost)), us + us / 10);
        cost.write_bytes = 64_000;
        assert_eq!(lasts(Some(&cost)), 2 * us + us / 10);
        assert_eq!(lasts(None), 10 * us);
        cost.exact_ticks = 500;
        let mut seeded = Random::new(9, &[]);
        assert_eq!(
            model.run(CoreType::Aiv, Some(&cost), &mut seeded).0,
            10 * us
        );
    }
}
