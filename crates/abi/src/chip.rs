//! What differs between the two chips, as data.
//!
//! Numbers are those the vendor's reference runtime uses at its PR #709 (a2a3) and #777 (a5).

use crate::pmu::{self, PmuEvent};

/// A chip family.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Chip {
    /// Ascend 910B and 910C (DAV 2201).
    A2a3 = 1,
    /// Ascend 950 (DAV 3510).
    A5 = 2,
}

impl Chip {
    /// Both chips.
    ///
    /// cbindgen:ignore
    pub const ALL: [Self; 2] = [Self::A2a3, Self::A5];

    /// The chip with this number in a header, if there is one.
    #[must_use]
    pub const fn from_raw(raw: u32) -> Option<Self> {
        match raw {
            1 => Some(Self::A2a3),
            2 => Some(Self::A5),
            _ => None,
        }
    }

    /// Everything that is known about the chip.
    #[must_use]
    pub const fn info(self) -> &'static ChipInfo {
        match self {
            Self::A2a3 => &A2A3,
            Self::A5 => &A5,
        }
    }

    /// The platform's name on hardware.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.info().name
    }
}

/// The kind of an AICore.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum CoreType {
    /// Cube core: matrix multiplication.
    Aic = 0,
    /// Vector core.
    Aiv = 1,
}

impl CoreType {
    /// Both core types; the position of each is its number.
    ///
    /// cbindgen:ignore
    pub const ALL: [Self; 2] = [Self::Aic, Self::Aiv];

    /// The core type with this number, if there is one.
    #[must_use]
    pub const fn from_raw(raw: u32) -> Option<Self> {
        match raw {
            0 => Some(Self::Aic),
            1 => Some(Self::Aiv),
            _ => None,
        }
    }

    /// Lower-case name, as exported files spell it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Aic => "aic",
            Self::Aiv => "aiv",
        }
    }
}

/// Offsets of the registers in a core's window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RegisterMap {
    /// Dispatch token; written by the AICPU, read by the core.
    pub data_main_base: u32,
    /// Core status; written by the core, read by the AICPU.
    pub cond: u32,
    /// Opens the fast path to the two registers above, where the chip has such a gate.
    pub fast_path_enable: Option<u32>,
    /// The hardware counters.
    pub pmu: PmuRegisters,
    /// Bytes from one cube core's window to the next.
    pub core_stride_bytes: u64,
    /// Bytes from a cube core's window to its first vector core's, and from that to the second's.
    pub sub_core_stride_bytes: u64,
}

/// Offsets of a core's hardware counters and what controls them: those of the gate in the core's own
/// view, all others as [`PmuRegisters::has_page`] says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PmuRegisters {
    /// Bit 0 is the gate; the core opens it before a kernel and closes it behind.
    pub gate: u32,
    /// Switches and their values while counting; what they held before is put back.
    pub switches: &'static [(u32, u32)],
    /// The counters; reading one clears it.
    pub counters: &'static [u32],
    /// Low and high half of the cycles; reading clears them.
    pub total: [u32; 2],
    /// Low and high half of the cycle at which counting begins; written 0.
    pub start: [u32; 2],
    /// Low and high half of the cycle at which it ends; written all ones.
    pub stop: [u32; 2],
    /// Selector of each counter.
    pub selectors: &'static [u32],
    /// Whether the AICPU finds them on a page of their own, which the driver maps apart; else they lie in
    /// the core's register window. Pages lie as far from each other as windows.
    pub has_page: bool,
    /// Whether the core reads its counters itself, before FIN; else the AICPU does, after it.
    pub is_read_by_core: bool,
}

/// [`RegisterMap::data_main_base`] of [`A2A3`].
pub const A2A3_DATA_MAIN_BASE: u32 = 0xA0;
/// [`RegisterMap::cond`] of [`A2A3`].
pub const A2A3_COND: u32 = 0x4C8;
/// [`RegisterMap::fast_path_enable`] of [`A2A3`].
pub const A2A3_FAST_PATH_ENABLE: u32 = 0x18;
/// [`RegisterMap::data_main_base`] of [`A5`].
pub const A5_DATA_MAIN_BASE: u32 = 0xD0;
/// [`RegisterMap::cond`] of [`A5`].
pub const A5_COND: u32 = 0x5108;

/// [`PmuRegisters::gate`] of both chips.
pub const PMU_GATE: u32 = 0x0;
/// First of [`PmuRegisters::counters`] of [`A5`].
pub const A5_PMU_COUNTER_0: u32 = 0x4210;
/// Distance of the first eight of them.
pub const A5_PMU_COUNTER_STEP: u32 = 0x8;
/// The ninth.
pub const A5_PMU_COUNTER_8: u32 = 0x4250;
/// The tenth.
pub const A5_PMU_COUNTER_9: u32 = 0x4254;
/// First of [`PmuRegisters::total`] of [`A5`].
pub const A5_PMU_TOTAL_LOW: u32 = 0x4260;
/// Second of [`PmuRegisters::total`] of [`A5`].
pub const A5_PMU_TOTAL_HIGH: u32 = 0x4264;

/// Written to [`RegisterMap::fast_path_enable`] before the first dispatch.
pub const FAST_PATH_OPEN: u32 = 0xE;
/// Written to [`RegisterMap::fast_path_enable`] after the core has ended.
pub const FAST_PATH_CLOSE: u32 = 0xF;

