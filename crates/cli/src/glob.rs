//! Paths that fit a pattern: in each of its parts `*` is any text, `?` any character, and `[a-z]` or `[!x]`
//! one of some or none of some. A name that begins with a dot fits only what says the dot.

use std::ffi::OsStr;
use std::fs;
use std::path::{Component, Path, PathBuf};

const SIGNS: [char; 3] = ['*', '?', '['];

/// Whether a path is a pattern.
pub(crate) fn is_pattern(path: &Path) -> bool {
    path.to_string_lossy().contains(SIGNS)
}

/// What there is that fits.
pub(crate) fn paths(pattern: &Path) -> Vec<PathBuf> {
    let mut found = vec![PathBuf::new()];
    for part in pattern.components() {
        let is_pattern = |name: &OsStr| name.to_string_lossy().contains(SIGNS);
        found = match part {
            Component::Normal(name) if is_pattern(name) => {
                let name = name.to_string_lossy();
                let inside = found.iter().flat_map(|folder| inside(folder, &name));
                inside.collect()
            }
            part => {
                found.iter_mut().for_each(|path| path.push(part));
                found
            }
        };
    }
    found.retain(|path| path.exists());
    found
}

/// What fits in a folder.
fn inside(folder: &Path, pattern: &str) -> Vec<PathBuf> {
    let listed = match folder.as_os_str().is_empty() {
        true => Path::new("."),
        false => folder,
    };
    let entries = fs::read_dir(listed).into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name());
    let fitting = names.filter(|name| {
        let name = name.to_string_lossy();
        name.starts_with('.') <= pattern.starts_with('.') && fits(pattern, &name)
    });
    fitting.map(|name| folder.join(name)).collect()
}

/// Whether a name fits one part of a pattern.
fn fits(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), name.chars().collect());
    let (mut at, mut next) = (0, 0);
    // Behind the last `*`, and where its text ends for now.
    let mut retry: Option<(usize, usize)> = None;
    while at < name.len() {
        if pattern.get(next) == Some(&'*') {
            next += 1;
            retry = Some((next, at));
            continue;
        }
        if let Some(length) = one_of(&pattern[next..], name[at]) {
            at += 1;
            next += length;
            continue;
        }
        let Some((behind, end)) = retry else {
            return false;
        };
        retry = Some((behind, end + 1));
        (next, at) = (behind, end + 1);
    }
    pattern[next..].iter().all(|&sign| sign == '*')
}

/// How long what a pattern begins with is, when `sign` fits it.
fn one_of(pattern: &[char], sign: char) -> Option<usize> {
    let set = |pattern: &[char]| {
        let is_not = pattern.get(1) == Some(&'!');
        let begin = 1 + usize::from(is_not);
        // A bracket at the begin is one of them.
        let end = (begin + 1..pattern.len()).find(|&end| pattern[end] == ']')?;
        Some((is_in(&pattern[begin..end], sign) != is_not, end + 1))
    };
    match *pattern.first()? {
        '?' => Some(1),
        '[' => match set(pattern) {
            Some((fits, length)) => fits.then_some(length),
            None => (sign == '[').then_some(1),
        },
        first => (first == sign).then_some(1),
    }
}

/// Whether a sign is one of a set, or in one of its ranges.
fn is_in(mut set: &[char], sign: char) -> bool {
    while let [first, rest @ ..] = set {
        let (last, rest) = match rest {
            ['-', last, rest @ ..] => (last, rest),
            rest => (first, rest),
        };
        if (*first..=*last).contains(&sign) {
            return true;
        }
        set = rest;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_fit_whole_names() {
        for (pattern, name) in [
            ("*.log", "a.log"),
            ("d*-?.l*g", "device-0.log"),
            ("*", ""),
            ("a**b", "ab"),
            ("[a-c]x[!0-9]", "bxy"),
            ("[]-]", "-"),
            ("a[b", "a[b"),
            ("*[0-9].log", "run-10.log"),
            ("?", "µ"),
        ] {
            assert!(fits(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [
            ("*.log", "a.logs"),
            ("?", ""),
            ("a*b*c", "acb"),
            ("", "a"),
            ("[a-c]", "d"),
            ("[!a-c]", "b"),
            ("[a]", "[a]"),
        ] {
            assert!(!fits(pattern, name), "{pattern} {name}");
        }
    }
}
