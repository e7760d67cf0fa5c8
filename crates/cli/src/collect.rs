//! What a run collects: options of the command line as collectors.

use crate::arguments::PolicyName;
use anyhow::{Result, bail};
use clap::Args;
use lanescope::{
    ChipInfo, Collectors, DumpOptions, DumpSelection, LaneOptions, PmuEvent, PmuOptions, Policy,
    RuntimeError, SwimlaneOptions, pmu_event,
};

/// What is collected, and what it may cost.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct CollectorArguments {
    /// Record the swimlane: level 1 core times, 2 dispatch and finish too, 3 scheduler phases too, 4
    /// orchestrator phases too; without a level, everything
    #[arg(long, global = true, value_name = "LEVEL", num_args = 0..=1, require_equals = true,
          default_missing_value = "4", value_parser = level)]
    pub(crate) swimlane: Option<u32>,
    /// Count with the hardware counters, by name or number of the event type; `all` runs the graph
    /// once for each [default event type: pipe-utilization]
    #[arg(long, global = true, value_name = "EVENT", num_args = 0..=1, require_equals = true,
          default_missing_value = "2")]
    pub(crate) pmu: Option<String>,
    /// Dump tensors: all, or those that task=ID, function=NAME, arg=N, stage=before and stage=after
    /// name, separated by commas
    #[arg(long, global = true, value_name = "SELECTION", num_args = 0..=1, require_equals = true,
          default_missing_value = "", value_parser = selection)]
    pub(crate) dump: Option<DumpSelection>,
    /// What happens to a record when no buffer is free: block, drop-newest, or for tensors truncate;
    /// with swimlane=, pmu= or dump= in front only to that collector's
    #[arg(long, global = true, value_name = "[COLLECTOR=]POLICY", value_parser = policy)]
    pub(crate) policy: Vec<ForCollector<PolicyName>>,
    /// Buffers of each lane, a power of two
    #[arg(long, global = true, value_name = "[COLLECTOR=]N", value_parser = count)]
    pub(crate) buffers: Vec<ForCollector<u32>>,
    /// Records a buffer holds
    #[arg(long, global = true, value_name = "[COLLECTOR=]N", value_parser = count)]
    pub(crate) records_per_buffer: Vec<ForCollector<u32>>,
    /// Room of each AICPU thread for the bytes of tensors; K, M and G are powers of 1024
    #[arg(long, global = true, value_name = "BYTES", value_parser = bytes)]
    pub(crate) arena: Option<u64>,
    /// Most bytes of a tensor that are copied before cores are looked at again
    #[arg(long, global = true, value_name = "BYTES", value_parser = bytes)]
    pub(crate) piece: Option<u64>,
    /// Refuse a run whose collectors take more device memory
    #[arg(long, global = true, value_name = "BYTES", value_parser = bytes)]
    pub(crate) memory_budget: Option<u64>,
}

/// A collector, as options name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CollectorName {
    Swimlane,
    Pmu,
    Dump,
}

impl CollectorName {
    const ALL: [(&'static str, Self); 3] = [
        ("swimlane", Self::Swimlane),
        ("pmu", Self::Pmu),
        ("dump", Self::Dump),
    ];

    fn name(self) -> &'static str {
        let mut names = Self::ALL.into_iter();
        let named = names.find(|(_, collector)| *collector == self);
        named.map_or("", |(name, _)| name)
    }
}

/// A setting of one collector, or of all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ForCollector<T> {
    collector: Option<CollectorName>,
    value: T,
}

/// What one or more runs collect: the event types of all but the last run, and the last run's.
#[derive(Clone, Debug)]
pub(crate) struct Collected {
    pub(crate) collectors: Collectors,
    /// With `--pmu=all` the event types of the runs before the last.
    pub(crate) earlier_events: Vec<&'static PmuEvent>,
}

