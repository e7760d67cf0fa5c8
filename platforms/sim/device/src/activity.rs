//! What a kernel did while it ran, and what each event of the hardware counters sees of it.
//!
//! # Where it sits
//!
//! [`crate::cost`] says how long a kernel lasts; this model splits that time over the pipes and derives
//! requests from the bytes that moved. `docs/simulator.md` has it as a table.
//!
//! # The model
//!
//! Cycles are those that the kernel states, stretched as its duration was: a seed that makes a kernel
//! last longer makes every pipe busy for longer, so no pipe is ever busy for longer than the kernel
//! lasts. Bytes, and requests with them, are those of the work, whatever it took. A kernel that states
//! nothing but its duration, or nothing at all, gets [`UNSTATED`] shares of it.

use lanescope_abi::{Chip, CoreType};

/// Bytes of a request everywhere but at the L0 buffers.
pub const REQUEST_BYTES: u64 = 64;
/// Requests of 64 bytes in one of the L0 buffers, 256 bytes.
const REQUESTS_PER_L0: u64 = 4;
/// The cube reads each line of L0A and L0B so often before it is replaced.
const L0_REUSE: u64 = 4;
/// A vector cycle reads two registers of 256 bytes from the unified buffer and writes one.
const VECTOR_READS: u64 = 8;
const VECTOR_WRITES: u64 = 4;
/// Scalar cycles for one access to the unified buffer.
const SCALAR_CYCLES_PER_ACCESS: u64 = 16;
/// Scalar cycles for one fetch of a line of instructions.
const SCALAR_CYCLES_PER_FETCH: u64 = 4;
/// Of so many fetches one misses.
const FETCHES_PER_MISS: u64 = 64;
/// Of four reads three find their line in the L2 cache, of two writes one.
const READS_PER_MISS: u64 = 4;
const WRITES_PER_MISS: u64 = 2;
/// Of so many misses one replaces a line that is in use.
const MISSES_PER_VICTIM: u64 = 2;
/// One vector cycle in eight is a compare, select or move.
const VECTOR_CYCLES_PER_MISC: u64 = 8;
/// One cycle in so many of the vector pipe and of MTE1 waits for a bank, or for a group of them.
const CYCLES_PER_BANK_STALL: u64 = 32;
const CYCLES_PER_GROUP_STALL: u64 = 64;

/// Shares of its duration, in percent, of a kernel that states none: its main pipe (cube or vector),
/// scalar, reading from global memory, writing to it.
pub const UNSTATED: [u64; 4] = [50, 25, 50, 25];

/// What a kernel did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Activity {
    /// Where it ran: a cube core has L1 and the L0 buffers, a vector core the unified buffer.
    pub core_type: CoreType,
    /// How long it ran, in cycles.
    pub cycles: u64,
    /// Busy cycles of the cube.
    pub cube: u64,
    /// Busy cycles of the vector pipe.
    pub vector: u64,
    /// Busy cycles of the scalar pipe.
    pub scalar: u64,
    /// Busy cycles of reading from global memory.
    pub reading: u64,
    /// Busy cycles of writing to it.
    pub writing: u64,
    /// Bytes read from global memory.
    pub read_bytes: u64,
    /// Bytes written to it.
    pub write_bytes: u64,
}

/// What a selector can mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Counted {
    Cube,
    Vector,
    VectorMisc,
    VectorFloat,
    Scalar,
    Mte1,
    Mte2,
    Mte3,
    Fixpipe,
    Fetches,
    FetchMisses,
    L2Reads,
    L2Writes,
    MainReads,
    MainWrites,
    ReadHits,
    WriteHits,
    /// Of one of the two ports that reads go through.
    PortHits(u64),
    PortMisses(u64),
    ReadVictims,
    WriteVictims,
    L1Reads,
    L1Writes,
    /// Into either of L0A and L0B.
    L0Writes,
    /// Out of L0A or L0B, and both ways at L0C.
    L0Accesses,
    /// The results that leave L0C.
    L0Results,
    UbReads,
    UbWrites,
    UbReadsByMte,
    UbWritesByMte,
    UbReadsByVector,
    UbWritesByVector,
    UbReadsByScalar,
    UbWritesByScalar,
    BankStalls,
    GroupStalls,
    AllStalls,
    /// An element type that no kernel states, or a path that no kernel takes.
    Nothing,
}

