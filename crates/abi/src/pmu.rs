//! Hardware counters: what each chip can count, as data.
//!
//! Numbers and column names are those of the vendor's reference runtime at its PR #709 (a2a3) and #777
//! (a5). Column position is not counter number: a counter that an event type leaves unused has no
//! column, wherever it stands.

/// One event type: what the counters count together in a run.
#[derive(Debug, PartialEq, Eq)]
pub struct PmuEvent {
    /// Its number in records and in files.
    pub number: u32,
    /// The name users write.
    pub name: &'static str,
    /// What each counter counts, by counter number; counters behind the last are unused.
    pub counters: &'static [PmuCounter],
}

/// What one counter counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PmuCounter {
    /// Written to the counter's selector; 0 when it is unused.
    pub selector: u32,
    /// Column name; empty when the counter is unused.
    pub column: &'static str,
}

impl PmuEvent {
    /// The event type that reference files without a known one mean.
    ///
    /// cbindgen:ignore
    pub const DEFAULT: u32 = 2;

    /// The selector of a counter, 0 when it is unused.
    #[must_use]
    pub fn selector(&self, counter: usize) -> u32 {
        self.counters
            .get(counter)
            .map_or(0, |counter| counter.selector)
    }

    /// The counters in use, with their numbers.
    pub fn columns(&self) -> impl Iterator<Item = (usize, &'static str)> {
        let counters = self.counters.iter().enumerate();
        counters.filter_map(|(number, counter)| {
            (!counter.column.is_empty()).then_some((number, counter.column))
        })
    }
}

impl crate::ChipInfo {
    /// The event type with this number, if the chip has it.
    #[must_use]
    pub fn pmu_event(&self, number: u32) -> Option<&'static PmuEvent> {
        self.pmu_events.iter().find(|event| event.number == number)
    }
}

const UNUSED: PmuCounter = counter(0, "");

const fn counter(selector: u32, column: &'static str) -> PmuCounter {
    PmuCounter { selector, column }
}

/// Event types of a2a3.
pub(crate) const A2A3_EVENTS: &[PmuEvent] = &[
    PmuEvent {
        number: 1,
        name: "arithmetic",
        counters: &[
            counter(0x49, "cube_fp16_exec"),
            counter(0x4A, "cube_int8_exec"),
            counter(0x4B, "vec_fp32_exec"),
            counter(0x4C, "vec_fp16_128lane_exec"),
            counter(0x4D, "vec_fp16_64lane_exec"),
            counter(0x4E, "vec_int32_exec"),
            counter(0x4F, "vec_misc_exec"),
        ],
    },
    PmuEvent {
        number: 2,
        name: "pipe-utilization",
        counters: &[
            counter(0x8, "vec_busy_cycles"),
            counter(0xA, "cube_busy_cycles"),
            counter(0x9, "scalar_busy_cycles"),
            counter(0xB, "mte1_busy_cycles"),
            counter(0xC, "mte2_busy_cycles"),
            counter(0xD, "mte3_busy_cycles"),
            counter(0x55, "icache_miss"),
            counter(0x54, "icache_req"),
        ],
    },
    PmuEvent {
        number: 4,
        name: "memory",
        counters: &[
            counter(0x15, "ub_read_req"),
            counter(0x16, "ub_write_req"),
            counter(0x31, "l1_read_req"),
            counter(0x32, "l1_write_req"),
            counter(0xF, "l2_read_req"),
            counter(0x10, "l2_write_req"),
            counter(0x12, "main_read_req"),
            counter(0x13, "main_write_req"),
        ],
    },
    PmuEvent {
        number: 5,
        name: "memory-l0",
        counters: &[
            counter(0x1B, "l0a_read_req"),
            counter(0x1C, "l0a_write_req"),
            counter(0x21, "l0b_read_req"),
            counter(0x22, "l0b_write_req"),
            counter(0x27, "l0c_read_req"),
            counter(0x28, "l0c_write_req"),
        ],
    },
    PmuEvent {
        number: 6,
        name: "resource-conflict",
        counters: &[
            counter(0x64, "bankgroup_stall_cycles"),
            counter(0x65, "bank_stall_cycles"),
            counter(0x66, "vec_resc_conflict_cycles"),
        ],
    },
    PmuEvent {
        number: 7,
        name: "memory-ub",
        counters: &[
            counter(0x3D, "ub_read_bw_mte"),
            counter(0x10, "l2_write_bw"),
            counter(0x13, "main_mem_write_bw"),
            counter(0x3E, "ub_write_bw_mte"),
            counter(0x43, "ub_read_bw_vector"),
            counter(0x44, "ub_write_bw_vector"),
            counter(0x37, "ub_read_bw_scalar"),
            counter(0x38, "ub_write_bw_scalar"),
        ],
    },
    PmuEvent {
        number: 8,
        name: "l2-cache",
        counters: &[
            counter(0x500, "write_cache_hit"),
            counter(0x502, "write_cache_miss_allocate"),
            counter(0x504, "r0_read_cache_hit"),
            counter(0x506, "r0_read_cache_miss_allocate"),
            counter(0x508, "r1_read_cache_hit"),
            counter(0x50A, "r1_read_cache_miss_allocate"),
        ],
    },
];

