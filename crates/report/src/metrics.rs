//! A report as a list of named numbers: what comparisons and budgets speak of.

use crate::report::{PartsReport, Report, Spread};
use serde::Serialize;
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

/// What a number is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// A time in nanoseconds.
    Ns,
    /// A number of things.
    Count,
    /// A part of a whole, 0..=1.
    Share,
    /// Anything else: bytes per cycle, events per 1000 cycles.
    Rate,
}

/// Which way is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Better {
    /// Less is.
    Less,
    /// More is.
    More,
    /// Neither.
    Neither,
}

/// One number of a report.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Metric {
    /// `makespan`, `function.QK.run.mean` and so on: docs/reports.md lists them.
    pub name: String,
    /// What it is.
    pub unit: Unit,
    /// Which way is good.
    pub better: Better,
    /// Whether it is about the whole run.
    pub is_general: bool,
    /// The number.
    pub value: f64,
}

/// Every number of a report, in the order in which reports tell them.
#[must_use]
pub fn metrics(report: &Report) -> Vec<Metric> {
    let mut list = List::of(report);
    list.run(report);
    list.parts(report);
    list.limits(report);
    list.path(report);
    list.schedulers(report);
    list.is_general = false;
    list.path_functions(report);
    list.functions(report);
    list.phases(report);
    list.pmu(report);
    list.metrics
}

/// Whether a number that a report lacks and others have is 0 there: nothing of the kind was done, though
/// it would have been recorded.
pub(crate) fn is_zero_without(report: &Report, name: &str) -> bool {
    let kinds = [
        ("phase.", !report.schedulers.is_empty()),
        ("path.function.", report.critical_path.is_some()),
    ];
    let mut kinds = kinds.into_iter();
    kinds.any(|(kind, is_recorded)| is_recorded && name.starts_with(kind))
}

struct List {
    metrics: Vec<Metric>,
    is_general: bool,
    /// Functions that share their name with another.
    namesakes: HashSet<u32>,
}

impl List {
    fn of(report: &Report) -> Self {
        let path = report.critical_path.iter();
        let path = path.flat_map(|path| &path.functions);
        let pmu = report.pmu.iter().flat_map(|pmu| &pmu.functions);
        let functions = report.functions.iter();
        let functions = functions.map(|function| (&function.name, function.func_id));
        let functions = functions
            .chain(path.map(|function| (&function.name, function.func_id)))
            .chain(pmu.map(|function| (&function.name, function.func_id)));
        let mut by_name: HashMap<&String, HashSet<u32>> = HashMap::new();
        for (name, func_id) in functions {
            by_name.entry(name).or_default().insert(func_id);
        }
        let shared = by_name.into_values().filter(|ids| ids.len() > 1);
        Self {
            metrics: Vec::new(),
            is_general: true,
            namesakes: shared.flatten().collect(),
        }
    }

