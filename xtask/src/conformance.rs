//! `cargo xtask conformance`: build for one platform and run the suite on one of its devices.

use crate::build;
use crate::selection::Selection;
use crate::workspace::{self, check};
use anyhow::Result;

#[derive(clap::Args)]
pub struct Arguments {
    /// a2a3, a2a3sim, a5 or a5sim
    #[arg(long)]
    platform: String,
    /// Logical device id
    #[arg(long, default_value_t = 0)]
    device: u32,
    /// Slots of each core's staging ring; may be given several times [default: each of 2, 1, 4, 8, 16]
    #[arg(long = "ring-size")]
    ring_sizes: Vec<String>,
    /// Cargo profile of what runs on the device
    #[arg(long, default_value = "dev")]
    profile: String,
    /// Passed on to the suite, such as a part of a case's name, or `--list`
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

/// The first is the one for the cases that run once.
const RING_SIZES: [&str; 5] = ["2", "1", "4", "8", "16"];

pub fn run(arguments: &Arguments) -> Result<()> {
    let mut ring_sizes = arguments.ring_sizes.clone();
    if ring_sizes.is_empty() {
        ring_sizes = RING_SIZES.map(str::to_owned).into();
    }
    let selections = ring_sizes
        .iter()
        .map(|size| Selection::parse(&arguments.platform, Some(size), &arguments.profile))
        .collect::<Result<Vec<_>>>()?;
    build::build(&selections)?;
    let mut cargo = workspace::cargo();
    cargo
        .args(["test", "--locked", "--package", "lanescope-conformance"])
        .args(["--test", "suite", "--"])
        .args(&arguments.arguments)
        .env("LANESCOPE_TEST_BUILDS", workspace::builds())
        .env("LANESCOPE_TEST_PROFILE", &arguments.profile)
        .env("LANESCOPE_CONFORMANCE_PLATFORM", &arguments.platform)
        .env("LANESCOPE_CONFORMANCE_DEVICE", arguments.device.to_string())
        .env("LANESCOPE_CONFORMANCE_RING_SIZES", ring_sizes.join(","));
    check(&mut cargo)
}
