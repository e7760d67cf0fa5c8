//! The tests that ask `lanescope-stress` for seeds, found in the sources.
//!
//! Such a test names itself, `Effort::new("its_function", …)` or `explore("its_function", …)`, or stands
//! in a block `properties!`. A file under `#![cfg(loom)]` or `#![cfg(shuttle)]` is built for that model
//! checker.

use crate::checker::Checker;
use crate::workspace;
use anyhow::{Context, Result, ensure};
use cargo_metadata::{Package, TargetKind};
use std::path::{Path, PathBuf};

/// One such test.
#[derive(Debug)]
pub struct RandomisedTest {
    /// Its function.
    pub name: String,
    /// The package it lies in.
    pub package: String,
    /// The integration test it lies in; `None` when it lies in the library.
    pub target: Option<String>,
    /// What it runs under.
    pub checker: Checker,
}

/// What stands before the quoted name of a test in its source.
const MARKS: [&str; 2] = ["Effort::new(", " explore("];

/// What stands before a block of properties.
const PROPERTIES: &str = "lanescope_stress::properties! {";

/// All of them, package by package in the order of the workspace.
pub fn find() -> Result<Vec<RandomisedTest>> {
    let mut tests = Vec::new();
    for package in &workspace::packages()? {
        let mut files = Vec::new();
        for folder in ["src", "tests"] {
            let folder = package.manifest_path.with_file_name(folder);
            rust_files(folder.as_std_path(), &mut files)?;
        }
        for file in &files {
            let text = std::fs::read_to_string(file)
                .with_context(|| format!("cannot read {}", file.display()))?;
            ensure!(
                package.name == "lanescope-stress" || are_named(&text),
                "{}: a randomised test does not give its name as a literal, so stress cannot find it",
                file.display()
            );
            tests.extend(names(&text).map(|name| RandomisedTest {
                name: name.to_owned(),
                package: package.name.to_string(),
                target: target(package, file),
                checker: checker(&text),
            }));
        }
    }
    // The crate that defines the marks, and this one, have them in their own examples.
    tests.retain(|test| !["lanescope-stress", "xtask"].contains(&test.package.as_str()));
    Ok(tests)
}

/// Every Rust file in a folder and the folders in it, if there is one.
fn rust_files(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    if !folder.is_dir() {
        return Ok(());
    }
    let unreadable = || format!("cannot read {}", folder.display());
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(unreadable)? {
        paths.push(entry.with_context(unreadable)?.path());
    }
    paths.sort();
    for path in paths {
        if path.is_dir() {
            rust_files(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    Ok(())
}

fn names(text: &str) -> impl Iterator<Item = &str> {
    let calls = MARKS
        .into_iter()
        .flat_map(move |mark| text.split(mark).skip(1));
    let calls = calls.filter_map(|rest| rest.trim_start().strip_prefix('"')?.split('"').next());
    calls.chain(text.split(PROPERTIES).skip(1).flat_map(properties))
}

/// Whether every effort says whose it is; one that is handed a name by its callers has marks there.
fn are_named(text: &str) -> bool {
    let mut efforts = text.split(MARKS[0]).skip(1);
    text.contains("fn explore(") || efforts.all(|rest| rest.trim_start().starts_with('"'))
}

/// The functions of a block of properties, up to its brace; `rest` is what stands behind its head.
fn properties(rest: &str) -> impl Iterator<Item = &str> {
    let first = rest
        .lines()
        .find(|line| line.trim_end().ends_with(" cases;"));
    let indent = first.map_or(0, |line| line.len() - line.trim_start().len());
    let end = format!("{:1$}}}", "", indent.saturating_sub(4));
    rest.lines()
        .skip(1)
        .take_while(move |line| *line != end)
        .filter_map(|line| line.trim_start().strip_prefix("fn ")?.split('(').next())
}

/// The integration test whose main file this is, or whose folder it lies in.
fn target(package: &Package, file: &Path) -> Option<String> {
    let tests = package
        .targets
        .iter()
        .filter(|target| target.kind.contains(&TargetKind::Test));
    let found = tests.into_iter().find(|target| {
        let main = target.src_path.as_std_path();
        let is_in_folder = main.file_name().is_some_and(|name| name == "main.rs")
            && main.parent().is_some_and(|folder| file.starts_with(folder));
        main == file || is_in_folder
    });
    found.map(|target| target.name.clone())
}

fn checker(text: &str) -> Checker {
    if text.contains("cfg(loom)") || text.contains("use loom::") {
        Checker::Loom
    } else if text.contains("cfg(shuttle)") {
        Checker::Shuttle
    } else {
        Checker::None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_is_found_by_the_name_it_gives_itself() {
        for mark in MARKS {
            let text = format!("#![cfg(loom)]\nlet effort ={mark}\n\"a_name\", 5);");
            assert_eq!(names(&text).collect::<Vec<_>>(), ["a_name"]);
            assert_eq!(checker(&text), Checker::Loom);
        }
    }

    #[test]
    fn the_properties_of_a_block_are_found() {
        let text = "lanescope_stress::properties! {\n    256 cases;\n\n    #[test]\n    fn one(a in 0..1) {\n    }\n\n    \
            #[test]\n    fn two(b in 0..1) {\n    }\n}\n\nfn not_one() {}\n";
        assert_eq!(names(text).collect::<Vec<_>>(), ["one", "two"]);
    }

    #[test]
    fn an_effort_without_a_literal_name_is_noticed() {
        assert!(!are_named("Effort::new(name, 1)"));
        assert!(are_named("Effort::new(\n  \"a\", 1)"));
    }

    #[test]
    fn a_test_is_found_with_its_package_and_target() {
        let tests = find().unwrap();
        let test = tests
            .iter()
            .find(|test| test.name == "a_file_with_any_changes_is_read_to_its_end");
        let test = test.expect("it is in the sources");
        assert_eq!(test.package, "lanescope-capture");
        assert_eq!(test.target.as_deref(), Some("files"));
        assert_eq!(test.checker, Checker::None);
    }
}
