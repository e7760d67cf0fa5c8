//! What collecting may cost.

use super::Row;
use anyhow::{Result, bail};

/// The most that one row, or every row, may cost.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Budget {
    row: Option<String>,
    most: Most,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Most {
    /// AICPU time a task.
    Nanoseconds(f64),
    /// Part of the makespan.
    Percent(f64),
}

impl Budget {
    /// `800ns`, `5%`, `swimlane-2=800ns`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let (row, amount) = match text.split_once('=') {
            Some((row, amount)) => (Some(row.to_owned()), amount),
            None => (None, text),
        };
        let number = |digits: &str| -> Result<f64, String> {
            match digits.trim().parse() {
                Ok(number) if (0.0..f64::INFINITY).contains(&number) => Ok(number),
                _ => Err(format!("{amount}, expected an amount such as 800ns or 5%")),
            }
        };
        let most = match (amount.strip_suffix("ns"), amount.strip_suffix('%')) {
            (Some(digits), _) => Most::Nanoseconds(number(digits)?),
            (_, Some(digits)) => Most::Percent(number(digits)?),
            _ => return Err(format!("{amount}, expected an amount such as 800ns or 5%")),
        };
        Ok(Self { row, most })
    }

    /// Refuses the name of a row that there is not; the first is what the others are compared with.
    pub(super) fn check(&self, rows: impl Iterator<Item = &'static str>) -> Result<()> {
        let names: Vec<&str> = rows.skip(1).collect();
        match &self.row {
            Some(row) if !names.contains(&row.as_str()) => {
                bail!(
                    "--budget: no row is called {row}, there are {}",
                    names.join(", ")
                )
            }
            _ => Ok(()),
        }
    }

    /// A text for each row that costs more.
    pub(super) fn exceeded(&self, rows: &[Row]) -> Vec<String> {
        let Some((off, others)) = rows.split_first() else {
            return Vec::new();
        };
        let is_meant = |row: &&Row| match &self.row {
            Some(name) => name == row.name,
            // Without a name it is about what collects something.
            None => row.recorded_bytes > 0,
        };
        let told = |row: &Row| match self.most {
            Most::Nanoseconds(most) => {
                let cost = row.cost_ns(off);
                let name = row.name;
                (cost > most)
                    .then(|| format!("{name} costs {cost:.1} ns a task, the budget is {most} ns"))
            }
            Most::Percent(most) => {
                let cost = row.share_percent(off);
                let name = row.name;
                (cost > most).then(|| {
                    format!("{name} costs {cost:.2} % of the makespan, the budget is {most} %")
                })
            }
        };
        others.iter().filter(is_meant).filter_map(told).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn row(name: &'static str, device_ns: f64, recorded_bytes: u64) -> Row {
        Row {
            name,
            outcome: "exact",
            tasks: 100,
            threads: 4,
            device_ns,
            wall: Duration::ZERO,
            cpu: Duration::ZERO,
            recorded_bytes,
            copied_bytes: 0,
        }
    }

    #[test]
    fn a_budget_names_the_rows_that_cost_more() {
        let rows = [
            row("off", 10_000.0, 0),
            row("issue-depth-1", 90_000.0, 0),
            row("swimlane-1", 10_500.0, 9),
            row("swimlane-2", 12_000.0, 9),
        ];
        let exceeded = |text| Budget::parse(text).expect("parses").exceeded(&rows);
        assert_eq!(
            exceeded("21ns"),
            ["swimlane-2 costs 80.0 ns a task, the budget is 21 ns"]
        );
        assert_eq!(exceeded("20%").len(), 0);
        assert_eq!(exceeded("19.9%").len(), 1);
        assert_eq!(exceeded("swimlane-1=1%").len(), 1);
        assert_eq!(exceeded("issue-depth-1=1%").len(), 1);
        let names = || rows.iter().map(|row| row.name);
        let unknown = Budget::parse("tea=1%").expect("parses");
        assert!(unknown.check(names()).is_err());
        let off = Budget::parse("off=1%").expect("parses");
        assert!(off.check(names()).is_err());
        for wrong in ["", "5", "ns", "-1ns", "x%", "inf%", "NaNns"] {
            assert!(Budget::parse(wrong).is_err(), "{wrong}");
        }
    }
}
