//! The builds that model checkers and mutants need: other flags, so a target folder of their own.

use crate::workspace;
use std::path::PathBuf;
use std::process::Command;

/// What the tests of a build run under.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Checker {
    /// The ordinary build.
    None,
    /// Every interleaving of a small model: `--cfg loom`.
    Loom,
    /// Random interleavings of whole threads: `--cfg shuttle`.
    Shuttle,
    /// The ordinary build, with steps that can be weakened: `--cfg lanescope_mutants`.
    Mutants,
}

impl Checker {
    /// `cargo test` for this build; the caller names package and test.
    pub fn cargo_test(self) -> Command {
        let mut cargo = workspace::cargo();
        cargo.args(["test", "--quiet", "--locked"]);
        // A model goes through its schedules one step at a time: only optimised code is fast enough.
        if matches!(self, Self::Loom | Self::Shuttle) {
            cargo.arg("--release");
        }
        self.apply(&mut cargo);
        cargo
    }

    /// Adds flags and target folder. Under a model checker steps can be weakened as well, so that one
    /// build serves for both; they are as they ship while the environment names no mutant.
    pub fn apply(self, command: &mut Command) {
        if let Some((_, flags)) = self.build() {
            command
                .env("CARGO_TARGET_DIR", self.target())
                .env("RUSTFLAGS", flags);
            command
                .env("CARGO_PROFILE_DEV_DEBUG", "0")
                .env("CARGO_PROFILE_RELEASE_DEBUG", "0")
                .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16");
            // Compiling takes longer than what runs here.
            if self == Self::Mutants {
                command.env("CARGO_PROFILE_DEV_OPT_LEVEL", "0");
            }
        }
    }

    /// Its target folder.
    pub fn target(self) -> PathBuf {
        match self.build() {
            None => workspace::target(),
            Some((folder, _)) => workspace::target().join(folder),
        }
    }

    /// Target folder and flags.
    fn build(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::None => None,
            Self::Loom => Some(("loom", "--cfg loom --cfg lanescope_mutants")),
            Self::Shuttle => Some(("shuttle", "--cfg shuttle --cfg lanescope_mutants")),
            Self::Mutants => Some(("mutants", "--cfg lanescope_mutants")),
        }
    }
}
