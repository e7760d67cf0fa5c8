//! Where everything lies in the control region.
//!
//! The front part is mapped on the host: first what the host writes, then what the device writes
//! and the host reads. The rest (payloads, scheduler words, graph) is copied before launch.

use crate::chosen::ChosenTensors;
use crate::graph::{Graph, Order};
use crate::{Result, RuntimeError};
use lanescope_abi::control::{
    ControlHeader, CoreAnswer, CoreConfig, CoreOrder, GraphTask, HostLine, Payload, SchedulerWords,
    TaskTensor, ThreadStatus,
};
use lanescope_abi::{ChipInfo, CoreType, LINE_BYTES, Section};

/// The mapped part is a whole number of these, so that it can be registered with the driver.
const PAGE_BYTES: u64 = 4096;

/// How many items the graph part holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct GraphSizes {
    pub(crate) tasks: u32,
    /// Argument words, each list rounded up to whole lines.
    pub(crate) arg_words: u32,
    pub(crate) successors: u32,
    pub(crate) by_type: [u32; 2],
    /// Tensors to record.
    pub(crate) tensors: u32,
}

impl GraphSizes {
    pub(crate) fn new(graph: &Graph, order: &Order, chosen: &ChosenTensors) -> Result<Self> {
        let mut by_type = [0u32; 2];
        let mut arg_words = 0u64;
        for task in graph.tasks() {
            by_type[task.core_type as usize] += 1;
            arg_words += arg_words_of(task.arg_count);
        }
        let too_many = |what: &str| graph.refuse(format!("more than {} {what}", u32::MAX));
        Ok(Self {
            tasks: u32::try_from(graph.tasks().len()).map_err(|_| too_many("tasks"))?,
            arg_words: u32::try_from(arg_words).map_err(|_| too_many("argument words"))?,
            successors: u32::try_from(order.successors.len()).map_err(|_| too_many("edges"))?,
            by_type,
            tensors: chosen.count(),
        })
    }
}

/// Words that an argument list occupies: whole lines, and one even when it is empty, so that
/// every list has an address.
pub(crate) fn arg_words_of(arg_count: u32) -> u64 {
    const LINE_WORDS: u64 = LINE_BYTES / 8;
    u64::from(arg_count.max(1)).next_multiple_of(LINE_WORDS)
}

/// Pages of hardware counters that a chip has apart from the register windows: one a physical core, or none.
pub(crate) fn counter_pages(chip: &ChipInfo) -> u32 {
    if chip.registers.pmu.has_page {
        chip.physical_cores
    } else {
        0
    }
}

/// The sections of a control region, as its header states them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ControlLayout {
    /// A header with only its sections and `control_bytes` filled in.
    pub(crate) sections: ControlHeader,
    /// End of what the host writes during the session: header to register tables.
    pub(crate) host_bytes: u64,
    /// End of what is mapped.
    pub(crate) mapped_bytes: u64,
}

