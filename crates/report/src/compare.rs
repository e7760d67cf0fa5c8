//! Two sets of runs against each other: medians, noise, and what changed.

mod budget;
mod render;

use crate::doubts;
use crate::metrics::{Better, Metric, Unit, is_zero_without, metrics};
use crate::report::Report;
use serde::Serialize;
use std::collections::HashMap;

pub use budget::{Budget, BudgetError, BudgetResult};

/// The runs before and after a change, number by number.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// The version of the JSON form, as in a report.
    pub schema: u32,
    /// The names of the runs before.
    pub before: Vec<String>,
    /// The names of the runs after.
    pub after: Vec<String>,
    /// Why numbers may not be those of all that ran: the name of a run, and what its report says of it.
    pub doubts: Vec<String>,
    /// Every number that a run has, those of the whole run first.
    pub metrics: Vec<Change>,
    /// The budgets, each with every number it speaks of.
    pub budgets: Vec<BudgetResult>,
}

/// One number before and after.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Change {
    /// The number's name.
    pub name: String,
    /// What it is.
    pub unit: Unit,
    /// Which way is good.
    pub better: Better,
    /// Whether it is about the whole run.
    pub is_general: bool,
    /// Over the runs before; `None` when none of them has it.
    pub before: Option<Sample>,
    /// Over the runs after.
    pub after: Option<Sample>,
    /// Median after less median before.
    pub change: Option<f64>,
    /// That over the median before; `None` when that is 0.
    pub ratio: Option<f64>,
    /// The wider of the two sides' ranges; `None` when no side has several runs.
    pub noise: Option<f64>,
    /// What to make of it.
    pub verdict: ChangeVerdict,
}

/// One number over the runs of a side.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Sample {
    /// The middle one; of an even number the mean of the two in the middle.
    pub median: f64,
    /// The least.
    pub least: f64,
    /// The most.
    pub most: f64,
    /// How many runs have it.
    pub runs: usize,
}

/// What to make of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ChangeVerdict {
    /// The medians are equal.
    Same,
    /// The medians are no further apart than runs of one side are.
    Noise,
    /// It moved to the good side.
    Better,
    /// It moved to the bad side.
    Worse,
    /// It moved, and neither side is good.
    Changed,
    /// Only one side has it.
    Alone,
}

impl Comparison {
    /// Compares runs, each with its name. Both sides have at least one.
    #[must_use]
    pub fn of(before: &[(String, Report)], after: &[(String, Report)]) -> Self {
        let names = |side: &[(String, Report)]| side.iter().map(|(name, _)| name.clone()).collect();
        let doubts = before.iter().chain(after).flat_map(|(name, report)| {
            let doubts = doubts::of_run(report).into_iter();
            doubts.map(move |doubt| format!("{name}: {doubt}"))
        });
        let mut columns = Columns::default();
        let runs = || {
            let sides = [before, after].into_iter().enumerate();
            sides.flat_map(|(side, runs)| runs.iter().map(move |(_, report)| (side, report)))
        };
        for (run, (side, report)) in runs().enumerate() {
            columns.add(run, side, metrics(report));
        }
        for (run, (side, report)) in runs().enumerate() {
            columns.add_zeros(run, side, report);
        }
        let mut changes: Vec<Change> = columns.rows.into_iter().map(Row::change).collect();
        changes.sort_by_key(|change| !change.is_general);
        Self {
            schema: crate::SCHEMA,
            before: names(before),
            after: names(after),
            doubts: doubts.collect(),
            metrics: changes,
            budgets: Vec::new(),
        }
    }

    /// Checks budgets and keeps what came of it.
    ///
    /// # Errors
    ///
    /// [`BudgetError`] when a budget speaks of a number that no run has, or of it in a wrong unit.
    pub fn check(&mut self, budgets: &[Budget]) -> Result<(), BudgetError> {
        for budget in budgets {
            let results = budget.check(&self.metrics)?;
            self.budgets.extend(results);
        }
        Ok(())
    }

    /// Whether a budget is exceeded.
    #[must_use]
    pub fn is_over_budget(&self) -> bool {
        self.budgets.iter().any(|budget| budget.is_exceeded)
    }

