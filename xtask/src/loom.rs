//! `cargo xtask loom`: every interleaving of the protocol's sides, and whether weakened steps are found.

use crate::checker::Checker;
use crate::mutants;
use crate::workspace;
use anyhow::{Context, Result, bail, ensure};
use cargo_metadata::Message;
use std::collections::BTreeMap;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

#[derive(Default, clap::Args)]
pub struct Arguments {
    /// Weaken the orderings one at a time, and prove that the test named for each notices
    #[arg(long)]
    mutants: bool,
    /// Print the table of mutants and run nothing
    #[arg(long)]
    list: bool,
    /// Only tests, or mutants, whose name contains this
    filter: Option<String>,
}

pub fn run(arguments: &Arguments) -> Result<()> {
    let filter = arguments.filter.as_deref().unwrap_or("");
    if arguments.list {
        mutants::list(filter);
        return Ok(());
    }
    if arguments.mutants {
        return mutants::run(filter);
    }
    let tests = Checker::Loom.build_tests(LOOM_TESTS)?;
    for ((package, target), test) in &tests {
        eprintln!("xtask: {target} of {package}");
        let mut command = test.command();
        // One test at a time, so that what it prints stays together.
        command.args(["--nocapture", "--test-threads", "1"]);
        let is_library = target == LIBRARY && filter.is_empty();
        let filter = if is_library { LIBRARY_MODULE } else { filter };
        workspace::check(command.arg(filter))?;
    }
    Ok(())
}

/// The target name that stands for a package's unit tests.
pub const LIBRARY: &str = "lib";

/// Packages and targets that run under the model checker.
pub const LOOM_TESTS: &[(&str, &str)] = &[
    ("lanescope-ring", "loom"),
    ("lanescope-aicpu", "loom"),
    ("lanescope-profiling", LIBRARY),
];

/// Of a library's unit tests those in this module run under the model checker.
const LIBRARY_MODULE: &str = "interleavings::";

impl Checker {
    /// Builds test targets and returns their programs by package and target.
    pub fn build_tests(self, targets: &[(&str, &str)]) -> Result<Programs> {
        let mut programs = Programs::new();
        let (libraries, tests): (Vec<_>, Vec<_>) =
            targets.iter().partition(|(_, target)| *target == LIBRARY);
        for (targets, is_library) in [(tests, false), (libraries, true)] {
            if !targets.is_empty() {
                self.build_some(&targets, is_library, &mut programs)?;
            }
        }
        for (package, target) in targets {
            let key = ((*package).to_owned(), (*target).to_owned());
            ensure!(
                programs.contains_key(&key),
                "{package} has no test {target}"
            );
        }
        Ok(programs)
    }

    fn build_some(
        self,
        targets: &[&(&str, &str)],
        is_library: bool,
        programs: &mut Programs,
    ) -> Result<()> {
        let mut cargo = self.cargo_test();
        cargo.args(["--no-run", "--message-format=json-render-diagnostics"]);
        for (package, target) in targets {
            cargo.args(["--package", package]);
            if !is_library {
                cargo.args(["--test", target]);
            }
        }
        cargo.args(is_library.then_some("--lib"));
        let mut child = cargo
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start cargo")?;
        let output = child.stdout.take().context("cargo has no output")?;
        for message in Message::parse_stream(BufReader::new(output)) {
            if let Message::CompilerArtifact(artifact) = message?
                && artifact.profile.test
                && let Some(program) = artifact.executable
            {
                let manifest = artifact.manifest_path.as_std_path();
                let folder = manifest.parent().context("a package has a folder")?;
                let package = package_name(targets, &artifact.package_id.repr)?;
                let target = if is_library {
                    LIBRARY
                } else {
                    artifact.target.name.as_str()
                };
                let test = Program {
                    path: program.into_std_path_buf(),
                    folder: folder.to_owned(),
                };
                programs.insert((package, target.to_owned()), test);
            }
        }
        let status = child.wait().context("cargo cannot be waited for")?;
        ensure!(status.success(), "the tests do not build ({status})");
        Ok(())
    }
}

/// Which of the asked packages an id such as `path+file:///…/crates/ring#lanescope-ring@0.1.0` names.
fn package_name(targets: &[&(&str, &str)], id: &str) -> Result<String> {
    let found = targets.iter().find(|(package, _)| {
        id.contains(&format!("#{package}@")) || id.starts_with(&format!("{package} "))
    });
    match found {
        Some((package, _)) => Ok((*package).to_owned()),
        None => bail!("cargo built a test of {id}, which was not asked for"),
    }
}

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
            .current_dir(Path::new(&self.folder))
            .env_remove(mutants::VARIABLE);
        command
    }
}
