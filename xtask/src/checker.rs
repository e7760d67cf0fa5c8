//! The builds that model checkers need: other flags, so a target folder of their own.

use crate::workspace;
use std::process::Command;

/// What the tests of a build run under.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checker {
    /// The ordinary build.
    None,
    /// Every interleaving of a small model: `--cfg loom`.
    Loom,
    /// Random interleavings of whole threads: `--cfg shuttle`.
    Shuttle,
}

impl Checker {
    /// `cargo test` for this build; the caller names package and test.
    pub fn cargo_test(self) -> Command {
        let mut cargo = workspace::cargo();
        cargo.args(["test", "--quiet", "--locked"]);
        let Some(name) = self.name() else {
            return cargo;
        };
        // A model goes through its schedules one step at a time: only optimised code is fast enough.
        cargo.arg("--release");
        cargo.env("CARGO_TARGET_DIR", workspace::target().join(name));
        cargo.env("RUSTFLAGS", format!("--cfg {name}"));
        cargo
    }

    fn name(self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::Loom => Some("loom"),
            Self::Shuttle => Some("shuttle"),
        }
    }
}