    /// For a terminal; numbers below the whole run only where they changed, or with `all`.
    #[must_use]
    pub fn text(&self, all: bool) -> String {
        render::text(self, all)
    }

    /// For a pull request.
    #[must_use]
    pub fn markdown(&self, all: bool) -> String {
        render::markdown(self, all)
    }

    /// One page that needs no network and no script.
    #[must_use]
    pub fn html(&self, all: bool) -> String {
        render::html(self, all)
    }

    /// For programs.
    ///
    /// # Panics
    ///
    /// Never: a comparison holds numbers, names and lists.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self)
            .expect("numbers, names and lists always have a JSON form");
        text.push('\n');
        text
    }
}

/// Every number of every run, by name.
#[derive(Default)]
struct Columns {
    rows: Vec<Row>,
    places: HashMap<String, usize>,
}

struct Row {
    /// As the first run that has it says.
    metric: Metric,
    values: [Vec<f64>; 2],
    /// The runs that have it.
    runs: Vec<usize>,
}

impl Columns {
    /// Takes the numbers of a run; of each name one.
    fn add(&mut self, run: usize, side: usize, metrics: Vec<Metric>) {
        for metric in metrics {
            let place = match self.places.get(&metric.name) {
                Some(&place) => place,
                None => {
                    self.places.insert(metric.name.clone(), self.rows.len());
                    self.rows.push(Row {
                        metric: metric.clone(),
                        values: [Vec::new(), Vec::new()],
                        runs: Vec::new(),
                    });
                    self.rows.len() - 1
                }
            };
            self.rows[place].add(run, side, metric.value);
        }
    }

    /// Takes the numbers that are 0 in a run and that only others name.
    fn add_zeros(&mut self, run: usize, side: usize, report: &Report) {
        for row in &mut self.rows {
            if is_zero_without(report, &row.metric.name) {
                row.add(run, side, 0.0);
            }
        }
    }
}

impl Row {
    /// Takes the number of a run that has none yet.
    fn add(&mut self, run: usize, side: usize, value: f64) {
        if !self.runs.contains(&run) {
            self.runs.push(run);
            self.values[side].push(value);
        }
    }

    fn change(self) -> Change {
        let [before, after] = self.values.map(Sample::of);
        let both = before.as_ref().zip(after.as_ref());
        let change = both.map(|(before, after)| after.median - before.median);
        let ratio = both.and_then(|(before, _)| {
            let whole = before.median;
            (whole != 0.0).then(|| change.unwrap_or(0.0) / whole)
        });
        let noise = both.and_then(|(before, after)| {
            let several = before.runs > 1 || after.runs > 1;
            several.then(|| before.range().max(after.range()))
        });
        Change {
            verdict: verdict(self.metric.better, change, noise),
            name: self.metric.name,
            unit: self.metric.unit,
            better: self.metric.better,
            is_general: self.metric.is_general,
            before,
            after,
            change,
            ratio,
            noise,
        }
    }
}

fn verdict(better: Better, change: Option<f64>, noise: Option<f64>) -> ChangeVerdict {
    let Some(change) = change else {
        return ChangeVerdict::Alone;
    };
    if change == 0.0 {
        return ChangeVerdict::Same;
    }
    if noise.is_some_and(|noise| change.abs() <= noise) {
        return ChangeVerdict::Noise;
    }
    match (better, change > 0.0) {
        (Better::Neither, _) => ChangeVerdict::Changed,
        (Better::Less, false) | (Better::More, true) => ChangeVerdict::Better,
        (Better::Less, true) | (Better::More, false) => ChangeVerdict::Worse,
    }
}

impl Sample {
    fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        let (&least, &most) = (values.first()?, values.last()?);
        let middle = values.len() / 2;
        let median = match values.len().is_multiple_of(2) {
            true => f64::midpoint(values[middle - 1], values[middle]),
            false => values[middle],
        };
        Some(Self {
            median,
            least,
            most,
            runs: values.len(),
        })
    }

    fn range(&self) -> f64 {
        self.most - self.least
    }
}
