//! What a number may be after a change: `makespan<=+2%`.
//!
//! ```text
//! budget = metric ("<=" | ">=") limit
//! limit  = ["+" | "-"] number [unit]
//! unit   = "%" | "ns" | "us" | "µs" | "ms" | "s"
//! ```
//!
//! A limit with a sign is a change: of the number before, in parts of it (`%`) or by an amount. One
//! without a sign is what the number itself may be. `*` in a metric stands for any text: the budget then
//! holds for every number of such a name.

use super::Change;
use crate::metrics::Unit;
use serde::Serialize;
use std::fmt;

/// What one number, or several, may be after a change.
#[derive(Clone, Debug, PartialEq)]
pub struct Budget {
    text: String,
    metric: String,
    is_most: bool,
    limit: Limit,
}

/// How a budget limits a number.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Limit {
    /// So much more or less than before, in parts of it.
    Part(f64),
    /// So much more or less than before.
    Change(f64, Amount),
    /// So much.
    Value(f64, Amount),
}

/// What a number in a budget is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Amount {
    Time,
    Percent,
    Plain,
}

/// A budget that means nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BudgetError {
    /// It is not written as a budget is.
    Syntax {
        /// The budget.
        budget: String,
        /// Where, from 1, in characters.
        column: usize,
        /// What was expected there.
        expected: &'static str,
    },
    /// No run has such a number.
    UnknownMetric {
        /// The budget.
        budget: String,
        /// What it speaks of.
        metric: String,
        /// The names that there are.
        known: Vec<String>,
    },
    /// The number is not in such a unit.
    WrongUnit {
        /// The budget.
        budget: String,
        /// The number's name.
        metric: String,
        /// What its limit must look like.
        expected: &'static str,
    },
}

impl fmt::Display for BudgetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Syntax {
                budget,
                column,
                expected,
            } => {
                let pointer = " ".repeat(column - 1);
                write!(
                    f,
                    "budget, column {column}: expected {expected}\n  {budget}\n  {pointer}^"
                )
            }
            Self::UnknownMetric {
                budget,
                metric,
                known,
            } => {
                let known = known.join("\n  ");
                write!(
                    f,
                    "budget {budget}: no number is called {metric}, there are\n  {known}"
                )
            }
            Self::WrongUnit {
                budget,
                metric,
                expected,
            } => write!(f, "budget {budget}: {metric} takes {expected}"),
        }
    }
}

impl std::error::Error for BudgetError {}

/// What came of a budget for one number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BudgetResult {
    /// The budget as it was given.
    pub budget: String,
    /// The number.
    pub metric: String,
    /// Whether the number is beyond it, or cannot be told.
    pub is_exceeded: bool,
    /// What the number is and what it may be.
    pub text: String,
}

impl Budget {
    /// Reads a budget.
    ///
    /// # Errors
    ///
    /// [`BudgetError::Syntax`].
    pub fn parse(text: &str) -> Result<Self, BudgetError> {
        let wrong = |byte: usize, expected| BudgetError::Syntax {
            budget: text.to_owned(),
            column: text[..byte].chars().count() + 1,
            expected,
        };
        // From behind: names of functions may hold either sign.
        let operator = text.rfind("<=").max(text.rfind(">="));
        let Some(operator) = operator else {
            return Err(wrong(text.len(), "<= or >= behind the metric"));
        };
        let metric = text[..operator].trim();
        if metric.is_empty() {
            return Err(wrong(0, "the name of a metric"));
        }
        let rest = &text[operator + 2..];
        let start = operator + 2 + (rest.len() - rest.trim_start().len());
        let limit = text[start..].trim_end();
        let digits = limit.trim_start_matches(['+', '-']);
        let signs = limit.len() - digits.len();
        if signs > 1 {
            return Err(wrong(start + 1, "a number"));
        }
        let end = digits.find(|digit: char| !digit.is_ascii_digit() && digit != '.');
        let (number, unit) = digits.split_at(end.unwrap_or(digits.len()));
        let number_at = start + signs;
        let Ok(number) = number.parse::<f64>() else {
            return Err(wrong(number_at, "a number"));
        };
        let unit_at = number_at + (digits.len() - unit.len());
        let (number, amount) = match unit.trim() {
            "" => (number, Amount::Plain),
            "%" => (number / 100.0, Amount::Percent),
            "ns" => (number, Amount::Time),
            "us" | "µs" | "μs" => (number * 1e3, Amount::Time),
            "ms" => (number * 1e6, Amount::Time),
            "s" => (number * 1e9, Amount::Time),
            _ => return Err(wrong(unit_at, "%, ns, us, ms, s or nothing")),
        };
        let sign = if limit.starts_with('-') { -1.0 } else { 1.0 };
        let value = sign * number;
        Ok(Self {
            text: text.to_owned(),
            metric: metric.to_owned(),
            is_most: text[operator..].starts_with('<'),
            limit: match (signs, amount) {
                (1, Amount::Percent) => Limit::Part(value),
                (1, amount) => Limit::Change(value, amount),
                (_, amount) => Limit::Value(value, amount),
            },
        })
    }

