//! What a run records, collector by collector.

use crate::{DumpSelection, OwnCollector, Result, RuntimeError};
use lanescope_abi::capture::Policy;
use lanescope_abi::{ChipInfo, Kind, PmuEvent};
use lanescope_profiling::{
    CaptureLayout, Collector, Dump, LaneSettings, Phases, Pmu, RegionShape, Swimlane,
};
use std::fmt;
use std::time::Duration;

/// What a run records; by default nothing. Each collector works with the others off.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Collectors {
    /// Tasks, and from level 3 on what the AICPU threads do.
    pub swimlane: SwimlaneOptions,
    /// Hardware counters of each task.
    pub pmu: Option<PmuOptions>,
    /// Tensors of tasks.
    pub dump: Option<DumpOptions>,
    /// Collectors of others, whose kinds are their own.
    pub own: Vec<OwnCollector>,
    /// Most device memory that all of this may take; a run that needs more is refused.
    pub memory_budget_bytes: Option<u64>,
}

impl Collectors {
    /// The swimlane alone, with default lanes.
    #[must_use]
    pub fn swimlane(level: u32) -> Self {
        Self {
            swimlane: SwimlaneOptions {
                level,
                lanes: LaneOptions::default(),
            },
            ..Self::default()
        }
    }

    /// Whether nothing is recorded.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        let is_dark = self.swimlane.level == 0 && self.pmu.is_none() && self.dump.is_none();
        is_dark && self.own.is_empty()
    }
}

/// The lanes of a collector.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LaneOptions {
    /// What happens to a record when no buffer is free; [`Policy::Truncate`] is for tensors.
    pub policy: Policy,
    /// Buffers of a lane, a power of two; by default the collector's choice.
    pub buffers: Option<u32>,
    /// Records a buffer holds; by default the collector's choice.
    pub records_per_buffer: Option<u32>,
}

/// The swimlane.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SwimlaneOptions {
    /// 0: off; 1: times of the core; 2: and dispatch and finish; 3: and scheduler phases; 4: and
    /// those of an orchestrator.
    pub level: u32,
    /// Lanes of tasks, and of phases where the level has them.
    pub lanes: LaneOptions,
}

/// Hardware counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PmuOptions {
    /// Number of the chip's event type; [`pmu_event`] finds it by name.
    pub event: u32,
    /// Its lanes.
    pub lanes: LaneOptions,
}

impl Default for PmuOptions {
    fn default() -> Self {
        Self {
            event: PmuEvent::DEFAULT,
            lanes: LaneOptions::default(),
        }
    }
}

/// Tensors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DumpOptions {
    /// Which.
    pub selection: DumpSelection,
    /// Room of each AICPU thread for their bytes, a multiple of 64.
    pub arena_bytes: u64,
    /// Most bytes that an AICPU thread copies before it looks at its cores again, a multiple of 64.
    pub piece_bytes: u32,
    /// Its lanes.
    pub lanes: LaneOptions,
}

impl Default for DumpOptions {
    fn default() -> Self {
        Self {
            selection: DumpSelection::default(),
            arena_bytes: 16 << 20,
            piece_bytes: 16 << 10,
            lanes: LaneOptions::default(),
        }
    }
}

/// The chip's event type with this name or number.
///
/// # Errors
///
/// [`RuntimeError::Option`], which lists those the chip has.
pub fn pmu_event(chip: &'static ChipInfo, text: &str) -> Result<&'static PmuEvent> {
    let is_meant = |event: &&PmuEvent| {
        event.name.eq_ignore_ascii_case(text) || text.parse() == Ok(event.number)
    };
    let mut events = chip.pmu_events.iter();
    events.find(is_meant).ok_or_else(|| {
        let known: Vec<String> = chip
            .pmu_events
            .iter()
            .map(|event| format!("{} ({})", event.name, event.number))
            .collect();
        let (known, chip) = (known.join(", "), chip.name);
        refuse(
            "pmu",
            format!("{chip} has no event type {text}, it has {known}"),
        )
    })
}

impl Collectors {
    /// Refuses what no run can have.
    pub(crate) fn check(&self, chip: &'static ChipInfo) -> Result<()> {
        let level = self.swimlane.level;
        if level > 4 {
            return Err(refuse(
                "swimlane",
                format!("level {level}, expected 0 to 4"),
            ));
        }
        self.swimlane.lanes.check("swimlane")?;
        if let Some(pmu) = &self.pmu {
            pmu_event(chip, &pmu.event.to_string())?;
            pmu.lanes.check("pmu")?;
        }
        if let Some(dump) = &self.dump {
            dump.lanes.check("dump")?;
            dump.check_sizes()?;
        }
        self.own.iter().try_for_each(OwnCollector::check)
    }
}

/// The lanes of each kind that a run records, in the order of their numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lanes {
    kinds: Vec<(Kind, LaneSettings)>,
    /// Behind them.
    own: Vec<OwnCollector>,
}

