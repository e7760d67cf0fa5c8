//! `lanescope import`: keep other tools' files of one run as a capture.

use crate::arguments::ImportArguments;
use crate::{output, results};
use anyhow::Result;
use lanescope::CAPTURE_FILE_NAME;
use lanescope_trace::{Trace, import};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

pub(crate) fn import(arguments: &ImportArguments) -> Result<ExitCode> {
    let files: Vec<PathBuf> = arguments
        .files
        .iter()
        .flat_map(|path| files_of(path))
        .collect();
    let folder = &arguments.out;
    results::check_folder(folder)?;
    std::fs::create_dir_all(folder)?;
    let path = folder.join(CAPTURE_FILE_NAME);
    results::write_file(&path, |file| {
        Ok(import::write_capture(&files, folder, file)?)
    })?;
    let trace = Trace::open(&path)?;
    output::note(format!(
        "wrote {}: {} tasks, {} edges",
        path.display(),
        trace.task_count(),
        trace.edges().len()
    ));
    for note in trace.notes() {
        output::note(format!("{} {}", note.count, note.text));
    }
    Ok(ExitCode::SUCCESS)
}

/// A folder stands for the files of a run in it.
fn files_of(path: &Path) -> Vec<PathBuf> {
    match path.is_dir() {
        true => import::in_folder(path),
        false => vec![path.to_path_buf()],
    }
}
