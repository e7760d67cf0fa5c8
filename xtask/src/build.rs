//! `cargo xtask build`: one folder with everything that runs on one platform, and its manifest.

use crate::checker::Checker;
use crate::device;
use crate::native::Compiler;
use crate::selection::Selection;
use crate::workspace::{self, check, install, products};
use anyhow::{Context, Result};
use lanescope_abi::{ABI_HASH, ABI_VERSION};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::Command;

#[derive(clap::Args)]
pub struct Arguments {
    /// a2a3, a2a3sim, a5 or a5sim
    #[arg(long)]
    platform: String,
    /// Slots of each core's staging ring: 1, 2, 4, 8 or 16 [default: 2]
    #[arg(long)]
    ring_size: Option<String>,
    /// Cargo profile
    #[arg(long, default_value = "release")]
    profile: String,
}

pub fn run(arguments: &Arguments) -> Result<()> {
    let selection = Selection::parse(
        &arguments.platform,
        arguments.ring_size.as_deref(),
        &arguments.profile,
    )?;
    let folder = build(std::slice::from_ref(&selection))?.remove(0);
    println!("{}", folder.display());
    Ok(())
}

/// Builds the host part once and a folder for each selection; all share one profile.
pub fn build(selections: &[Selection]) -> Result<Vec<PathBuf>> {
    let profile = &selections.first().context("nothing to build")?.profile;
    let simulated = selections
        .iter()
        .any(|selection| selection.platform.is_simulated);
    build_host(profile, simulated)?;
    assemble_all(selections)
}

/// As [`build`], with a host part that is built already.
pub fn assemble_all(selections: &[Selection]) -> Result<Vec<PathBuf>> {
    let compiler = Compiler::find()?;
    selections
        .iter()
        .map(|selection| assemble(selection, &compiler))
        .collect()
}

/// A copy of a simulated folder whose device programs a checker can weaken.
pub fn weaken(selection: &Selection, folder: &Path, checker: Checker) -> Result<()> {
    let copy = workspace::builds_in(&checker.target()).join(selection.folder());
    workspace::install_all(folder, &copy)?;
    device::build_programs(selection, checker, &Compiler::find()?, &copy)?;
    Ok(())
}

fn build_host(profile: &str, simulated: bool) -> Result<()> {
    let mut cargo = workspace::cargo();
    cargo.args(["build", "--quiet", "--profile", profile, "--locked"]);
    cargo.args(["--package", "lanescope-cli", "--package", "lanescope"]);
    cargo.args(["--features", "lanescope/a2a3,lanescope/a5"]);
    if simulated {
        cargo.args([
            "--package",
            "lanescope-sim-driver",
            "--package",
            "lanescope-sim-device",
        ]);
    }
    check(&mut cargo)
}

fn assemble(selection: &Selection, compiler: &Compiler) -> Result<PathBuf> {
    let folder = workspace::builds().join(selection.folder());
    let host = products(&selection.profile, None);
    install(&host.join("lanescope"), &folder.join("bin/lanescope"))?;
    install(
        &host.join("liblanescope.so"),
        &folder.join("lib/liblanescope.so"),
    )?;
    install(
        &workspace::root().join("crates/lanescope/include/lanescope.h"),
        &folder.join("include/lanescope.h"),
    )?;
    let mut skipped = Vec::new();
    let device = if selection.platform.is_simulated {
        install_driver(selection, compiler, &folder)?;
        device::build_simulated(selection, compiler, &folder)?
    } else {
        device::build_chip(selection, &folder, &mut skipped)?
    };
    for reason in &skipped {
        eprintln!("xtask: skipped {reason}");
    }
    let manifest = json!({
        "platform": selection.platform.name(),
        "chip": selection.platform.chip.name(),
        "ring_size": selection.ring_size,
        "abi_version": ABI_VERSION,
        "abi_hash": format!("{ABI_HASH:#018x}"),
        "profile": selection.profile,
        "toolchains": {
            "rustc": workspace::first_line(Command::new("rustc").arg("--version"))?,
            "cxx": compiler.version()?,
        },
        "device": { "aicpu": device.aicpu, "dispatcher": device.dispatcher, "aicore": device.aicore },
        "kernels": device.kernels,
        "skipped": skipped,
    });
    let path = folder.join("manifest.json");
    let text = serde_json::to_string_pretty(&manifest)? + "\n";
    std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(folder)
}

/// The simulated driver: one library per vendor name, all forwarding to the one with the state.
fn install_driver(selection: &Selection, compiler: &Compiler, folder: &Path) -> Result<()> {
    let host = products(&selection.profile, None);
    let driver = folder.join("driver");
    let chip = selection.platform.chip.name();
    // The loader knows a needed library by its bare name, so two chips in one process need two names.
    let state = format!("lanescope_sim_{chip}");
    install(
        &host.join("liblanescope_sim.so"),
        &driver.join(format!("lib{state}.so")),
    )?;
    install(
        &host.join("lanescope-sim-device"),
        &driver.join("lanescope-sim-device"),
    )?;
    let forward = workspace::root().join("platforms/sim/driver/forward");
    let include = workspace::root().join("platforms/cann-sys/include");
    for name in ["runtime", "ascendcl", "ascend_hal"] {
        let soname = format!("lib{name}.so");
        let object = workspace::builds()
            .join("objects")
            .join(&selection.profile)
            .join(&soname);
        let flags = [
            format!("-I{}", include.display()),
            format!("-Wl,-soname,{soname}"),
            "-Wl,-rpath,$ORIGIN".to_owned(),
            format!("-L{}", driver.display()),
            format!("-l{state}"),
        ];
        let source = forward.join(format!("{name}.c"));
        compiler.shared_object(
            &object,
            &[source],
            &[include.clone(), forward.clone()],
            &flags,
        )?;
        install(&object, &driver.join(&soname))?;
    }
    let path = driver.join("chip");
    std::fs::write(&path, format!("{chip}\n"))
        .with_context(|| format!("cannot write {}", path.display()))
}
