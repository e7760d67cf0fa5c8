//! `lanescope import`: keep other tools' files of one run as a capture.

use crate::arguments::ImportArguments;
use crate::files::{self, MadeFolders};
use crate::{output, results};
use anyhow::Result;
use lanescope::CAPTURE_FILE_NAME;
use lanescope_trace::{Trace, import};
use std::process::ExitCode;

pub(crate) fn import(arguments: &ImportArguments) -> Result<ExitCode> {
    let mut files = Vec::new();
    for path in &arguments.files {
        files.extend(import::files_of(path)?);
    }
    let folder = &arguments.out;
    results::check_folder(folder)?;
    let made = MadeFolders::of(folder)?;
    let path = folder.join(CAPTURE_FILE_NAME);
    files::write_file(&path, |file| {
        Ok(import::write_capture(&files, folder, file)?)
    })?;
    made.keep();
    let trace = Trace::open(&path)?;
    output::note(format!(
        "wrote {}: {} tasks, {} edges",
        path.display(),
        trace.task_count(),
        trace.edges().len()
    ));
    results::tell_notes(&trace);
    Ok(ExitCode::SUCCESS)
}