impl Activity {
    /// What a counter with this selector adds for it.
    #[must_use]
    pub fn count(&self, chip: Chip, selector: u32) -> u64 {
        counted(chip, selector).map_or(0, |counted| self.amount(chip, counted))
    }

    fn amount(&self, chip: Chip, counted: Counted) -> u64 {
        let reads = self.read_bytes.div_ceil(REQUEST_BYTES);
        let writes = self.write_bytes.div_ceil(REQUEST_BYTES);
        let read_misses = reads.div_ceil(READS_PER_MISS);
        let write_misses = writes.div_ceil(WRITES_PER_MISS);
        let l0_writes = self.on_cube(self.cube.div_ceil(L0_REUSE));
        let port = |port: u64, requests: u64| (requests + 1 - port) / 2;
        let fetches = 1 + self.scalar / SCALAR_CYCLES_PER_FETCH;
        let vector_reads = self.on_vector(self.vector * VECTOR_READS);
        let vector_writes = self.on_vector(self.vector * VECTOR_WRITES);
        let scalar_accesses = self.on_vector(self.scalar.div_ceil(SCALAR_CYCLES_PER_ACCESS));
        let has_fixpipe = chip == Chip::A5 && self.core_type == CoreType::Aic;
        let misc = self.vector / VECTOR_CYCLES_PER_MISC;
        let group_stalls = (self.vector + 2 * l0_writes).div_ceil(CYCLES_PER_GROUP_STALL);
        let bank_stalls = (self.vector + 2 * l0_writes).div_ceil(CYCLES_PER_BANK_STALL);
        match counted {
            Counted::Cube => self.cube,
            Counted::Vector => self.vector,
            Counted::VectorMisc => misc,
            Counted::VectorFloat => self.vector - misc,
            Counted::Scalar => self.scalar,
            // Both buffers are filled through it, a line a cycle.
            Counted::Mte1 => 2 * l0_writes,
            Counted::Mte2 => self.reading,
            Counted::Mte3 => {
                if has_fixpipe {
                    0
                } else {
                    self.writing
                }
            }
            Counted::Fixpipe => {
                if has_fixpipe {
                    self.writing
                } else {
                    0
                }
            }
            Counted::Fetches => fetches,
            Counted::FetchMisses => fetches.div_ceil(FETCHES_PER_MISS),
            Counted::L2Reads => reads,
            Counted::L2Writes => writes,
            Counted::MainReads => read_misses,
            Counted::MainWrites => write_misses,
            Counted::ReadHits => reads - read_misses,
            Counted::WriteHits => writes - write_misses,
            Counted::PortHits(which) => port(which, reads - read_misses),
            Counted::PortMisses(which) => port(which, read_misses),
            Counted::ReadVictims => read_misses / MISSES_PER_VICTIM,
            Counted::WriteVictims => write_misses / MISSES_PER_VICTIM,
            Counted::L1Reads => 2 * l0_writes * REQUESTS_PER_L0,
            Counted::L1Writes => self.on_cube(reads),
            Counted::L0Writes => l0_writes,
            Counted::L0Accesses => self.on_cube(self.cube),
            Counted::L0Results => self.on_cube(writes.div_ceil(REQUESTS_PER_L0)),
            Counted::UbReads => self.on_vector(writes) + vector_reads + scalar_accesses,
            Counted::UbWrites => self.on_vector(reads) + vector_writes + scalar_accesses,
            Counted::UbReadsByMte => self.on_vector(writes),
            Counted::UbWritesByMte => self.on_vector(reads),
            Counted::UbReadsByVector => vector_reads,
            Counted::UbWritesByVector => vector_writes,
            Counted::UbReadsByScalar | Counted::UbWritesByScalar => scalar_accesses,
            Counted::BankStalls => bank_stalls,
            Counted::GroupStalls => group_stalls,
            Counted::AllStalls => bank_stalls + group_stalls,
            Counted::Nothing => 0,
        }
    }

