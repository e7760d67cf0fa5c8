//! `cargo xtask tidy`: what rustfmt and clippy do not look at.

mod named_tests;
mod safety;
mod source;

use crate::workspace;
use anyhow::{Context, Result, ensure};
use std::path::{Path, PathBuf};
use std::process::Command;

pub fn run() -> Result<()> {
    let mut faults = Vec::new();
    let mut tests = named_tests::Tests::default();
    for path in tracked_files()? {
        let Ok(text) = std::fs::read_to_string(workspace::root().join(&path)) else {
            continue;
        };
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("rs") => {
                check_rust(&path, &text, &mut faults);
                tests.add(&path, &text);
            }
            Some("md" | "toml" | "cpp" | "h" | "c" | "sh") => check_text(&path, &text, &mut faults),
            _ => {}
        }
    }
    let page = std::fs::read_to_string(workspace::root().join(named_tests::PAGE))
        .with_context(|| format!("cannot read {}", named_tests::PAGE))?;
    faults.extend(tests.faults(&page));
    ensure!(faults.is_empty(), "{}", faults.join("\n"));
    Ok(())
}

fn tracked_files() -> Result<Vec<PathBuf>> {
    let output = Command::new("git")
        .current_dir(workspace::root())
        .args([
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ])
        .output()
        .context("cannot start git")?;
    ensure!(output.status.success(), "git ls-files failed");
    let names = String::from_utf8_lossy(&output.stdout).into_owned();
    Ok(names
        .split('\0')
        .filter(|name| !name.is_empty())
        .map(PathBuf::from)
        .collect())
}

/// How a generated file begins.
const GENERATED: &str = "/* automatically generated";

/// Every module begins with one sentence that says what it is; generated files say so instead.
fn check_rust(path: &Path, text: &str, faults: &mut Vec<String>) {
    let first = text.lines().next().unwrap_or_default();
    if !first.starts_with("//! ") && !first.starts_with(GENERATED) {
        faults.push(format!(
            "{}: the first line is not a module doc (`//! …`)",
            path.display()
        ));
    }
    if !first.starts_with(GENERATED) {
        for (line, fault) in safety::faults(text) {
            faults.push(format!("{}:{line}: {fault}", path.display()));
        }
    }
    for (number, line) in text.lines().enumerate() {
        let code = line.trim_start();
        if code.starts_with("#[ignore") {
            faults.push(format!(
                "{}:{}: an ignored test proves nothing",
                path.display(),
                number + 1
            ));
        }
    }
    check_text(path, text, faults);
}

fn check_text(path: &Path, text: &str, faults: &mut Vec<String>) {
    for (number, line) in text.lines().enumerate() {
        if line.ends_with([' ', '\t']) {
            faults.push(format!("{}:{}: trailing blank", path.display(), number + 1));
        }
    }
    if !text.is_empty() && !text.ends_with('\n') {
        faults.push(format!(
            "{}: no line end at the end of the file",
            path.display()
        ));
    }
}
