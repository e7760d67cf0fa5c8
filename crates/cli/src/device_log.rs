//! Which device log belongs to a records file.
//!
//! One that was named wins, then the newest of a device, then, among the logs of all devices, the one
//! whose last change is nearest to the records file's. Logs lie in `$ASCEND_WORK_PATH/log/debug` if that
//! is there, else in `~/ascend/log/debug`, in a folder `device-N` for each device.

use crate::arguments::LogArguments;
use anyhow::{Context, Result, bail};
use lanescope_report::reference::DeviceLog;
use std::fs::{self, File};
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// The log, when there is one that says anything of a scheduler.
pub(crate) fn open(given: &LogArguments, records: Option<&Path>) -> Result<Option<DeviceLog>> {
    let path = match (&given.device_log, given.device) {
        (Some(named), _) => Some(named_log(named)?),
        (None, Some(device)) => Some(newest_of_device(device)?),
        (None, None) => records.and_then(nearest),
    };
    let Some(path) = path else {
        return Ok(None);
    };
    let read = || -> Result<DeviceLog> { Ok(DeviceLog::read(BufReader::new(File::open(&path)?))?) };
    let log = read().with_context(|| path.display().to_string())?;
    Ok((!log.is_empty()).then_some(log))
}

/// A file, the newest log of a folder, or the newest file a pattern fits.
fn named_log(named: &Path) -> Result<PathBuf> {
    if named.is_dir() {
        return newest(logs_in(named)).with_context(|| format!("no *.log in {}", named.display()));
    }
    if named.exists() {
        return Ok(named.to_owned());
    }
    let pattern = named
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or("");
    if !pattern.contains(['*', '?']) {
        bail!(
            "cannot read the device log {}: there is no such file",
            named.display()
        );
    }
    let folder = match named.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let fits = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str());
        name.is_some_and(|name| fits(pattern.as_bytes(), name.as_bytes()))
    };
    newest(files_in(folder).into_iter().filter(fits).collect())
        .with_context(|| format!("no file fits {}", named.display()))
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

/// Whether a name fits a pattern in which `*` is any text and `?` any byte.
fn fits(pattern: &[u8], name: &[u8]) -> bool {
    let (mut at, mut next) = (0, 0);
    // Behind the last `*`, and where its text ends for now.
    let mut retry: Option<(usize, usize)> = None;
    while at < name.len() {
        match pattern.get(next) {
            Some(b'*') => {
                next += 1;
                retry = Some((next, at));
                continue;
            }
            Some(&byte) if byte == b'?' || byte == name[at] => {
                at += 1;
                next += 1;
                continue;
            }
            _ => {}
        }
        let Some((behind, end)) = retry else {
            return false;
        };
        retry = Some((behind, end + 1));
        (next, at) = (behind, end + 1);
    }
    pattern[next..].iter().all(|&byte| byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_fit_whole_names() {
        for (pattern, name) in [
            ("*.log", "a.log"),
            ("d*-?.l*g", "device-0.log"),
            ("*", ""),
            ("a**b", "ab"),
        ] {
            assert!(
                fits(pattern.as_bytes(), name.as_bytes()),
                "{pattern} {name}"
            );
        }
        for (pattern, name) in [("*.log", "a.logs"), ("?", ""), ("a*b*c", "acb"), ("", "a")] {
            assert!(
                !fits(pattern.as_bytes(), name.as_bytes()),
                "{pattern} {name}"
            );
        }
    }
}