    /// What comes of it for each number it speaks of.
    pub(super) fn check(&self, changes: &[Change]) -> Result<Vec<BudgetResult>, BudgetError> {
        let meant = |change: &&Change| is_like(&self.metric, &change.name);
        let meant: Vec<&Change> = changes.iter().filter(meant).collect();
        if meant.is_empty() {
            return Err(BudgetError::UnknownMetric {
                budget: self.text.clone(),
                metric: self.metric.clone(),
                known: changes.iter().map(|change| change.name.clone()).collect(),
            });
        }
        meant
            .into_iter()
            .map(|change| self.result(change))
            .collect()
    }

    fn result(&self, change: &Change) -> Result<BudgetResult, BudgetError> {
        self.check_unit(change)?;
        let told = |is_exceeded, text| BudgetResult {
            budget: self.text.clone(),
            metric: change.name.clone(),
            is_exceeded,
            text,
        };
        let Some(after) = &change.after else {
            return Ok(told(true, "in no run after".to_owned()));
        };
        let limit = match (self.limit, &change.before) {
            (Limit::Value(value, _), _) => value,
            (_, None) => return Ok(told(true, "in no run before".to_owned())),
            (Limit::Part(part), Some(before)) => before.median + before.median.abs() * part,
            (Limit::Change(by, _), Some(before)) => before.median + by,
        };
        let is_exceeded = match self.is_most {
            true => after.median > limit,
            false => after.median < limit,
        };
        let show = |value| super::render::value(value, change.unit);
        let bound = if self.is_most { "at most" } else { "at least" };
        let mut text = format!("{}, {bound} {}", show(after.median), show(limit));
        if is_exceeded {
            let by = (after.median - limit).abs();
            text = format!("{text}: beyond it by {}", show(by));
            if change.noise.is_some_and(|noise| by <= noise) {
                text.push_str(", within the noise");
            }
        }
        Ok(told(is_exceeded, text))
    }

    fn check_unit(&self, change: &Change) -> Result<(), BudgetError> {
        let amount = match self.limit {
            Limit::Part(_) => return Ok(()),
            Limit::Change(_, amount) | Limit::Value(_, amount) => amount,
        };
        let expected = match (change.unit, amount) {
            (Unit::Ns, Amount::Time)
            | (Unit::Share, Amount::Percent)
            | (Unit::Count | Unit::Rate, Amount::Plain) => return Ok(()),
            (Unit::Ns, _) => "a time such as 5us or +5us, or a part of it such as +2%",
            (Unit::Share, _) => "a percentage such as 40%, or a part of it such as -5%",
            (Unit::Count | Unit::Rate, _) => {
                "a number such as 5 or +5, or a part of it such as +2%"
            }
        };
        Err(BudgetError::WrongUnit {
            budget: self.text.clone(),
            metric: change.name.clone(),
            expected,
        })
    }
}

/// Whether a name is like a pattern in which `*` stands for any text.
fn is_like(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let head = parts.next().unwrap_or_default();
    let Some(tail) = parts.next_back() else {
        return pattern == name;
    };
    let Some(mut rest) = name.strip_prefix(head) else {
        return false;
    };
    for part in parts {
        let Some(place) = rest.find(part) else {
            return false;
        };
        rest = &rest[place + part.len()..];
    }
    rest.ends_with(tail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stand_for_any_text() {
        for (pattern, name, expected) in [
            ("makespan", "makespan", true),
            ("makespan", "makespan2", false),
            ("function.*.run.mean", "function.a.b<c>.run.mean", true),
            ("function.*.run.mean", "function.run.mean", false),
            ("*", "", true),
            ("a*b*c", "abc", true),
            ("a*b*c", "acb", false),
            ("a*a", "a", false),
        ] {
            assert_eq!(is_like(pattern, name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn errors_point_at_their_column() {
        let column = |text: &str| match Budget::parse(text) {
            Err(BudgetError::Syntax { column, .. }) => Some(column),
            _ => None,
        };
        assert_eq!(column("makespan"), Some(9));
        assert_eq!(column("<=5"), Some(1));
        assert_eq!(column("makespan<="), Some(11));
        assert_eq!(column("makespan<=+-2%"), Some(12));
        assert_eq!(column("makespan <= +2 parsec"), Some(15));
        assert_eq!(column("µ<=+2q"), Some(6));
        assert_eq!(column("function.f<=3>.count<=5"), None);
        assert_eq!(column(" makespan >= -2.5 % "), None);
    }
}