impl CollectorArguments {
    /// The collectors, checked against what the chip can count.
    pub(crate) fn collected(&self, chip: &'static ChipInfo) -> Result<Collected> {
        self.refuse_settings_without_collector()?;
        let (pmu, earlier_events) = self.pmu(chip)?;
        let swimlane = SwimlaneOptions {
            level: self.swimlane.unwrap_or(0),
            lanes: self.lanes(CollectorName::Swimlane),
        };
        let collectors = Collectors {
            swimlane,
            pmu,
            dump: self.dump()?,
            own: Vec::new(),
            memory_budget_bytes: self.memory_budget,
        };
        Ok(Collected {
            collectors,
            earlier_events,
        })
    }

    fn pmu(&self, chip: &'static ChipInfo) -> Result<(Option<PmuOptions>, Vec<&'static PmuEvent>)> {
        let Some(text) = &self.pmu else {
            return Ok((None, Vec::new()));
        };
        let options = |event: &PmuEvent| PmuOptions {
            event: event.number,
            lanes: self.lanes(CollectorName::Pmu),
        };
        if text != "all" {
            let event = pmu_event(chip, text)?;
            return Ok((Some(options(event)), Vec::new()));
        }
        // The last run is the one that is reported: the event type that says most.
        let (last, earlier): (Vec<_>, Vec<_>) = chip
            .pmu_events
            .iter()
            .partition(|event| event.number == PmuEvent::DEFAULT);
        let last: Option<&&PmuEvent> = last.first();
        Ok((last.map(|event| options(event)), earlier))
    }

    fn dump(&self) -> Result<Option<DumpOptions>> {
        let Some(selection) = &self.dump else {
            return Ok(None);
        };
        let default = DumpOptions::default();
        let piece_bytes = match self.piece.map(u32::try_from) {
            None => default.piece_bytes,
            Some(Ok(bytes)) => bytes,
            Some(Err(_)) => bail!("--piece: more than 32 bits"),
        };
        Ok(Some(DumpOptions {
            selection: selection.clone(),
            arena_bytes: self.arena.unwrap_or(default.arena_bytes),
            piece_bytes,
            lanes: self.lanes(CollectorName::Dump),
        }))
    }

    fn lanes(&self, collector: CollectorName) -> LaneOptions {
        let policies = self.policy.iter().filter(|policy| {
            // Only tensors can be truncated.
            let is_general = policy.collector.is_none() && policy.value == PolicyName::Truncate;
            !is_general || collector == CollectorName::Dump
        });
        LaneOptions {
            policy: last_for(policies, collector).map_or(Policy::default(), Into::into),
            buffers: last_for(self.buffers.iter(), collector),
            records_per_buffer: last_for(self.records_per_buffer.iter(), collector),
        }
    }

