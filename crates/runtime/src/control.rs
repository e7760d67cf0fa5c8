//! The control region of a session: allocation, the host's lines, the graph, the status lines.
//!
//! # Who writes what
//!
//! The host writes header, core configurations and, for a run that counts, the table of counter pages
//! before each launch, everything else once when the region is made (zeros) or as part of the graph; after the launch nothing but
//! the [`HostLine`](lanescope_abi::HostLine).

use crate::chosen::ChosenTensors;
use crate::graph::{Graph, Order};
use crate::layout::{ControlLayout, GraphSizes, arg_words_of};
use crate::tensors::Tensors;
use crate::upload::Upload;
use crate::{Result, RuntimeError};
use lanescope_abi::control::{
    ControlHeader, CoreAnswer, CoreConfig, CoreOrder, GraphTask, HostLine, LineWord, Payload,
    SchedulerWords, ThreadStatus,
};
use lanescope_abi::{ChipInfo, LINE_BYTES, Section};
use lanescope_platform::{Device, DeviceAddress, DeviceMemory, Mapping, MappingExt};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use zerocopy::{FromBytes, IntoBytes};

/// A region is a whole number of these.
const GRANULE_BYTES: u64 = 64 << 10;

/// The control region of one session.
#[derive(Debug)]
pub(crate) struct ControlRegion {
    // Dropped first: the mapping before the memory behind it.
    mapping: Box<dyn Mapping>,
    memory: Arc<dyn DeviceMemory>,
    layout: ControlLayout,
    /// Held from the pull of lines to the last of their words: on a mapping that is not coherent
    /// another pull writes what is read here.
    looking: Mutex<()>,
}

impl ControlRegion {
    /// Allocates a region that holds a graph of these sizes, and zeroes everything but the graph.
    pub(crate) fn new(
        device: &dyn Device,
        chip: &ChipInfo,
        ring_size: u32,
        sizes: &GraphSizes,
        registers: &[u64],
    ) -> Result<Self> {
        let making = |source| RuntimeError::platform("making the control region", source);
        let layout = ControlLayout::new(chip, ring_size, sizes)?;
        let bytes = layout
            .sections
            .control_bytes
            .next_multiple_of(GRANULE_BYTES);
        let memory = device.allocate(bytes).map_err(making)?;
        let mapping = device.map(&memory, layout.mapped_bytes).map_err(making)?;
        let region = Self {
            mapping,
            memory,
            layout,
            looking: Mutex::new(()),
        };
        region.zero(device, registers)?;
        Ok(region)
    }

    /// Lays the region out for another graph, when it is large enough.
    pub(crate) fn fit(
        &mut self,
        chip: &ChipInfo,
        ring_size: u32,
        sizes: &GraphSizes,
    ) -> Result<bool> {
        let layout = ControlLayout::new(chip, ring_size, sizes)?;
        let fits = layout.sections.control_bytes <= self.memory.bytes();
        if fits {
            self.layout = layout;
        }
        Ok(fits)
    }

    pub(crate) fn address(&self) -> DeviceAddress {
        self.memory.address()
    }

    /// The header's sections and size; the rest of it is zero.
    pub(crate) fn sections(&self) -> &ControlHeader {
        &self.layout.sections
    }

    /// Bytes copied through the mapping so far.
    pub(crate) fn copied_bytes(&self) -> u64 {
        self.mapping.copied_bytes()
    }