    fn on_cube(&self, amount: u64) -> u64 {
        if self.core_type == CoreType::Aic {
            amount
        } else {
            0
        }
    }

    fn on_vector(&self, amount: u64) -> u64 {
        if self.core_type == CoreType::Aiv {
            amount
        } else {
            0
        }
    }
}

/// What a selector of a chip means; `None` for one that is not known, and for 0.
fn counted(chip: Chip, selector: u32) -> Option<Counted> {
    match chip {
        Chip::A2a3 => a2a3_counted(selector),
        Chip::A5 => a5_counted(selector),
    }
}

fn a2a3_counted(selector: u32) -> Option<Counted> {
    Some(match selector {
        0x08 => Counted::Vector,
        0x09 => Counted::Scalar,
        0x0A | 0x49 => Counted::Cube,
        0x0B => Counted::Mte1,
        0x0C => Counted::Mte2,
        0x0D => Counted::Mte3,
        0x0F => Counted::L2Reads,
        0x10 => Counted::L2Writes,
        0x12 => Counted::MainReads,
        0x13 => Counted::MainWrites,
        0x15 => Counted::UbReads,
        0x16 => Counted::UbWrites,
        0x1B | 0x21 | 0x27 | 0x28 => Counted::L0Accesses,
        0x1C | 0x22 => Counted::L0Writes,
        0x31 => Counted::L1Reads,
        0x32 => Counted::L1Writes,
        0x37 => Counted::UbReadsByScalar,
        0x38 => Counted::UbWritesByScalar,
        0x3D => Counted::UbReadsByMte,
        0x3E => Counted::UbWritesByMte,
        0x43 => Counted::UbReadsByVector,
        0x44 => Counted::UbWritesByVector,
        0x4A | 0x4C | 0x4D | 0x4E => Counted::Nothing,
        0x4B => Counted::VectorFloat,
        0x4F => Counted::VectorMisc,
        0x54 => Counted::Fetches,
        0x55 => Counted::FetchMisses,
        0x64 => Counted::GroupStalls,
        0x65 => Counted::BankStalls,
        0x66 => Counted::AllStalls,
        0x500 => Counted::WriteHits,
        0x502 => Counted::MainWrites,
        0x504 => Counted::PortHits(0),
        0x506 => Counted::PortMisses(0),
        0x508 => Counted::PortHits(1),
        0x50A => Counted::PortMisses(1),
        _ => return None,
    })
}