/// Event types of a5.
pub(crate) const A5_EVENTS: &[PmuEvent] = &[
    PmuEvent {
        number: 1,
        name: "arithmetic",
        counters: &[
            counter(0x323, "cube_fp_instr_busy"),
            counter(0x324, "cube_int_instr_busy"),
        ],
    },
    PmuEvent {
        number: 2,
        name: "pipe-utilization",
        counters: &[
            counter(0x501, "pmu_idc_aic_vec_busy_o"),
            counter(0x301, "cube_instr_busy"),
            counter(0x1, "scalar_instr_busy"),
            counter(0x701, "mte1_instr_busy"),
            counter(0x202, "mte2_instr_busy"),
            counter(0x203, "mte3_instr_busy"),
            counter(0x34, "icache_req"),
            counter(0x35, "icache_miss"),
            counter(0x714, "pmu_fix_instr_busy"),
        ],
    },
    PmuEvent {
        number: 4,
        name: "memory",
        counters: &[
            UNUSED,
            UNUSED,
            counter(0x400, "bif_sc_pmu_read_main_instr_core"),
            counter(0x401, "bif_sc_pmu_write_main_instr_core"),
            counter(0x56F, "pmu_aiv_ext_rd_ub_instr"),
            counter(0x571, "ub_pmu_vec_rd_ub_acc"),
            counter(0x570, "pmu_aiv_ext_wr_ub_instr"),
            counter(0x572, "ub_pmu_vec_wr_ub_acc"),
            counter(0x707, "pmu_rd_l1_instr"),
            counter(0x709, "pmu_wr_l1_instr"),
        ],
    },
    PmuEvent {
        number: 5,
        name: "memory-l0",
        counters: &[
            counter(0x304, "cube_sc_pmu_read_l0a_instr"),
            counter(0x703, "pmu_wr_l0a_instr"),
            counter(0x306, "cube_sc_pmu_read_l0b_instr"),
            counter(0x705, "pmu_wr_l0b_instr"),
            counter(0x712, "fixp_rd_l0c_instr"),
            counter(0x30A, "cube_sc_pmu_read_l0c_instr"),
            counter(0x308, "cube_sc_pmu_write_l0c_instr"),
        ],
    },
    PmuEvent {
        number: 6,
        name: "resource-conflict",
        counters: &[
            counter(0x3556, "stu_pmu_wctl_ub_cflt"),
            counter(0x3540, "ldu_pmu_ib_ub_cflt"),
            counter(0x3502, "pmu_idc_aic_vec_instr_vf_busy_o"),
            counter(0x3528, "idu_pmu_ins_iss_cnt"),
        ],
    },
    PmuEvent {
        number: 7,
        name: "memory-ub",
        counters: &[
            counter(0x3, "pmu_rd_acc_ub_instr_p"),
            counter(0x5, "pmu_wr_acc_ub_instr_p"),
            counter(0x70C, "pmu_fix_wr_ub_instr"),
            counter(0x206, "mte_sc_pmu_write_acc_ub_instr_0"),
            counter(0x204, "mte_sc_pmu_read_acc_ub_instr_0"),
            counter(0x571, "ub_pmu_vec_rd_ub_acc"),
            counter(0x572, "ub_pmu_vec_wr_ub_acc"),
        ],
    },
    PmuEvent {
        number: 8,
        name: "l2-cache",
        counters: &[
            counter(0x424, "bif_sc_pmu_ar_close_l2_hit_core"),
            counter(0x425, "bif_sc_pmu_ar_close_l2_miss_core"),
            counter(0x426, "bif_sc_pmu_ar_close_l2_victim_core"),
            counter(0x42A, "bif_sc_pmu_aw_close_l2_hit_core"),
            counter(0x42B, "bif_sc_pmu_aw_close_l2_miss_core"),
            counter(0x42C, "bif_sc_pmu_aw_close_l2_victim_core"),
        ],
    },
];
