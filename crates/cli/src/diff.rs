//! `lanescope diff`: compare runs, and hold the difference to budgets.

use crate::arguments::{DiffArguments, DiffFormat};
use crate::{files, output, results};
use anyhow::{Result, bail};
use lanescope_report::Report;
use lanescope_report::compare::{Budget, Comparison};
use lanescope_trace::Trace;
use std::path::PathBuf;
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
    for doubt in &comparison.doubts {
        output::note(doubt);
    }
    let text = match arguments.format {
        DiffFormat::Text => comparison.text(arguments.all),
        DiffFormat::Json => comparison.to_json(),
        DiffFormat::Markdown => comparison.markdown(arguments.all),
        DiffFormat::Html => comparison.html(arguments.all),
    };
    files::write_text(&arguments.output, &text)?;
    for budget in comparison
        .budgets
        .iter()
        .filter(|budget| budget.is_exceeded)
    {
        output::note(format!(
            "budget {} exceeded: {} is {}",
            budget.budget, budget.metric, budget.text
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
        reports.push((path.display().to_string(), results::report(&trace)));
    }
    Ok(reports)
}
