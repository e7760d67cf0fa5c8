//! `lanescope import`: keep other tools' files of one run as a capture.

use crate::arguments::ImportArguments;
use crate::{output, results};
use anyhow::{Context, Result};
use lanescope::CAPTURE_FILE_NAME;
use lanescope_trace::{Trace, import};
use std::fs;
use std::path::{Path, PathBuf};
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
    results::write_file(&path, |file| {
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
    for note in trace.notes() {
        output::note(format!("{} {}", note.count, note.text));
    }
    Ok(ExitCode::SUCCESS)
}

/// Folders that were not there: unless they are kept, they are removed.
struct MadeFolders(Vec<PathBuf>);

impl MadeFolders {
    /// Makes a folder and those around it.
    fn of(folder: &Path) -> Result<Self> {
        let around = folder.ancestors();
        let missing = around.take_while(|path| !path.as_os_str().is_empty() && !path.exists());
        let made = Self(missing.map(Path::to_owned).collect());
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        Ok(made)
    }

    fn keep(mut self) {
        self.0.clear();
    }
}

impl Drop for MadeFolders {
    fn drop(&mut self) {
        for folder in &self.0 {
            // Not when something else lies in it.
            let _ = fs::remove_dir(folder);
        }
    }
}
