//! `lanescope report`: print the report of a run.

use crate::arguments::ReportArguments;
use crate::{output, results};
use anyhow::Result;
use lanescope_trace::{Trace, Verdict};
use std::process::ExitCode;

/// Ends with 1 when the run lost something or did not end.
pub(crate) fn report(arguments: &ReportArguments) -> Result<ExitCode> {
    let trace = Trace::open(&arguments.dir)?;
    let report = results::report(&trace);
    output::data(if arguments.json {
        report.to_json()
    } else {
        report.text()
    })?;
    let code = trace.verdict().map_or(0, Verdict::exit_code);
    Ok(ExitCode::from(code.min(1)))
}