fn a5_counted(selector: u32) -> Option<Counted> {
    Some(match selector {
        0x001 => Counted::Scalar,
        0x003 => Counted::UbReadsByScalar,
        0x005 => Counted::UbWritesByScalar,
        0x034 => Counted::Fetches,
        0x035 => Counted::FetchMisses,
        0x202 => Counted::Mte2,
        0x203 => Counted::Mte3,
        0x204 | 0x56F => Counted::UbReadsByMte,
        0x206 | 0x570 => Counted::UbWritesByMte,
        0x301 | 0x323 => Counted::Cube,
        0x304 | 0x306 | 0x308 | 0x30A => Counted::L0Accesses,
        0x324 | 0x70C => Counted::Nothing,
        0x400 => Counted::MainReads,
        0x401 => Counted::MainWrites,
        0x424 => Counted::ReadHits,
        0x425 => Counted::MainReads,
        0x426 => Counted::ReadVictims,
        0x42A => Counted::WriteHits,
        0x42B => Counted::MainWrites,
        0x42C => Counted::WriteVictims,
        0x501 | 0x3502 | 0x3528 => Counted::Vector,
        0x571 => Counted::UbReadsByVector,
        0x572 => Counted::UbWritesByVector,
        0x701 => Counted::Mte1,
        0x703 | 0x705 => Counted::L0Writes,
        0x707 => Counted::L1Reads,
        0x709 => Counted::L1Writes,
        0x712 => Counted::L0Results,
        0x714 => Counted::Fixpipe,
        0x3540 => Counted::BankStalls,
        0x3556 => Counted::GroupStalls,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cost::{KernelModel, Random};
    use lanescope_abi::launch::KernelCost;

    fn tile() -> KernelCost {
        KernelCost {
            fixed_ns: 600,
            cube_cycles: 4096,
            scalar_cycles: 64,
            read_bytes: 32_768,
            write_bytes: 16_384,
            ..KernelCost::default()
        }
    }

    fn elementwise() -> KernelCost {
        KernelCost {
            fixed_ns: 300,
            vector_cycles: 1024,
            scalar_cycles: 640,
            read_bytes: 65_536,
            write_bytes: 32_768,
            ..KernelCost::default()
        }
    }

    fn column(chip: Chip, number: u32, name: &str, activity: &Activity) -> u64 {
        let event = chip.info().pmu_event(number).unwrap();
        let counter = event.counters.iter().find(|counter| counter.column == name);
        activity.count(chip, counter.unwrap().selector)
    }

    #[test]
    fn every_selector_of_both_chips_means_something() {
        for chip in Chip::ALL {
            for event in chip.info().pmu_events {
                for (counter, column) in event.columns() {
                    let selector = event.selector(counter);
                    assert!(counted(chip, selector).is_some(), "{chip:?} {column}");
                }
            }
            assert_eq!(counted(chip, 0), None);
        }
    }

    /// Which event types have something to say of which core.
    #[test]
    fn every_event_type_sees_a_kernel_that_uses_its_pipes() {
        for chip in Chip::ALL {
            let model = KernelModel::new(chip);
            let kernels = [
                (CoreType::Aic, Some(tile())),
                (CoreType::Aiv, Some(elementwise())),
                (CoreType::Aic, None),
                (CoreType::Aiv, None),
            ];
            for (core_type, cost) in kernels {
                let (_, activity) = model.run(core_type, cost.as_ref(), &mut Random::new(0, &[]));
                for event in chip.info().pmu_events {
                    let selectors = (0..event.counters.len()).map(|i| event.selector(i));
                    let counts: Vec<_> = selectors.map(|s| activity.count(chip, s)).collect();
                    // A vector core has no L0 buffers, a cube core no unified buffer (on a2a3 that type
                    // counts writes to global memory too), and a5 counts no vector arithmetic.
                    let has_none = matches!(
                        (chip, core_type, event.name),
                        (_, CoreType::Aiv, "memory-l0")
                            | (Chip::A5, CoreType::Aic, "memory-ub")
                            | (Chip::A5, CoreType::Aiv, "arithmetic")
                    );
                    let any = counts.iter().any(|count| *count != 0);
                    assert_eq!(
                        any, !has_none,
                        "{chip:?} {core_type:?} {}: {counts:?}",
                        event.name
                    );
                }
            }
        }
    }

    #[test]
    fn an_elementwise_kernel_on_a2a3_counts_what_the_table_says() {
        let model = KernelModel::new(Chip::A2a3);
        let cost = elementwise();
        let (_, activity) = model.run(CoreType::Aiv, Some(&cost), &mut Random::new(0, &[]));
        let of = |number, name| column(Chip::A2a3, number, name, &activity);
        // 65,536 bytes at 48 a nanosecond, 1.85 cycles each; 32,768 at 32.
        assert_eq!(of(2, "mte2_busy_cycles"), 2525);
        assert_eq!(of(2, "mte3_busy_cycles"), 1894);
        assert_eq!(activity.cycles, 2525 + 555);
        assert_eq!(of(2, "vec_busy_cycles"), 1024);
        assert_eq!(of(2, "scalar_busy_cycles"), 640);
        assert_eq!(of(2, "cube_busy_cycles"), 0);
        assert_eq!(of(2, "mte1_busy_cycles"), 0);
        assert_eq!(of(2, "icache_req"), 161);
        assert_eq!(of(2, "icache_miss"), 3);
        assert_eq!(of(1, "vec_fp32_exec") + of(1, "vec_misc_exec"), 1024);
        assert_eq!(of(4, "l2_read_req"), 1024);
        assert_eq!(of(4, "main_read_req"), 256);
        assert_eq!(of(4, "l2_write_req"), 512);
        assert_eq!(of(4, "main_write_req"), 256);
        assert_eq!(of(4, "ub_write_req"), 1024 + 4 * 1024 + 40);
        assert_eq!(of(4, "l1_write_req"), 0);
        let ports = ["r0_read_cache_hit", "r1_read_cache_hit"];
        let hits: u64 = ports.map(|name| of(8, name)).iter().sum();
        assert_eq!(hits, 768);
        assert_eq!(of(6, "bank_stall_cycles"), 32);
        assert_eq!(activity.count(Chip::A2a3, 0x7777), 0);
    }

    #[test]
    fn a_tile_on_a5_writes_through_its_fixpipe() {
        let model = KernelModel::new(Chip::A5);
        let (_, activity) = model.run(CoreType::Aic, Some(&tile()), &mut Random::new(0, &[]));
        let of = |number, name| column(Chip::A5, number, name, &activity);
        assert_eq!(of(2, "pmu_fix_instr_busy"), 563);
        assert_eq!(of(2, "mte3_instr_busy"), 0);
        assert_eq!(of(2, "cube_instr_busy"), 4096);
        assert_eq!(of(5, "pmu_wr_l0a_instr"), 1024);
        assert_eq!(of(5, "cube_sc_pmu_read_l0a_instr"), 4096);
        assert_eq!(of(5, "fixp_rd_l0c_instr"), 64);
        assert_eq!(of(4, "pmu_wr_l1_instr"), 512);
        assert_eq!(of(4, "ub_pmu_vec_rd_ub_acc"), 0);
    }

    #[test]
    fn a_seed_changes_cycles_with_the_duration_and_never_the_work() {
        for chip in Chip::ALL {
            let model = KernelModel::new(chip);
            let mut durations = std::collections::BTreeSet::new();
            for seed in 1..200 {
                let mut random = Random::new(seed, &[]);
                let (core_type, cost) = match seed % 4 {
                    0 => (CoreType::Aic, Some(tile())),
                    1 => (CoreType::Aiv, None),
                    2 => (
                        CoreType::Aic,
                        Some(KernelCost {
                            exact_ticks: 700,
                            ..KernelCost::default()
                        }),
                    ),
                    _ => (CoreType::Aiv, Some(elementwise())),
                };
                let (grains, activity) = model.run(core_type, cost.as_ref(), &mut random);
                durations.insert(grains);
                let text = format!("{chip:?}, seed {seed}: {activity:?}");
                assert_eq!(activity.cycles, model.cycles(grains), "{text}");
                for event in chip
                    .info()
                    .pmu_events
                    .iter()
                    .filter(|event| event.number == 2)
                {
                    for (counter, column) in event.columns() {
                        if column.contains("icache") {
                            continue;
                        }
                        let busy = activity.count(chip, event.selector(counter));
                        assert!(busy <= activity.cycles, "{column}: {busy} of {text}");
                    }
                }
                if let Some(cost) = cost.filter(|cost| cost.exact_ticks == 0) {
                    assert_eq!(activity.read_bytes, cost.read_bytes, "{text}");
                    assert_eq!(activity.write_bytes, cost.write_bytes, "{text}");
                }
            }
            assert!(durations.len() > 100, "{chip:?}: {}", durations.len());
        }
    }
}
