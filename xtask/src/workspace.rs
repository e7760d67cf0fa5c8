//! Where things are: the workspace root, the target folder, what cargo built.

use anyhow::{Context, Result, ensure};
use cargo_metadata::{MetadataCommand, Package};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

/// The workspace root.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("xtask is a folder of the workspace")
        .to_owned()
}

/// Cargo's target folder.
pub fn target() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(dir) => root().join(dir),
        None => root().join("target"),
    }
}

/// Where build folders are made.
pub fn builds() -> PathBuf {
    builds_in(&target())
}

/// Where build folders are made in a target folder.
pub fn builds_in(target: &Path) -> PathBuf {
    target.join("lanescope")
}

/// The crates of the workspace, without what they depend on.
pub fn packages() -> Result<Vec<Package>> {
    let metadata = MetadataCommand::new()
        .manifest_path(root().join("Cargo.toml"))
        .no_deps()
        .other_options(vec!["--locked".to_owned()])
        .exec()
        .context("cannot read the workspace")?;
    Ok(metadata.packages)
}

/// Members that no build of the whole workspace takes along, for the time it takes to build what they need;
/// `ci/sql.sh` builds and tests them.
pub const APART: [&str; 1] = ["lanescope-sql"];

/// What names the whole workspace but for [`APART`] to cargo.
pub fn whole() -> Vec<&'static str> {
    let apart = APART.into_iter().flat_map(|name| ["--exclude", name]);
    ["--workspace"].into_iter().chain(apart).collect()
}

/// Cargo, as the user called it.
pub fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    command
}

/// One step of a long command, told to stderr with the time it took.
pub fn step<T>(name: &str, action: impl FnOnce() -> Result<T>) -> Result<T> {
    eprintln!("xtask: {name}");
    let begin = Instant::now();
    let result = action().with_context(|| format!("{name} failed"))?;
    let seconds = begin.elapsed().as_secs();
    eprintln!("xtask: {name}: {}:{:02}", seconds / 60, seconds % 60);
    Ok(result)
}

/// Runs a command that speaks for itself; its failure is the error.
pub fn check(command: &mut Command) -> Result<()> {
    let status = command
        .status()
        .with_context(|| format!("cannot start {}", name(command)))?;
    ensure!(status.success(), "{} failed ({status})", line(command));
    Ok(())
}

/// Runs a command and returns the first line it prints.
pub fn first_line(command: &mut Command) -> Result<String> {
    let output = command
        .output()
        .with_context(|| format!("cannot start {}", name(command)))?;
    ensure!(
        output.status.success(),
        "{} failed ({})",
        line(command),
        output.status
    );
    Ok(String::from_utf8_lossy(&output.stdout)
        .lines()
        .next()
        .unwrap_or_default()
        .to_owned())
}

/// Whether a program of this name can be started.
pub fn find_program(program: &str) -> Option<PathBuf> {
    let paths = std::env::var_os("PATH")?;
    std::env::split_paths(&paths)
        .map(|dir| dir.join(program))
        .find(|path| path.is_file())
}

/// The command line, for messages.
pub fn line(command: &Command) -> String {
    let mut line = name(command);
    for argument in command.get_args() {
        line.push(' ');
        line.push_str(&argument.to_string_lossy());
    }
    line
}

fn name(command: &Command) -> String {
    Path::new(command.get_program())
        .file_name()
        .map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}

/// Where cargo puts the products of `profile`, for the host or for `target_triple`.
pub fn products(profile: &str, target_triple: Option<&str>) -> PathBuf {
    products_in(&target(), profile, target_triple)
}

/// As [`products`], in a target folder.
pub fn products_in(target: &Path, profile: &str, target_triple: Option<&str>) -> PathBuf {
    let mut dir = target.to_owned();
    dir.extend(target_triple);
    dir.join(if profile == "dev" { "debug" } else { profile })
}

/// Installs every file of a folder, and of the folders in it, in another.
pub fn install_all(from: &Path, to: &Path) -> Result<()> {
    let unreadable = || format!("cannot read {}", from.display());
    for entry in std::fs::read_dir(from).with_context(unreadable)? {
        let path = entry.with_context(unreadable)?.path();
        let name = path.file_name().context("an entry has a name")?;
        let to = to.join(name);
        if path.is_dir() {
            install_all(&path, &to)?;
        } else {
            install(&path, &to)?;
        }
    }
    Ok(())
}

/// Copies a file when it differs, so that an unchanged product keeps its time stamp, and never
/// leaves half a file behind.
pub fn install(from: &Path, to: &Path) -> Result<()> {
    let bytes = std::fs::read(from).with_context(|| format!("{} was not built", from.display()))?;
    if std::fs::read(to).is_ok_and(|old| old == bytes) {
        return Ok(());
    }
    let parent = to.parent().context("an installed file has a folder")?;
    std::fs::create_dir_all(parent)
        .with_context(|| format!("cannot create {}", parent.display()))?;
    let partial = to.with_extension("partial");
    std::fs::copy(from, &partial).with_context(|| format!("cannot write {}", partial.display()))?;
    std::fs::rename(&partial, to).with_context(|| format!("cannot write {}", to.display()))
}