/// The facts of one chip that shared code may depend on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChipInfo {
    /// Which chip this is.
    pub chip: Chip,
    /// The platform's name on hardware.
    pub name: &'static str,
    /// The platform's name on the simulated driver.
    pub sim_name: &'static str,
    /// Most clusters of one cube and two vector cores in one launch.
    pub max_clusters: u32,
    /// Most cores in one launch: three a cluster.
    pub max_cores: u32,
    /// Entries of the register table: cores the chip has, usable or not.
    pub physical_cores: u32,
    /// Most AICPU threads that may schedule.
    pub max_threads: u32,
    /// AICPU threads used when none are asked for.
    pub default_threads: u32,
    /// Rate of the system counter, in ticks a second.
    pub ticks_per_second: u64,
    /// Register offsets.
    pub registers: RegisterMap,
    /// What the hardware counters can count; see [`crate::pmu`].
    pub pmu_events: &'static [PmuEvent],
    /// Whether the AICPU must invalidate a line the host has written before it reads it.
    pub aicpu_invalidates_host_lines: bool,
}

/// Vector cores in a cluster; a cluster has one cube core.
pub const AIV_PER_CLUSTER: u32 = 2;
/// Cores in a cluster.
pub const CORES_PER_CLUSTER: u32 = 1 + AIV_PER_CLUSTER;

/// Ascend 910B and 910C.
pub static A2A3: ChipInfo = ChipInfo {
    chip: Chip::A2a3,
    name: "a2a3",
    sim_name: "a2a3sim",
    max_clusters: 24,
    max_cores: 72,
    physical_cores: 75,
    max_threads: 4,
    default_threads: 4,
    ticks_per_second: 50_000_000,
    registers: RegisterMap {
        data_main_base: A2A3_DATA_MAIN_BASE,
        cond: A2A3_COND,
        fast_path_enable: Some(A2A3_FAST_PATH_ENABLE),
        pmu: PmuRegisters {
            gate: PMU_GATE,
            switches: &[(0x200, 0x7)],
            counters: &[0x210, 0x218, 0x220, 0x228, 0x230, 0x238, 0x240, 0x248],
            total: [0x250, 0x254],
            start: [0x2A0, 0x2A4],
            stop: [0x2A8, 0x2AC],
            selectors: &[
                0x1280, 0x1284, 0x1288, 0x128C, 0x1290, 0x1294, 0x1298, 0x129C,
            ],
            has_page: true,
            is_read_by_core: false,
        },
        core_stride_bytes: 0x80_0000,
        sub_core_stride_bytes: 0x10_0000,
    },
    pmu_events: pmu::A2A3_EVENTS,
    aicpu_invalidates_host_lines: true,
};

/// Ascend 950.
pub static A5: ChipInfo = ChipInfo {
    chip: Chip::A5,
    name: "a5",
    sim_name: "a5sim",
    max_clusters: 36,
    max_cores: 108,
    physical_cores: 108,
    max_threads: 7,
    default_threads: 5,
    ticks_per_second: 1_000_000_000,
    registers: RegisterMap {
        data_main_base: A5_DATA_MAIN_BASE,
        cond: A5_COND,
        fast_path_enable: None,
        pmu: PmuRegisters {
            gate: PMU_GATE,
            switches: &[(0x4200, 0x7), (0x2400, 0x1)],
            // The step from one to the next changes behind the eighth.
            counters: &[
                A5_PMU_COUNTER_0,
                A5_PMU_COUNTER_0 + A5_PMU_COUNTER_STEP,
                A5_PMU_COUNTER_0 + 2 * A5_PMU_COUNTER_STEP,
                A5_PMU_COUNTER_0 + 3 * A5_PMU_COUNTER_STEP,
                A5_PMU_COUNTER_0 + 4 * A5_PMU_COUNTER_STEP,
                A5_PMU_COUNTER_0 + 5 * A5_PMU_COUNTER_STEP,
                A5_PMU_COUNTER_0 + 6 * A5_PMU_COUNTER_STEP,
                A5_PMU_COUNTER_0 + 7 * A5_PMU_COUNTER_STEP,
                A5_PMU_COUNTER_8,
                A5_PMU_COUNTER_9,
            ],
            total: [A5_PMU_TOTAL_LOW, A5_PMU_TOTAL_HIGH],
            start: [0x42A0, 0x42A4],
            stop: [0x42A8, 0x42AC],
            selectors: &[
                0x2500, 0x2504, 0x2508, 0x250C, 0x2510, 0x2514, 0x2518, 0x251C, 0x2520, 0x2524,
            ],
            has_page: false,
            is_read_by_core: true,
        },
        core_stride_bytes: 0x30_0000,
        sub_core_stride_bytes: 0x10_0000,
    },
    pmu_events: pmu::A5_EVENTS,
    aicpu_invalidates_host_lines: false,
};

impl ChipInfo {
    /// Number of cores in a launch of `clusters` clusters.
    #[must_use]
    pub const fn core_count(&self, clusters: u32) -> u32 {
        clusters * CORES_PER_CLUSTER
    }

    /// The type of core `core` in a launch of `clusters` clusters: cube cores come first.
    #[must_use]
    pub const fn core_type(&self, clusters: u32, core: u32) -> CoreType {
        if core < clusters {
            CoreType::Aic
        } else {
            CoreType::Aiv
        }
    }
}
