//! `lanescope diff`: compare runs, and hold the difference to budgets.

use crate::arguments::{DiffArguments, DiffFormat};
use crate::{output, results};
use anyhow::{Result, bail};
use lanescope_report::compare::{Budget, Comparison};
use lanescope_report::{Report, printable};
use lanescope_trace::{Outcome, Trace, Verdict};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Ends with 1 when a budget is exceeded.
pub(crate) fn diff(arguments: &DiffArguments) -> Result<ExitCode> {
    let mut budgets = Vec::new();
    for budget in &arguments.budget {
        budgets.push(Budget::parse(budget)?);
    }
    let (before, after) = sides(arguments)?;
    let mut comparison = Comparison::of(&reports(before)?, &reports(after)?);
    comparison.check(&budgets)?;
    let text = match arguments.format {
        DiffFormat::Text => comparison.text(arguments.all),
        DiffFormat::Json => comparison.to_json(),
        DiffFormat::Markdown => comparison.markdown(arguments.all),
        DiffFormat::Html => comparison.html(arguments.all),
    };
    results::write_text(&arguments.output, &text)?;
    for budget in comparison
        .budgets
        .iter()
        .filter(|budget| budget.is_exceeded)
    {
        output::note(format!(
            "budget {} exceeded: {} is {}",
            printable(&budget.budget),
            printable(&budget.metric),
            budget.text
        ));
    }
    Ok(ExitCode::from(u8::from(comparison.is_over_budget())))
}

/// The runs before and the runs after.
fn sides(arguments: &DiffArguments) -> Result<(&[PathBuf], &[PathBuf])> {
    match (&arguments.runs[..], &arguments.against[..]) {
        ([before, after], []) => Ok((std::slice::from_ref(before), std::slice::from_ref(after))),
        (runs, []) => bail!(
            "{} runs are given, expected two, or those before and --against those after",
            runs.len()
        ),
        (before, after) => Ok((before, after)),
    }
}

fn reports(paths: &[PathBuf]) -> Result<Vec<(String, Report)>> {
    let mut reports = Vec::new();
    for path in paths {
        let trace = Trace::open(path)?;
        tell_losses(path, trace.verdict());
        reports.push((path.display().to_string(), results::report(&trace)));
    }
    Ok(reports)
}

/// Says that a run is not all there: what it lost is in no number.
fn tell_losses(path: &Path, verdict: Option<&Verdict>) {
    let Some(verdict) = verdict.filter(|verdict| verdict.outcome != Outcome::Exact) else {
        return;
    };
    let (outcome, counts) = (verdict.outcome.name(), &verdict.totals);
    output::note(format!(
        "{} is {outcome}: {} of {} records collected, and its numbers are those of what is left",
        path.display(),
        counts.collected,
        counts.total
    ));
}
