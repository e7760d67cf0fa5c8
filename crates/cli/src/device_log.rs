//! Which device log belongs to a records file.
//!
//! One that was named wins, then the newest of a device, then, among the logs of all devices, the one
//! whose last change is nearest to the records file's. Logs lie in `$ASCEND_WORK_PATH/log/debug` if that
//! is there, else in `~/ascend/log/debug`, in a folder `device-N` for each device.

use crate::arguments::LogArguments;
use crate::{glob, output};
use anyhow::{Context, Result};
use lanescope_report::reference::{DeviceLog, LogError};
use std::fs::{self, File};
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// The log, when there is one that says anything of a scheduler. Whatever keeps it from being read is
/// told, and is no reason to go without what the records say.
pub(crate) fn open(given: &LogArguments, records: Option<&Path>) -> Option<DeviceLog> {
    let found = match (&given.device_log, given.device) {
        (Some(named), _) => named_log(named),
        (None, Some(device)) => newest_of_device(device),
        (None, None) => Ok(records.and_then(nearest)?),
    };
    let read = found.and_then(|path| {
        let log = || -> Result<_, LogError> { DeviceLog::read(BufReader::new(File::open(&path)?)) };
        log().with_context(|| path.display().to_string())
    });
    match read {
        Ok(log) => Some(log).filter(|log| !log.is_empty()),
        Err(error) => {
            output::note(format!("{error:#}; going on without a device log"));
            None
        }
    }
}

/// A file, the newest log of a folder, or the newest file a pattern fits.
fn named_log(named: &Path) -> Result<PathBuf> {
    if named.is_dir() {
        return newest(logs_in(named)).with_context(|| format!("no *.log in {}", named.display()));
    }
    if named.exists() || !glob::is_pattern(named) {
        return Ok(named.to_owned());
    }
    let mut files = glob::paths(named);
    files.retain(|path| path.is_file());
    newest(files).with_context(|| format!("no file fits {}", named.display()))
}

fn newest_of_device(device: u32) -> Result<PathBuf> {
    let root = root().context("no folder with device logs: neither $ASCEND_WORK_PATH nor $HOME")?;
    let folder = root.join(format!("device-{device}"));
    newest(logs_in(&folder)).with_context(|| format!("no *.log in {}", folder.display()))
}

/// The log that was changed last nearest to when the records were.
fn nearest(records: &Path) -> Option<PathBuf> {
    let written = changed(records)?;
    let folders = fs::read_dir(root()?).ok()?;
    let folders = folders.filter_map(Result::ok).filter(|entry| {
        let name = entry.file_name();
        name.to_str()
            .is_some_and(|name| name.starts_with("device-"))
    });
    let logs = folders.flat_map(|folder| logs_in(&folder.path()));
    let timed = logs.filter_map(|log| Some((distance(changed(&log)?, written), log)));
    timed.min().map(|(_, log)| log)
}

fn root() -> Option<PathBuf> {
    let work = std::env::var_os("ASCEND_WORK_PATH").map(PathBuf::from);
    let work = work
        .map(|work| work.join("log/debug"))
        .filter(|root| root.is_dir());
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join("ascend/log/debug"));
    work.or_else(home)
}

fn files_in(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(Result::ok);
    entries
        .map(|entry| entry.path())
        .filter(|path| path.is_file())
        .collect()
}

fn logs_in(folder: &Path) -> Vec<PathBuf> {
    let mut files = files_in(folder);
    files.retain(|file| file.extension().is_some_and(|extension| extension == "log"));
    files
}

fn newest(files: Vec<PathBuf>) -> Option<PathBuf> {
    let timed = files
        .into_iter()
        .filter_map(|file| Some((changed(&file)?, file)));
    timed.max().map(|(_, file)| file)
}

fn changed(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).and_then(|data| data.modified()).ok()
}

fn distance(a: SystemTime, b: SystemTime) -> Duration {
    a.duration_since(b).unwrap_or_else(|error| error.duration())
}
