//! Options whose value may be left out take it behind a space too, as in `--pmu all`.

use clap::Command;
use std::collections::HashSet;
use std::ffi::OsString;

/// Joins `--option value` to `--option=value` where the option's value may be left out.
///
/// A word that is the name of a subcommand stays one: `--pmu vector` counts while `vector` runs.
pub(crate) fn joined<W: IntoIterator<Item = OsString>>(
    words: W,
    command: &Command,
) -> impl Iterator<Item = OsString> + use<W> {
    let mut options = HashSet::new();
    let mut subcommands = HashSet::new();
    gather(command, &mut options, &mut subcommands);
    let mut words = words.into_iter().peekable();
    std::iter::from_fn(move || {
        let mut word = words.next()?;
        let takes_value = word.to_str().is_some_and(|word| options.contains(word));
        let value = words.next_if(|next| {
            let next = next.to_string_lossy();
            takes_value && !next.starts_with('-') && !subcommands.contains(&*next)
        });
        if let Some(value) = value {
            word.push("=");
            word.push(value);
        }
        Some(word)
    })
}

/// What is on the command line's tree: options with a value that may be left out, and subcommands.
fn gather(command: &Command, options: &mut HashSet<String>, subcommands: &mut HashSet<String>) {
    for option in command.get_arguments() {
        if let Some(name) = option.get_long().filter(|_| option.is_require_equals_set()) {
            options.insert(format!("--{name}"));
        }
    }
    for subcommand in command.get_subcommands() {
        subcommands.insert(subcommand.get_name().to_owned());
        gather(subcommand, options, subcommands);
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
    fn a_value_behind_a_space_belongs_to_its_option() {
        for (line, expected) in [
            ("run vector --pmu all", "run vector --pmu=all"),
            ("run --swimlane 2 vector", "run --swimlane=2 vector"),
            ("run --dump task=5 vector", "run --dump=task=5 vector"),
            // Not its value: a subcommand, another option, nothing.
            ("run --pmu vector", "run --pmu vector"),
            ("run vector --pmu --seed 3", "run vector --pmu --seed 3"),
            ("run vector --pmu", "run vector --pmu"),
            // It has one, or takes one always.
            ("run --pmu=2 vector", "run --pmu=2 vector"),
            ("run --seed 3 vector", "run --seed 3 vector"),
        ] {
            assert_eq!(joined_line(line), expected);
        }
    }
}
