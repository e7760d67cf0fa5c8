//! `lanescope report`: print the report of a run.

use crate::arguments::{ReportArguments, ReportFormat};
use crate::results;
use anyhow::Result;
use lanescope_trace::{Trace, Verdict};
use std::process::ExitCode;

/// Ends with 1 when the run lost something or did not end.
pub(crate) fn report(arguments: &ReportArguments) -> Result<ExitCode> {
    let trace = Trace::open(&arguments.dir)?;
    let report = results::report(&trace);
    let format = match arguments.json {
        true => ReportFormat::Json,
        false => arguments.format,
    };
    let text = match format {
        ReportFormat::Text => report.text(),
        ReportFormat::Json => report.to_json(),
        ReportFormat::Html => report.html(),
    };
    results::write_text(&arguments.output, &text)?;
    let code = trace.verdict().map_or(0, Verdict::exit_code);
    Ok(ExitCode::from(code.min(1)))
}