    /// Writes the graph behind the mapped part. Not for a region that a launch is using.
    pub(crate) fn upload_graph(
        &self,
        device: &dyn Device,
        graph: &Graph,
        order: &Order,
        kernels: &[DeviceAddress],
        tensors: &Tensors,
        chosen: &ChosenTensors,
    ) -> Result<()> {
        let sections = &self.layout.sections;
        let first = sections.scheduler.offset_bytes;
        let mut table = GraphUpload {
            upload: Upload::new(device, "uploading the graph", self.address().offset(first)),
            offset_bytes: first,
        };
        table.begin(&sections.scheduler)?;
        table.write(scheduler_words(sections, order, graph).as_bytes())?;
        table.begin(&sections.tasks)?;
        let mut args_address = self.address().offset(sections.args.offset_bytes).0;
        for (number, task) in graph.tasks().iter().enumerate() {
            let function = &graph.functions()[task.function.index()];
            let successors = order.successors_of(number);
            let (first_tensor, tensor_count) = chosen.of_task(number);
            let entry = GraphTask {
                task_id: task.task_id,
                kernel_address: kernels[task.function.index()].0,
                args_address,
                arg_count: task.arg_count,
                func_id: function.func_id,
                core_type: task.core_type as u32,
                first_successor: order.first_successor[number],
                successor_count: u32::try_from(successors.len())
                    .expect("part of a list whose length fits 32 bits"),
                predecessor_count: order.predecessors[number],
                first_tensor,
                tensor_count,
                reserved: 0,
            };
            table.write(entry.as_bytes())?;
            args_address += arg_words_of(task.arg_count) * 8;
        }
        table.begin(&sections.args)?;
        for task in graph.tasks() {
            for &arg in graph.args_of(task) {
                table.write(&tensors.word(arg).to_le_bytes())?;
            }
            let unused = arg_words_of(task.arg_count) - u64::from(task.arg_count);
            table.zeros(unused * 8)?;
        }
        table.begin(&sections.successors)?;
        table.write(order.successors.as_bytes())?;
        table.begin(&sections.fan_in)?;
        table.write(order.predecessors.as_bytes())?;
        for (core_type, section) in sections.ready.iter().enumerate() {
            table.begin(section)?;
            let mut queued = 0u64;
            for task in ready_tasks(graph, order, core_type) {
                table.write(&(task + 1).to_le_bytes())?;
                queued += 1;
            }
            table.zeros((u64::from(section.count) - queued) * 4)?;
        }
        table.begin(&sections.tensors)?;
        for tensor in chosen.tensors(graph, tensors) {
            table.write(tensor.as_bytes())?;
        }
        table.upload.finish()
    }

    /// Writes header, core configurations and counter pages (none for a run that does not count), and
    /// lowers the abort flag of the run before.
    pub(crate) fn write_header(
        &self,
        header: &ControlHeader,
        cores: &[CoreConfig],
        counter_pages: &[u64],
    ) -> Result<()> {
        self.mapping.write_bytes(0, header.as_bytes());
        let host = self.layout.sections.host.offset_bytes;
        self.mapping
            .write_bytes(host, HostLine::default().as_bytes());
        let section = self.layout.sections.cores;
        self.mapping
            .write_bytes(section.offset_bytes, cores.as_bytes());
        let pages = self.layout.sections.pmu_registers;
        self.mapping
            .write_bytes(pages.offset_bytes, counter_pages.as_bytes());
        self.flush(0..self.layout.host_bytes)
    }

    /// Asks the device to end a run.
    pub(crate) fn abort(&self, run_id: u32) -> Result<()> {
        let line = self.layout.sections.host.offset_bytes;
        self.mapping.store32(line, run_id, Ordering::Release);
        self.flush(line..line + LINE_BYTES)
    }

    /// The status line of each AICPU thread.
    pub(crate) fn threads(&self, count: u32) -> Result<Vec<ThreadStatus>> {
        self.lines(self.layout.sections.threads, count)
    }

    /// What the AICPU says of each core.
    pub(crate) fn orders(&self, count: u32) -> Result<Vec<CoreOrder>> {
        self.lines(self.layout.sections.orders, count)
    }

    /// What each core says of itself.
    pub(crate) fn answers(&self, count: u32) -> Result<Vec<CoreAnswer>> {
        self.lines(self.layout.sections.answers, count)
    }

