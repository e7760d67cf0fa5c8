//! Options whose value may be left out take it behind a space too, as in `--pmu all`.

use clap::Command;
use std::collections::HashSet;
use std::ffi::OsString;

/// Whether a word looks like a value of an option.
type IsValue = fn(&str) -> bool;

/// The options, and what their values look like; a recording's path looks like none of them.
const OPTIONS: [(&str, IsValue); 3] = [
    ("--swimlane", |word| {
        word.chars().all(|c| c.is_ascii_digit())
    }),
    ("--pmu", |word| {
        word.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
    }),
    ("--dump", |word| word.contains('=')),
];

/// Joins `--option value` to `--option=value` where the option's value may be left out.
///
/// A word that is the name of a subcommand stays one: `--pmu vector` counts while `vector` runs.
pub(crate) fn joined<W: IntoIterator<Item = OsString>>(
    words: W,
    command: &Command,
) -> impl Iterator<Item = OsString> + use<W> {
    let mut subcommands = HashSet::new();
    gather(command, &mut subcommands);
    let mut words = words.into_iter().peekable();
    let mut is_over = false;
    std::iter::from_fn(move || {
        let mut word = words.next()?;
        is_over |= word == "--";
        let option = OPTIONS.iter().find(|(name, _)| word == *name && !is_over);
        let value = words.next_if(|next| {
            let next = next.to_string_lossy();
            let is_value = option.is_some_and(|(_, is_value)| is_value(&next));
            is_value && !next.starts_with('-') && !subcommands.contains(&*next)
        });
        if let Some(value) = value {
            word.push("=");
            word.push(value);
        }
        Some(word)
    })
}

/// The names of all subcommands of a command line.
fn gather(command: &Command, names: &mut HashSet<String>) {
    for subcommand in command.get_subcommands() {
        names.insert(subcommand.get_name().to_owned());
        gather(subcommand, names);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arguments::Arguments;
    use clap::CommandFactory;

    fn joined_line(line: &str) -> String {
        let words = line.split(' ').map(OsString::from);
        let words = joined(words, &Arguments::command());
        let words: Vec<_> = words.map(|word| word.into_string().unwrap()).collect();
        words.join(" ")
    }

    #[test]
    fn every_option_takes_its_value_by_a_sign_of_equality() {
        let command = Arguments::command();
        let run = command.find_subcommand("run").unwrap();
        for (name, _) in OPTIONS {
            let mut arguments = run.get_arguments();
            let of_name = |argument: &&clap::Arg| argument.get_long() == name.strip_prefix("--");
            assert!(arguments.find(of_name).unwrap().is_require_equals_set());
        }
        let optional = run
            .get_arguments()
            .filter(|argument| argument.is_require_equals_set());
        assert_eq!(optional.count(), OPTIONS.len());
    }

    #[test]
    fn a_value_behind_a_space_belongs_to_its_option() {
        for (line, expected) in [
            ("run vector --pmu all", "run vector --pmu=all"),
            ("run --swimlane 2 vector", "run --swimlane=2 vector"),
            ("run --dump task=5 vector", "run --dump=task=5 vector"),
            // Not its value: a subcommand, another option, nothing.
            ("run --pmu vector", "run --pmu vector"),
            ("run vector --pmu --seed 3", "run vector --pmu --seed 3"),
            ("run vector --pmu", "run vector --pmu"),
            // Not its value either: what another argument takes.
            (
                "run replay --swimlane run.json",
                "run replay --swimlane run.json",
            ),
            ("run replay --pmu ./run.json", "run replay --pmu ./run.json"),
            ("run replay --dump run.json", "run replay --dump run.json"),
            ("run -- --pmu all", "run -- --pmu all"),
            // It has one, or takes one always.
            ("run --pmu=2 vector", "run --pmu=2 vector"),
            ("run --seed 3 vector", "run --seed 3 vector"),
        ] {
            assert_eq!(joined_line(line), expected);
        }
    }
}