    /// A setting is a mistake when the collector that it is for is off, or all are.
    fn refuse_settings_without_collector(&self) -> Result<()> {
        // Only tensors can be truncated.
        let policies = self.policy.iter().map(|policy| match policy.value {
            PolicyName::Truncate => Some(CollectorName::Dump),
            _ => policy.collector,
        });
        let buffers = self.buffers.iter().map(|count| count.collector);
        let records = self.records_per_buffer.iter().map(|count| count.collector);
        let named = policies
            .map(|collector| ("--policy", collector))
            .chain(buffers.map(|collector| ("--buffers", collector)))
            .chain(records.map(|collector| ("--records-per-buffer", collector)));
        let for_dump = [
            ("--arena", self.arena.is_some()),
            ("--piece", self.piece.is_some()),
        ];
        let for_dump = for_dump.into_iter().filter(|(_, is_set)| *is_set);
        let named = named.chain(for_dump.map(|(option, _)| (option, Some(CollectorName::Dump))));
        for (option, collector) in named {
            match collector {
                None if CollectorName::ALL.iter().all(|(_, one)| !self.is_on(*one)) => {
                    bail!(
                        "{option}: nothing is collected; ask for it with --swimlane, --pmu or --dump"
                    )
                }
                Some(collector) if !self.is_on(collector) => {
                    let name = collector.name();
                    bail!("{option}: {name} is not collected; ask for it with --{name}");
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn is_on(&self, collector: CollectorName) -> bool {
        match collector {
            CollectorName::Swimlane => self.swimlane.is_some_and(|level| level > 0),
            CollectorName::Pmu => self.pmu.is_some(),
            CollectorName::Dump => self.dump.is_some(),
        }
    }
}

/// The last value for a collector: one that names it goes before one that names none.
fn last_for<'a, T: Copy + 'a>(
    values: impl Iterator<Item = &'a ForCollector<T>> + Clone,
    collector: CollectorName,
) -> Option<T> {
    let last = |name: Option<CollectorName>| {
        let named = values.clone().filter(|value| value.collector == name);
        named.last().map(|value| value.value)
    };
    last(Some(collector)).or_else(|| last(None))
}

fn level(text: &str) -> Result<u32, String> {
    match text.parse() {
        Ok(level @ 0..=4) => Ok(level),
        _ => Err(format!(
            "{text} is not in 0..=4: 0 off, 1 core times, 2 and dispatch and finish, 3 and \
             scheduler phases, 4 and orchestrator phases"
        )),
    }
}

/// As [`DumpSelection`] reads it.
pub(crate) fn selection(text: &str) -> Result<DumpSelection, String> {
    text.parse().map_err(|error| match error {
        RuntimeError::Option { reason, .. } => reason,
        other => other.to_string(),
    })
}

fn for_collector<T>(
    text: &str,
    parse: impl FnOnce(&str) -> Result<T, String>,
) -> Result<ForCollector<T>, String> {
    let Some((name, value)) = text.split_once('=') else {
        let value = parse(text)?;
        let collector = None;
        return Ok(ForCollector { collector, value });
    };
    let mut names = CollectorName::ALL.into_iter();
    let named = names.find(|(known, _)| *known == name);
    let (_, collector) =
        named.ok_or_else(|| format!("no collector is called {name}: swimlane, pmu, dump"))?;
    Ok(ForCollector {
        collector: Some(collector),
        value: parse(value)?,
    })
}

fn policy(text: &str) -> Result<ForCollector<PolicyName>, String> {
    for_collector(text, |name| match name {
        "block" => Ok(PolicyName::Block),
        "drop-newest" => Ok(PolicyName::DropNewest),
        "truncate" => Ok(PolicyName::Truncate),
        _ => Err(format!(
            "no policy is called {name}, expected block, drop-newest or (for dump) truncate"
        )),
    })
}

fn count(text: &str) -> Result<ForCollector<u32>, String> {
    for_collector(text, |number| {
        number
            .parse()
            .map_err(|_| format!("{number} is no number of 32 bits"))
    })
}

/// `65536`, `64K`, `16M`, `2G`.
pub(crate) fn bytes(text: &str) -> Result<u64, String> {
    let units = [("K", 10), ("M", 20), ("G", 30)];
    let unit = units
        .into_iter()
        .find_map(|(unit, shift)| Some((text.strip_suffix(unit)?, shift)));
    let (digits, shift) = unit.unwrap_or((text, 0));
    let number: u64 = digits
        .parse()
        .map_err(|_| format!("{text}, expected bytes such as 65536, 64K or 16M"))?;
    number
        .checked_mul(1 << shift)
        .ok_or_else(|| format!("{text} does not fit 64 bits"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use lanescope::Chip;

    fn settings(collector: Option<CollectorName>, value: u32) -> ForCollector<u32> {
        ForCollector { collector, value }
    }

    #[test]
    fn a_setting_that_names_its_collector_goes_first() {
        let arguments = CollectorArguments {
            swimlane: Some(2),
            pmu: Some("memory".to_owned()),
            buffers: vec![
                settings(Some(CollectorName::Pmu), 8),
                settings(None, 16),
                settings(None, 4),
            ],
            policy: vec![policy("drop-newest").expect("known")],
            ..CollectorArguments::default()
        };
        let collected = arguments.collected(Chip::A5.info()).expect("possible");
        let pmu = collected.collectors.pmu.expect("on");
        assert_eq!((pmu.event, pmu.lanes.buffers), (4, Some(8)));
        let swimlane = collected.collectors.swimlane;
        assert_eq!((swimlane.level, swimlane.lanes.buffers), (2, Some(4)));
        assert_eq!(swimlane.lanes.policy, Policy::DropNewest);
    }

    #[test]
    fn all_event_types_end_with_the_one_that_is_reported() {
        let arguments = CollectorArguments {
            pmu: Some("all".to_owned()),
            ..CollectorArguments::default()
        };
        let collected = arguments.collected(Chip::A2a3.info()).expect("possible");
        let earlier = collected.earlier_events.iter().map(|event| event.number);
        assert_eq!(earlier.collect::<Vec<_>>(), [1, 4, 5, 6, 7, 8]);
        assert_eq!(collected.collectors.pmu.map(|pmu| pmu.event), Some(2));
    }

    #[test]
    fn what_is_unknown_is_refused_with_what_is_known() {
        let arguments = CollectorArguments {
            pmu: Some("cache".to_owned()),
            ..CollectorArguments::default()
        };
        let told = arguments.collected(Chip::A2a3.info()).expect_err("refused");
        let told = told.to_string();
        assert!(
            told.contains("l2-cache (8)") && told.contains("arithmetic (1)"),
            "{told}"
        );
        let arguments = CollectorArguments {
            buffers: vec![count("dump=4").expect("parses")],
            ..CollectorArguments::default()
        };
        let told = arguments.collected(Chip::A2a3.info()).expect_err("refused");
        assert!(told.to_string().contains("dump is not collected"), "{told}");
        for (arguments, expected) in [
            (
                CollectorArguments {
                    swimlane: Some(1),
                    policy: vec![policy("truncate").expect("known")],
                    ..CollectorArguments::default()
                },
                "--policy: dump is not collected",
            ),
            (
                CollectorArguments {
                    pmu: Some("memory".to_owned()),
                    arena: Some(4096),
                    ..CollectorArguments::default()
                },
                "--arena: dump is not collected",
            ),
            (
                CollectorArguments {
                    swimlane: Some(0),
                    buffers: vec![count("4").expect("parses")],
                    ..CollectorArguments::default()
                },
                "--buffers: nothing is collected",
            ),
        ] {
            let told = arguments.collected(Chip::A2a3.info()).expect_err("refused");
            assert!(told.to_string().starts_with(expected), "{told}");
        }
        assert!(policy("tensor=block").is_err());
        assert!(
            level("5")
                .expect_err("refused")
                .contains("scheduler phases")
        );
    }

    #[test]
    fn truncate_for_all_is_for_tensors() {
        let arguments = CollectorArguments {
            swimlane: Some(1),
            dump: Some(DumpSelection::default()),
            policy: vec![
                policy("block").expect("known"),
                policy("truncate").expect("known"),
            ],
            ..CollectorArguments::default()
        };
        let collected = arguments.collected(Chip::A2a3.info()).expect("possible");
        let collectors = collected.collectors;
        assert_eq!(collectors.swimlane.lanes.policy, Policy::Block);
        assert_eq!(collectors.dump.expect("on").lanes.policy, Policy::Truncate);
    }

    #[test]
    fn selections_and_sizes_are_read() {
        assert_eq!(selection("task=3").expect("reads").task_ids, [3]);
        let told = selection("task=x").expect_err("refused");
        assert_eq!(told, "task=x is no task id");
        assert_eq!(bytes("16M"), Ok(16 << 20));
        assert_eq!(bytes("96"), Ok(96));
        for wrong in ["", "M", "16m", "99999999999G"] {
            assert!(bytes(wrong).is_err(), "{wrong}");
        }
    }
}
