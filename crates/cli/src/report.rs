//! `lanescope report`: print the report of a run.

use crate::arguments::{ReportArguments, ReportFormat};
use crate::{files, reference, results};
use anyhow::{Result, bail};
use lanescope_trace::{Trace, Verdict};
use std::process::ExitCode;

/// Ends with 1 when the run lost something or did not end.
pub(crate) fn report(arguments: &ReportArguments) -> Result<ExitCode> {
    let format = match arguments.json {
        true => ReportFormat::Json,
        false => arguments.format,
    };
    if format == ReportFormat::Reference {
        return reference::report(arguments);
    }
    if let Some(option) = arguments.names.given().or_else(|| arguments.log.given()) {
        bail!("{option} goes with --format reference");
    }
    let trace = Trace::open(&arguments.dir)?;
    let report = results::report(&trace);
    let text = match format {
        ReportFormat::Text => report.text(),
        ReportFormat::Json => report.to_json(),
        ReportFormat::Html => report.html(),
        ReportFormat::Reference => unreachable!("it is not made of a report"),
    };
    files::write_text(&arguments.output, &text)?;
    Ok(exit_code(trace.verdict()))
}

/// 1 when the run lost something or did not end.
pub(crate) fn exit_code(verdict: Option<&Verdict>) -> ExitCode {
    let code = verdict.map_or(0, Verdict::exit_code);
    ExitCode::from(code.min(1))
}
