//! The file cut into stretches that can be made apart: each knows the number of its first slice or arrow.

use super::Swimlane;
use std::ops::Range;
use std::thread;

/// Some rows or steps of one section.
#[derive(Clone, Debug)]
pub(super) struct Stretch {
    pub(super) section: Section,
    pub(super) part: Range<usize>,
    /// The number of its first slice or arrow, in a section that numbers them.
    pub(super) first: u64,
}

/// The sections, in the order of the file. Parts of those of threads are steps, of all others rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Section {
    Processes,
    AicoreView,
    AicpuView,
    AicoreDependencies,
    /// The steps of one scheduler thread.
    Scheduler(usize),
    /// Its names, and its totals when it has no steps.
    Orchestrator,
    /// The steps of one orchestrator thread.
    OrchestratorSteps(usize),
    AicpuDependencies,
    Dispatches,
    Submissions,
}

/// What a section numbers its events as.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Numbers {
    Slices,
    Arrows,
    Nothing,
}

/// All stretches of a file.
#[derive(Debug, Default)]
pub(super) struct Stretches {
    pub(super) all: Vec<Stretch>,
    /// Numbered slices.
    pub(super) slices: u64,
    /// Arrows.
    pub(super) flows: u64,
}

/// Rows or steps of a stretch: a block or two of text, so that many threads have something to do.
const PART: usize = 4096;

impl Stretches {
    pub(super) fn of(swimlane: &Swimlane<'_>, threads: usize) -> Self {
        let mut stretches = Self::default();
        stretches.cut(swimlane);
        let share = stretches.all.len().div_ceil(threads);
        thread::scope(|scope| {
            for share in stretches.all.chunks_mut(share) {
                scope.spawn(|| {
                    for stretch in share {
                        stretch.first = swimlane.count(stretch);
                    }
                });
            }
        });
        stretches.number();
        stretches
    }

    fn cut(&mut self, swimlane: &Swimlane<'_>) {
        let (document, plan) = (swimlane.document, swimlane.plan);
        let rows = document.tasks.rows.len();
        self.section(Section::Processes, 0);
        self.section(Section::AicoreView, rows);
        if plan.has_aicpu_view {
            self.section(Section::AicpuView, rows);
        }
        self.section(Section::AicoreDependencies, rows);
        for (thread, steps) in document.scheduler.iter().enumerate() {
            self.section(Section::Scheduler(thread), steps.len());
        }
        if !document.orchestrator_phases.is_empty() || document.orchestrator.is_some() {
            self.section(Section::Orchestrator, 0);
        }
        for (thread, steps) in document.orchestrator_phases.iter().enumerate() {
            self.section(Section::OrchestratorSteps(thread), steps.len());
        }
        if plan.has_aicpu_view {
            self.section(Section::AicpuDependencies, rows);
            if !document.scheduler.is_empty() {
                self.section(Section::Dispatches, rows);
            }
        }
        if !document.orchestrator_phases.is_empty() && !document.scheduler.is_empty() {
            self.section(Section::Submissions, rows);
        }
    }

    /// A section has one stretch at least: names stand in front of its first part.
    fn section(&mut self, section: Section, length: usize) {
        for begin in (0..length.max(1)).step_by(PART) {
            self.all.push(Stretch {
                section,
                part: begin..length.min(begin + PART),
                first: 0,
            });
        }
    }

    /// Makes numbers of first events of how many events there are.
    fn number(&mut self) {
        for stretch in &mut self.all {
            let next = match stretch.section.numbers() {
                Numbers::Slices => &mut self.slices,
                Numbers::Arrows => &mut self.flows,
                Numbers::Nothing => continue,
            };
            let count = std::mem::replace(&mut stretch.first, *next);
            *next += count;
        }
    }
}

impl Section {
    fn numbers(self) -> Numbers {
        match self {
            Self::AicoreView | Self::AicpuView => Numbers::Slices,
            Self::AicoreDependencies
            | Self::AicpuDependencies
            | Self::Dispatches
            | Self::Submissions => Numbers::Arrows,
            Self::Processes
            | Self::Scheduler(_)
            | Self::Orchestrator
            | Self::OrchestratorSteps(_) => Numbers::Nothing,
        }
    }
}

impl Swimlane<'_> {
    /// How many numbered events a stretch has.
    fn count(&self, stretch: &Stretch) -> u64 {
        let part = stretch.part.clone();
        let count = match stretch.section {
            Section::AicoreView => part.len(),
            Section::AicpuView => self.spans(part).count(),
            Section::AicoreDependencies => self.aicore_arrows(part).count(),
            Section::AicpuDependencies => self.aicpu_arrows(part).count(),
            Section::Dispatches => 2 * self.dispatched(part).count(),
            Section::Submissions => self.submitted(part).count(),
            Section::Processes
            | Section::Scheduler(_)
            | Section::Orchestrator
            | Section::OrchestratorSteps(_) => 0,
        };
        count as u64
    }
}
