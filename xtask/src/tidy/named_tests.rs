//! Every test that the docs name exists.

use std::path::{Component, Path};

/// The page with the names.
pub const PAGE: &str = "docs/testing.md";

/// How many rows the page's table of known faults has; they are numbered.
const KNOWN_FAULTS: u32 = 50;

/// The tests of the sources.
#[derive(Debug, Default)]
pub struct Tests {
    /// Path of the source without its ending, split up, and the test's name after it.
    names: Vec<Vec<String>>,
}

impl Tests {
    /// Adds the tests of a Rust source.
    pub fn add(&mut self, path: &Path, text: &str) {
        let mut file: Vec<String> = path
            .with_extension("")
            .components()
            .filter_map(|component| match component {
                Component::Normal(name) => Some(name.to_string_lossy().into_owned()),
                _ => None,
            })
            .filter(|name| name != "src" && name != "tests")
            .collect();
        if file
            .last()
            .is_some_and(|name| name == "main" || name == "mod")
        {
            file.pop();
        }
        let mut is_test = false;
        for line in text.lines().map(str::trim_start) {
            if line == "#[test]" {
                is_test = true;
            } else if let Some(name) = line.strip_prefix("fn ") {
                // A case of the conformance suite is a function with this result.
                let is_case = line.ends_with("-> CaseResult {");
                if std::mem::take(&mut is_test) || is_case {
                    let end = name.find(['(', '<']).unwrap_or(name.len());
                    let mut test = file.clone();
                    test.push(name[..end].to_owned());
                    self.names.push(test);
                }
            }
        }
    }

    /// Whether there is a test called `crate::file::name`; the crate may be a path of folders.
    fn has(&self, name: &str) -> bool {
        let wanted: Vec<&str> = name.split("::").collect();
        self.names.iter().any(|test| {
            let tail = test.len().saturating_sub(wanted.len());
            test.len() >= wanted.len() && test[tail..].iter().eq(wanted.iter())
        })
    }

    /// Names on the page that are no test, and rows that its table lacks.
    pub fn faults(&self, page: &str) -> Vec<String> {
        let missing = spans(page)
            .filter(|(_, name)| is_test_name(name) && !self.has(name))
            .map(|(line, name)| format!("{PAGE}:{line}: no test is called {name}"));
        let rows: Vec<u32> = page.lines().filter_map(row_number).collect();
        let skipped = (1..=KNOWN_FAULTS)
            .filter(|number| rows.iter().filter(|row| *row == number).count() != 1)
            .map(|number| format!("{PAGE}: known fault {number} has not exactly one row"));
        missing.chain(skipped).collect()
    }
}

/// The code spans of a page, with their lines.
fn spans(page: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = (1..).zip(page.lines());
    lines.flat_map(|(number, line)| {
        let spans = line.split('`').skip(1).step_by(2);
        spans.map(move |span| (number, span))
    })
}

fn is_test_name(span: &str) -> bool {
    let is_word = |word: &str| {
        let mut letters = word.bytes();
        !word.is_empty()
            && letters.all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-'))
    };
    span.split("::").count() > 2 && span.split("::").all(is_word)
}

/// `| 17 | …`: the number.
fn row_number(line: &str) -> Option<u32> {
    let (number, _) = line.strip_prefix("| ")?.split_once(" |")?;
    number.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tests() -> Tests {
        let mut tests = Tests::default();
        let text =
            "#[test]\nfn one() {}\n\nfn helper() {}\n    #[test]\n    #[cfg(x)]\n    fn two(\n";
        tests.add(Path::new("crates/ring/tests/model.rs"), text);
        tests.add(Path::new("platforms/sim/driver/tests/big/main.rs"), text);
        tests
    }

    fn page(text: &str) -> String {
        let rows = (1..=KNOWN_FAULTS).map(|number| format!("| {number} | what | how |\n"));
        rows.chain([text.to_owned()]).collect()
    }

    #[test]
    fn a_test_is_found_by_crate_file_and_name() {
        let named = "`ring::model::one`, `ring::model::two`, `sim::driver::big::two`, `cargo xtask`, `a::b`";
        assert!(tests().faults(&page(named)).is_empty());
    }

    #[test]
    fn a_test_that_is_not_there_is_refused() {
        for named in [
            "ring::model::helper",
            "ring::loom::one",
            "aicpu::model::one",
        ] {
            let faults = tests().faults(&page(&format!("some `{named}`")));
            assert_eq!(faults, [format!("{PAGE}:51: no test is called {named}")]);
        }
    }

    #[test]
    fn a_row_left_out_or_twice_is_refused() {
        let without: String = page("").replace("| 17 |", "| 18 |");
        let faults = tests().faults(&without);
        assert_eq!(faults.len(), 2, "{faults:?}");
        assert!(faults[0].contains("known fault 17") && faults[1].contains("known fault 18"));
    }
}