impl Collectors {
    pub(crate) fn lanes(&self, block_limit: Duration) -> Lanes {
        let mut kinds = Vec::new();
        let mut add = |kind, options: &LaneOptions, default| {
            kinds.push((kind, options.settings(default, block_limit)));
        };
        let SwimlaneOptions {
            level,
            lanes: options,
        } = &self.swimlane;
        if *level >= 1 {
            add(Kind::TASK, options, LaneSettings::default());
        }
        if *level >= 3 {
            add(Kind::PHASE, options, Phases::default_lanes());
        }
        if let Some(pmu) = &self.pmu {
            add(Kind::PMU, &pmu.lanes, Pmu::default_lanes());
        }
        if let Some(dump) = &self.dump {
            let default = LaneSettings {
                arena_bytes: dump.arena_bytes,
                ..Dump::default_lanes()
            };
            add(Kind::TENSOR, &dump.lanes, default);
        }
        Lanes {
            kinds,
            own: self.own.clone(),
        }
    }

    /// What the region for these lanes costs.
    ///
    /// # Errors
    ///
    /// [`RuntimeError::Option`] when that is more than the budget; the profiler's refusals.
    pub(crate) fn memory(
        &self,
        lanes: &Lanes,
        shape: &RegionShape,
        chip: &'static ChipInfo,
    ) -> Result<MemoryCost> {
        if self.is_empty() {
            return Ok(MemoryCost::default());
        }
        let layout = CaptureLayout::new(shape, &lanes.collectors(chip))
            .map_err(|source| RuntimeError::Profiling { source })?;
        let cost = MemoryCost {
            collectors: layout.bytes_by_kind(),
            capture_bytes: layout.bytes(),
        };
        match self.memory_budget_bytes {
            Some(budget) if cost.capture_bytes > budget => Err(refuse(
                "memory-budget",
                format!("{budget} bytes, what is recorded needs {cost}"),
            )),
            _ => Ok(cost),
        }
    }
}

impl Lanes {
    /// Lanes of one thread in which a commit may wait for a buffer; into those of others the executor
    /// commits nothing.
    pub(crate) fn blocking(&self) -> u32 {
        let is_blocking = |(_, settings): &&(Kind, LaneSettings)| settings.policy == Policy::Block;
        let count = self.kinds.iter().filter(is_blocking).count();
        u32::try_from(count).expect("few kinds")
    }

    /// A collector for each kind of lanes.
    pub(crate) fn collectors(&self, chip: &ChipInfo) -> Vec<Box<dyn Collector>> {
        let collector = |&(kind, settings): &(Kind, LaneSettings)| -> Box<dyn Collector> {
            match kind {
                Kind::TASK => Box::new(Swimlane::new(settings)),
                Kind::PHASE => Box::new(Phases::new(settings)),
                Kind::PMU => Box::new(Pmu::new(settings, chip)),
                Kind::TENSOR => Box::new(Dump::new(settings)),
                other => unreachable!("no collector of this crate is for {other}"),
            }
        };
        let own = self.own.iter().map(OwnCollector::make);
        self.kinds.iter().map(collector).chain(own).collect()
    }
}

impl LaneOptions {
    fn check(&self, collector: &'static str) -> Result<()> {
        if self.policy == Policy::Truncate && collector != "dump" {
            let text = "truncate is for tensors, expected block or drop-newest";
            return Err(refuse(collector, text.to_owned()));
        }
        if let Some(buffers) = self.buffers
            && !buffers.is_power_of_two()
        {
            let text = format!("{buffers} is not a power of two");
            return Err(refuse("buffers", text));
        }
        if self.records_per_buffer == Some(0) {
            let text = "0, expected at least 1".to_owned();
            return Err(refuse("records-per-buffer", text));
        }
        Ok(())
    }

    /// The settings of the lanes, with what was not chosen as the collector has it.
    pub(crate) fn settings(&self, default: LaneSettings, block_limit: Duration) -> LaneSettings {
        LaneSettings {
            buffers: self.buffers.unwrap_or(default.buffers),
            records_per_buffer: self
                .records_per_buffer
                .unwrap_or(default.records_per_buffer),
            policy: self.policy,
            block_limit,
            ..default
        }
    }
}

impl DumpOptions {
    fn check_sizes(&self) -> Result<()> {
        let arena = self.arena_bytes;
        if arena < 4096 || !arena.is_multiple_of(64) {
            let text =
                format!("an arena of {arena} bytes, expected 4096 or more, a multiple of 64");
            return Err(refuse("dump", text));
        }
        let piece = self.piece_bytes;
        if piece == 0 || !piece.is_multiple_of(64) {
            let text = format!("pieces of {piece} bytes, expected a multiple of 64, 64 or more");
            return Err(refuse("dump", text));
        }
        Ok(())
    }
}

/// The device memory that a run's collectors take.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemoryCost {
    /// Bytes of each collector's lanes and arenas.
    pub collectors: Vec<(Kind, u64)>,
    /// Bytes of the capture region, which holds them; 0 when there is none.
    pub capture_bytes: u64,
}

/// `8388608 bytes (task 8388608)` and the like.
impl fmt::Display for MemoryCost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let collectors: Vec<String> = self
            .collectors
            .iter()
            .map(|(kind, bytes)| format!("{kind} {bytes}"))
            .collect();
        let capture = self.capture_bytes;
        write!(f, "{capture} bytes ({})", collectors.join(", "))
    }
}

fn refuse(option: &'static str, reason: String) -> RuntimeError {
    RuntimeError::Option { option, reason }
}