    /// What numbers call a function: its name, with its id where another has the same.
    fn function_name<'a>(&self, name: &'a str, func_id: u32) -> Cow<'a, str> {
        match self.namesakes.contains(&func_id) {
            true => Cow::Owned(format!("{name}#{func_id}")),
            false => Cow::Borrowed(name),
        }
    }

    fn add(&mut self, name: impl Into<String>, unit: Unit, better: Better, value: f64) {
        self.metrics.push(Metric {
            name: name.into(),
            unit,
            better,
            is_general: self.is_general,
            value,
        });
    }

    #[expect(clippy::cast_precision_loss, reason = "exact below 2^53 ns, 104 days")]
    fn time(&mut self, name: impl Into<String>, ns: u64) {
        self.add(name, Unit::Ns, Better::Less, ns as f64);
    }

    #[expect(clippy::cast_precision_loss, reason = "exact below 2^53")]
    fn count(&mut self, name: impl Into<String>, better: Better, count: u64) {
        self.add(name, Unit::Count, better, count as f64);
    }

    fn run(&mut self, report: &Report) {
        if let Some(ns) = report.makespan_ns {
            self.time("makespan", ns);
        }
        // Without a swimlane there is none of these, rather than none that ran.
        let is_off = report.session.swimlane_level == Some(0);
        if !is_off {
            self.count("tasks", Better::Neither, report.session.tasks);
        }
        if let Some(verdict) = &report.verdict {
            let lost = [verdict.dropped, verdict.mismatched, verdict.abandoned];
            let lost = lost.into_iter().fold(0, u64::saturating_add);
            self.count("lost", Better::Less, lost);
        }
        for cores in report.core_types.iter().filter(|_| !is_off) {
            let name = format!("utilisation.{}", cores.core_type);
            self.add(name, Unit::Share, Better::More, cores.utilisation);
        }
    }

    fn parts(&mut self, report: &Report) {
        let sum = |pick: fn(&PartsReport) -> u64| {
            let parts = report.core_types.iter().map(|cores| pick(&cores.parts));
            parts.fold(0, u64::saturating_add)
        };
        if report.makespan_ns.is_none() {
            return;
        }
        self.time("cores.run", sum(|parts| parts.run_ns));
        self.time("cores.head-wait", sum(|parts| parts.head_wait_ns));
        self.time("cores.tail-wait", sum(|parts| parts.tail_wait_ns));
        self.time("cores.starved", sum(|parts| parts.starved_ns));
        self.time("cores.blocked", sum(|parts| parts.blocked_ns));
        self.time("cores.unknown", sum(|parts| parts.unknown_ns));
    }

    fn limits(&mut self, report: &Report) {
        if let Some(limits) = &report.limits {
            self.time("limit.dependencies", limits.dependencies_ns);
            self.time("limit.cores", limits.cores_ns);
            self.time("limit.scheduler", limits.scheduler_ns);
        }
    }

    fn path(&mut self, report: &Report) {
        if let Some(path) = &report.critical_path {
            self.count("path.tasks", Better::Neither, path.steps.len() as u64);
            self.time("path.floor", path.floor_ns);
            self.time("path.run", path.run_ns);
            self.time("path.wait", path.wait_ns);
            self.time("path.wait.notice", path.notice_ns);
            self.time("path.wait.queue", path.queue_ns);
            self.time("path.wait.head", path.head_ns);
            self.time("path.wait.unknown", path.unknown_ns);
            self.time("path.tail", path.tail_ns);
        }
    }

    /// Means over all threads.
    fn schedulers(&mut self, report: &Report) {
        let mean = |values: Vec<f64>| {
            #[expect(clippy::cast_precision_loss, reason = "threads are few")]
            let count = values.len() as f64;
            (count > 0.0).then(|| values.iter().sum::<f64>() / count)
        };
        let threads = report.schedulers.iter();
        let loops = threads.clone().filter_map(|thread| thread.loop_ns);
        if let Some(ns) = mean(loops.collect()) {
            self.add("scheduler.loop", Unit::Ns, Better::Less, ns);
        }
        let work = threads.filter_map(|thread| thread.per_task_ns);
        if let Some(ns) = mean(work.collect()) {
            self.add("scheduler.work-per-task", Unit::Ns, Better::Less, ns);
        }
    }

    fn path_functions(&mut self, report: &Report) {
        let path = report.critical_path.iter();
        for function in path.flat_map(|path| &path.functions) {
            let function_name = self.function_name(&function.name, function.func_id);
            let name = |what: &str| format!("path.function.{function_name}.{what}");
            self.count(name("steps"), Better::Neither, function.steps);
            self.time(name("run"), function.run_ns);
            self.time(name("wait"), function.wait_ns);
        }
    }

    fn functions(&mut self, report: &Report) {
        for function in &report.functions {
            let function_name = self.function_name(&function.name, function.func_id);
            let name = |what: &str| format!("function.{function_name}.{what}");
            self.count(name("count"), Better::Neither, function.count);
            self.spread(&name("run"), &function.run);
            self.spread(&name("head-wait"), &function.head_wait);
            self.spread(&name("tail-wait"), &function.tail_wait);
            self.count(name("stragglers"), Better::Less, function.stragglers.count);
        }
    }

    fn spread(&mut self, name: &str, spread: &Spread) {
        if let Some(ns) = spread.mean_ns {
            self.add(format!("{name}.mean"), Unit::Ns, Better::Less, ns);
        }
        let quantiles = [
            ("p50", spread.p50_ns),
            ("p99", spread.p99_ns),
            ("max", spread.max_ns),
        ];
        for (what, ns) in quantiles {
            if let Some(ns) = ns {
                self.time(format!("{name}.{what}"), ns);
            }
        }
        if spread.known > 0 {
            self.time(format!("{name}.sum"), spread.sum_ns);
        }
    }

    /// Sums over all threads.
    fn phases(&mut self, report: &Report) {
        let mut sums: Vec<(&str, u64)> = Vec::new();
        for phase in report.schedulers.iter().flat_map(|thread| &thread.phases) {
            match sums.iter_mut().find(|(name, _)| *name == phase.name) {
                Some((_, sum)) => *sum = sum.saturating_add(phase.own_ns),
                None => sums.push((phase.name, phase.own_ns)),
            }
        }
        for (name, ns) in sums {
            self.time(format!("phase.{name}"), ns);
        }
    }

    fn pmu(&mut self, report: &Report) {
        let functions = report.pmu.iter().flat_map(|pmu| &pmu.functions);
        for function in functions.filter(|function| function.rows > 0) {
            #[expect(clippy::cast_precision_loss, reason = "a mean has no exact form")]
            let cycles = function.cycles as f64 / function.rows as f64;
            let function_name = self.function_name(&function.name, function.func_id);
            let name = format!("pmu.{function_name}.cycles-per-task");
            self.add(name, Unit::Rate, Better::Less, cycles);
            for counter in &function.counters {
                let name = format!("pmu.{function_name}.{}", counter.column);
                let unit = match counter.unit {
                    "utilisation" => Unit::Share,
                    _ => Unit::Rate,
                };
                self.add(name, unit, Better::Neither, counter.rate);
            }
        }
    }
}
