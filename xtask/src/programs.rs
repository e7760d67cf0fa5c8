//! Test programs that cargo has built, and how to run many of them.

use crate::{mutants, workspace};
use anyhow::{Context, Result, ensure};
use cargo_metadata::{Message, TargetKind};
use std::collections::BTreeMap;
use std::io::BufReader;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::thread;

/// The target name that stands for a package's unit tests.
pub const LIBRARY: &str = "lib";

/// Test programs by package and target.
pub type Programs = BTreeMap<(String, String), Program>;

/// A compiled test target.
#[derive(Clone, Debug)]
pub struct Program {
    path: PathBuf,
    /// Folder of its package, in which cargo would start it.
    folder: PathBuf,
}

impl Program {
    /// The program, to be started as cargo would.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.path);
        command
            .current_dir(&self.folder)
            .env_remove(mutants::VARIABLE);
        command
    }
}

/// Builds the tests that a `cargo test` command selects, and runs none.
pub fn build(cargo: &mut Command) -> Result<Programs> {
    let packages = workspace::packages()?;
    cargo.args(["--no-run", "--message-format=json-render-diagnostics"]);
    let mut child = cargo
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start cargo")?;
    let output = child.stdout.take().context("cargo has no output")?;
    let mut programs = Programs::new();
    for message in Message::parse_stream(BufReader::new(output)) {
        if let Message::CompilerArtifact(artifact) = message?
            && artifact.profile.test
            && let Some(path) = artifact.executable
        {
            let package = packages
                .iter()
                .find(|package| package.id == artifact.package_id)
                .with_context(|| format!("cargo built a test of {}", artifact.package_id))?;
            let target = &artifact.target;
            let has_a_name = target
                .kind
                .iter()
                .any(|kind| matches!(kind, TargetKind::Test | TargetKind::Bin));
            let target = if has_a_name { &target.name } else { LIBRARY };
            let folder = package.manifest_path.parent();
            let program = Program {
                path: path.into_std_path_buf(),
                folder: folder.context("a package has a folder")?.into(),
            };
            programs.insert((package.name.to_string(), target.to_owned()), program);
        }
    }
    let status = child.wait().context("cargo cannot be waited for")?;
    ensure!(status.success(), "the tests do not build ({status})");
    Ok(programs)
}

/// Applies `work` to all items, `workers` at a time; results in the items' order.
pub fn in_parallel<T: Sync, R: Send>(
    items: &[T],
    workers: usize,
    work: impl Fn(&T) -> R + Sync,
) -> Vec<R> {
    let next = Mutex::new(items.iter().enumerate());
    let results = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let item = next.lock().expect("no thread panics").next();
                    let Some((index, item)) = item else { break };
                    let result = work(item);
                    let mut results = results.lock().expect("no thread panics");
                    results.push((index, result));
                }
            });
        }
    });
    let mut results = results.into_inner().expect("no thread panics");
    results.sort_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
}

/// How many CPUs there are.
pub fn cpus() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}