    /// The payloads of the first `cores` cores, `ring_size` of each behind each other.
    pub(crate) fn payloads(
        &self,
        device: &dyn Device,
        cores: u32,
        ring_size: u32,
    ) -> Result<Vec<Payload>> {
        let section = self.layout.sections.payloads;
        let count = (cores * ring_size).min(section.count) as usize;
        let mut payloads = vec![Payload::default(); count];
        let from = self.address().offset(section.offset_bytes);
        device
            .copy_to_host(payloads.as_mut_bytes(), from)
            .map_err(|source| {
                RuntimeError::platform("reading the payloads of the device", source)
            })?;
        Ok(payloads)
    }

    /// Reads the first `count` lines of a section, word by word: the device may be writing them.
    fn lines<T: FromBytes + IntoBytes>(&self, section: Section, count: u32) -> Result<Vec<T>> {
        debug_assert_eq!(size_of::<T>() as u64, LINE_BYTES);
        let begin = section.offset_bytes;
        let end = section.at(count);
        let _looking = self.looking.lock().unwrap_or_else(PoisonError::into_inner);
        self.mapping
            .invalidate(begin..end)
            .map_err(|source| RuntimeError::platform("reading the status of the device", source))?;
        let mut words = [0u64; (LINE_BYTES / 8) as usize];
        let mut lines = Vec::new();
        for line in 0..count {
            for (word, offset) in words.iter_mut().zip((section.at(line)..).step_by(8)) {
                *word = self.mapping.load64(offset, Ordering::Acquire);
            }
            lines.push(
                T::read_from_bytes(words.as_bytes()).expect("a line is as long as its structure"),
            );
        }
        Ok(lines)
    }

    fn zero(&self, device: &dyn Device, registers: &[u64]) -> Result<()> {
        let mapped = usize::try_from(self.layout.mapped_bytes).expect("a few pages");
        self.mapping.write_bytes(0, &vec![0; mapped]);
        let table = self.layout.sections.registers;
        self.mapping
            .write_bytes(table.offset_bytes, registers.as_bytes());
        self.flush(0..self.layout.mapped_bytes)?;
        let payloads = self.layout.sections.payloads;
        let to = self.address().offset(payloads.offset_bytes);
        let mut upload = Upload::new(device, "making the control region", to);
        upload.zeros(u64::from(payloads.count) * u64::from(payloads.stride_bytes))?;
        upload.finish()
    }

    fn flush(&self, range: std::ops::Range<u64>) -> Result<()> {
        self.mapping
            .flush(range)
            .map_err(|source| RuntimeError::platform("writing the control region", source))
    }
}

/// Writes sections in the order of their offsets, with zeros between them.
struct GraphUpload<'a> {
    upload: Upload<'a>,
    offset_bytes: u64,
}

impl GraphUpload<'_> {
    fn begin(&mut self, section: &Section) -> Result<()> {
        let gap = section
            .offset_bytes
            .checked_sub(self.offset_bytes)
            .expect("sections are written in the order of their offsets");
        self.zeros(gap)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.offset_bytes += bytes.len() as u64;
        self.upload.write(bytes)
    }

    fn zeros(&mut self, bytes: u64) -> Result<()> {
        self.offset_bytes += bytes;
        self.upload.zeros(bytes)
    }
}

fn scheduler_words(sections: &ControlHeader, order: &Order, graph: &Graph) -> SchedulerWords {
    let word = |value| LineWord {
        value,
        ..LineWord::default()
    };
    let queued = |core_type| {
        let count = ready_tasks(graph, order, core_type).count();
        word(u32::try_from(count).expect("no more than the tasks, which fit 32 bits"))
    };
    SchedulerWords {
        ready_tail: [queued(0), queued(1)],
        unfinished: word(sections.tasks.count),
        ..SchedulerWords::default()
    }
}

/// Indices of the tasks of a core type that wait for nothing.
fn ready_tasks<'a>(
    graph: &'a Graph,
    order: &'a Order,
    core_type: usize,
) -> impl Iterator<Item = u32> + 'a {
    (0u32..)
        .zip(graph.tasks())
        .zip(&order.predecessors)
        .filter(move |&((_, task), &predecessors)| {
            predecessors == 0 && task.core_type as usize == core_type
        })
        .map(|((number, _), _)| number)
}
