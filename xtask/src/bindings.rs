//! `cargo xtask bindgen` and `cargo xtask headers`: generated files, committed and checked.
//!
//! The command of each file stands in its `.args` file or config beside the source, so the same
//! words make and check it. Where the tool is missing, checking says so and passes.

use crate::workspace::{self, find_program};
use anyhow::{Context, Result, bail, ensure};
use std::path::{Path, PathBuf};
use std::process::Command;

#[derive(clap::Args)]
pub struct Arguments {
    /// Compare with what is committed instead of writing
    #[arg(long)]
    check: bool,
}

/// A committed file and the command that prints it.
struct Generated {
    tool: &'static str,
    version: &'static str,
    file: &'static str,
    arguments: Vec<String>,
}

pub fn bindgen(arguments: &Arguments) -> Result<()> {
    one_or_fail(&vendor_bindings()?, arguments.check)
}

pub fn headers(arguments: &Arguments) -> Result<()> {
    c_headers()
        .iter()
        .try_for_each(|header| one_or_fail(header, arguments.check))
}

/// Checks every generated file whose tool is here; says which tools are not.
pub fn check_all() -> Result<()> {
    for generated in c_headers().into_iter().chain([vendor_bindings()?]) {
        match usable(&generated) {
            Ok(tool) => compare(&generated, &tool)?,
            Err(missing) => eprintln!("xtask: {} not checked: {missing}", generated.file),
        }
    }
    Ok(())
}

fn one_or_fail(generated: &Generated, is_check: bool) -> Result<()> {
    let tool = usable(generated).map_err(anyhow::Error::msg)?;
    if is_check {
        return compare(generated, &tool);
    }
    let path = workspace::root().join(generated.file);
    let text = generate(generated, &tool)?;
    std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
}

fn compare(generated: &Generated, tool: &Path) -> Result<()> {
    let path = workspace::root().join(generated.file);
    let committed = std::fs::read_to_string(&path)
        .with_context(|| format!("cannot read {}", path.display()))?;
    ensure!(
        committed == generate(generated, tool)?,
        "{} is not what its sources generate; run `cargo xtask {}`",
        generated.file,
        if generated.tool == "bindgen" {
            "bindgen"
        } else {
            "headers"
        }
    );
    Ok(())
}

fn generate(generated: &Generated, tool: &Path) -> Result<String> {
    let mut command = Command::new(tool);
    command
        .current_dir(workspace::root())
        .args(&generated.arguments);
    let output = command
        .output()
        .with_context(|| format!("cannot start {}", tool.display()))?;
    if !output.status.success() {
        bail!(
            "{} failed: {}",
            workspace::line(&command),
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    String::from_utf8(output.stdout).with_context(|| format!("{} printed no text", generated.tool))
}

/// The tool in the version the committed file was made with, or what is missing.
fn usable(generated: &Generated) -> Result<PathBuf, String> {
    let Generated { tool, version, .. } = generated;
    let install = format!(
        "`cargo install --locked {tool}{}@{version}`",
        if *tool == "bindgen" { "-cli" } else { "" }
    );
    let Some(path) = find_program(tool) else {
        return Err(format!("{tool} is not installed; {install}"));
    };
    match workspace::first_line(Command::new(&path).arg("--version")) {
        Ok(line) if line.ends_with(version) => Ok(path),
        Ok(line) => Err(format!("{line} is not {version}; {install}")),
        Err(error) => Err(format!("{error:#}; {install}")),
    }
}

fn vendor_bindings() -> Result<Generated> {
    let path = workspace::root().join("platforms/cann-sys/bindgen.args");
    let text = std::fs::read_to_string(&path)
        .with_context(|| format!("cannot read {}", path.display()))?;
    Ok(Generated {
        tool: "bindgen",
        version: "0.73.2",
        file: "platforms/cann-sys/src/bindings.rs",
        arguments: words(&text),
    })
}

fn c_headers() -> [Generated; 3] {
    let header = |file, crate_dir: &str| Generated {
        tool: "cbindgen",
        version: "0.29.4",
        file,
        arguments: [
            "--quiet",
            "--config",
            &format!("{crate_dir}/cbindgen.toml"),
            crate_dir,
        ]
        .map(str::to_owned)
        .into(),
    };
    [
        header("crates/abi/include/lanescope_abi.h", "crates/abi"),
        header(
            "crates/aicpu/include/lanescope_record.h",
            "crates/aicpu/program",
        ),
        header("crates/lanescope/include/lanescope.h", "crates/lanescope"),
    ]
}

/// One argument a line; `#` begins a comment.
fn words(text: &str) -> Vec<String> {
    text.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(str::to_owned)
        .collect()
}