impl ControlLayout {
    /// The layout for one chip, ring size and graph. The front part depends on the chip alone.
    pub(crate) fn new(chip: &ChipInfo, ring_size: u32, sizes: &GraphSizes) -> Result<Self> {
        let (cores, threads) = (chip.max_cores, chip.max_threads);
        let mut next = Placer {
            end_bytes: size_of::<ControlHeader>() as u64,
        };
        let mut sections = ControlHeader {
            host: next.place(1, size_of::<HostLine>())?,
            cores: next.place(cores, size_of::<CoreConfig>())?,
            registers: next.place(chip.physical_cores, size_of::<u64>())?,
            pmu_registers: next.place(counter_pages(chip), size_of::<u64>())?,
            ..ControlHeader::default()
        };
        let host_bytes = next.end_bytes;
        sections.orders = next.place(cores, size_of::<CoreOrder>())?;
        sections.answers = next.place(cores, size_of::<CoreAnswer>())?;
        sections.threads = next.place(threads, size_of::<ThreadStatus>())?;
        next.end_bytes = next.end_bytes.next_multiple_of(PAGE_BYTES);
        let mapped_bytes = next.end_bytes;
        sections.payloads = next.place(cores * ring_size, size_of::<Payload>())?;
        sections.scheduler = next.place(1, size_of::<SchedulerWords>())?;
        sections.tasks = next.place(sizes.tasks, size_of::<GraphTask>())?;
        sections.args = next.place(sizes.arg_words, size_of::<u64>())?;
        sections.successors = next.place(sizes.successors, size_of::<u32>())?;
        sections.fan_in = next.place(sizes.tasks, size_of::<u32>())?;
        for core_type in CoreType::ALL {
            let index = core_type as usize;
            sections.ready[index] = next.place(sizes.by_type[index], size_of::<u32>())?;
        }
        sections.tensors = next.place(sizes.tensors, size_of::<TaskTensor>())?;
        sections.control_bytes = next.end_bytes;
        Ok(Self {
            sections,
            host_bytes,
            mapped_bytes,
        })
    }
}

/// Hands out line-aligned sections one behind the other.
struct Placer {
    end_bytes: u64,
}

impl Placer {
    fn place(&mut self, count: u32, item_bytes: usize) -> Result<Section> {
        let too_large = || RuntimeError::Option {
            option: "graph",
            reason: "its control region would not fit 64 bits".to_owned(),
        };
        let section = Section {
            offset_bytes: self.end_bytes,
            count,
            stride_bytes: u32::try_from(item_bytes).map_err(|_| too_large())?,
        };
        self.end_bytes = section
            .end()
            .and_then(|end| end.checked_next_multiple_of(LINE_BYTES))
            .ok_or_else(too_large)?;
        Ok(section)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lanescope_abi::Chip;

    #[test]
    fn sections_are_aligned_apart_and_inside() {
        let sizes = GraphSizes {
            tasks: 1000,
            arg_words: 8000,
            successors: 1777,
            by_type: [400, 600],
            tensors: 17,
        };
        for chip in Chip::ALL {
            for ring_size in lanescope_abi::RING_SIZES {
                let layout = ControlLayout::new(chip.info(), ring_size, &sizes).expect("fits");
                let s = &layout.sections;
                let mut end = size_of::<ControlHeader>() as u64;
                for section in [
                    s.host,
                    s.cores,
                    s.registers,
                    s.pmu_registers,
                    s.orders,
                    s.answers,
                    s.threads,
                    s.payloads,
                    s.scheduler,
                    s.tasks,
                    s.args,
                    s.successors,
                    s.fan_in,
                    s.ready[0],
                    s.ready[1],
                    s.tensors,
                ] {
                    assert!(section.offset_bytes >= end);
                    assert!(section.offset_bytes.is_multiple_of(LINE_BYTES));
                    end = section.end().expect("fits");
                }
                assert!(end <= s.control_bytes);
                assert!(s.orders.offset_bytes >= layout.host_bytes);
                assert_eq!(layout.mapped_bytes % PAGE_BYTES, 0);
                assert!(s.threads.end().expect("fits") <= layout.mapped_bytes);
                assert!(s.payloads.offset_bytes >= layout.mapped_bytes);
            }
        }
    }

    #[test]
    fn the_mapped_part_does_not_depend_on_the_graph() {
        let sizes = |tasks| GraphSizes {
            tasks,
            arg_words: tasks * 8,
            successors: 0,
            by_type: [tasks, 0],
            tensors: tasks,
        };
        let chip = Chip::A5.info();
        let small = ControlLayout::new(chip, 2, &sizes(1)).expect("fits");
        let large = ControlLayout::new(chip, 2, &sizes(1_000_000)).expect("fits");
        assert_eq!(small.mapped_bytes, large.mapped_bytes);
        assert_eq!(small.sections.threads, large.sections.threads);
    }
}
