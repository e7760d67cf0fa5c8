//! `kernel_config.py`: the names that its list `KERNELS` gives to functions, read and never run.
//!
//! ```text
//! KERNELS = [
//!     {"func_id": 0, "name": "QK", "source": str(ROOT / "qk.cpp")},
//! ]
//! ```
//!
//! Keys and the two values that count are literals; what else stands in an entry may be any expression.

use super::Names;
use crate::TraceError;
use std::path::Path;

impl Names {
    /// Reads the names of a `kernel_config.py`; and of how many entries `func_id` or `name` is not known,
    /// which are left out.
    ///
    /// # Errors
    ///
    /// [`TraceError::Read`]; [`TraceError::Malformed`] when there is no list `KERNELS`, or it has no end.
    pub fn open_kernel_config(path: &Path) -> Result<(Self, u64), TraceError> {
        let bytes = std::fs::read(path).map_err(|source| TraceError::Read {
            path: path.to_owned(),
            source,
        })?;
        Self::of_kernel_config(&String::from_utf8_lossy(&bytes), path)
    }

    /// Reads from a text; `path` is only what errors call it.
    ///
    /// # Errors
    ///
    /// As [`Self::open_kernel_config`].
    pub fn of_kernel_config(text: &str, path: &Path) -> Result<(Self, u64), TraceError> {
        let mut tokens = Tokens {
            text,
            at: 0,
            depth: 0,
        };
        let malformed = |at: usize, message: &str| {
            let before = &text[..at];
            TraceError::Malformed {
                path: path.to_owned(),
                line: before.matches('\n').count() + 1,
                column: before
                    .chars()
                    .rev()
                    .take_while(|&sign| sign != '\n')
                    .count()
                    + 1,
                message: message.to_owned(),
                is_cut: at == text.len(),
            }
        };
        if !tokens.find_kernels() {
            let message = "the file ends without `KERNELS = [`";
            return Err(malformed(text.len(), message));
        }
        let begin = tokens.at;
        tokens
            .kernels()
            .ok_or_else(|| malformed(begin, "the list `KERNELS` has no end"))
    }
}

/// What a text in Python consists of.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Text(String),
    Number(Option<u32>),
    Word(String),
    Sign(char),
}

struct Tokens<'a> {
    text: &'a str,
    at: usize,
    /// Brackets that are open.
    depth: u32,
}

impl Tokens<'_> {
    /// Goes behind `KERNELS = [` of the file's own level, of whatever type the list is said to be.
    fn find_kernels(&mut self) -> bool {
        while let Some(token) = self.next() {
            let is_outside = self.depth == 0;
            if !is_outside || token != Token::Word("KERNELS".to_owned()) {
                continue;
            }
            let mut next = self.next();
            if next == Some(Token::Sign(':')) {
                while next.is_some() && !(self.depth == 0 && next == Some(Token::Sign('='))) {
                    next = self.next();
                }
            }
            if next == Some(Token::Sign('=')) && self.next() == Some(Token::Sign('[')) {
                return true;
            }
        }
        false
    }

    /// The entries of the list whose bracket was just read.
    fn kernels(&mut self) -> Option<(Names, u64)> {
        let (mut names, mut skipped) = (Names::default(), 0);
        let inside = self.depth;
        loop {
            match self.next()? {
                Token::Sign(']') if self.depth < inside => return Some((names, skipped)),
                Token::Sign(',') => {}
                Token::Sign('{') => match self.entry()? {
                    (Some(func_id), Some(name)) => names.functions.insert(func_id, name),
                    _ => skipped += 1,
                },
                // Something that is no entry: up to the next.
                _ => {
                    skipped += 1;
                    if self.rest_of_value(inside)?.1 == ']' {
                        return Some((names, skipped));
                    }
                }
            }
        }
    }

    /// Number and name of the entry whose bracket was just read.
    fn entry(&mut self) -> Option<(Option<u32>, Option<String>)> {
        let inside = self.depth;
        let (mut func_id, mut name) = (None, None);
        loop {
            let (key, end) = self.key(inside)?;
            if end != ':' {
                return Some((func_id, name)).filter(|_| end == '}');
            }
            let (value, end) = self.rest_of_value(inside)?;
            match (key.as_deref(), &value[..]) {
                (Some("func_id"), [Token::Number(number)]) => func_id = *number,
                (Some("func_id"), _) => func_id = None,
                (Some("name"), value) => name = text_of(value),
                _ => {}
            }
            if end == '}' {
                return Some((func_id, name));
            }
        }
    }

    /// A key, and the sign behind it.
    fn key(&mut self, inside: u32) -> Option<(Option<String>, char)> {
        let mut key = Vec::new();
        loop {
            match self.next()? {
                Token::Sign('}') if self.depth < inside => return Some((None, '}')),
                Token::Sign(':') if self.depth == inside => return Some((text_of(&key), ':')),
                token => key.push(token),
            }
        }
    }

    /// What stands before the next comma or closing bracket of this level, and that sign.
    fn rest_of_value(&mut self, inside: u32) -> Option<(Vec<Token>, char)> {
        let mut value = Vec::new();
        loop {
            match self.next()? {
                Token::Sign(end @ (']' | '}' | ')')) if self.depth < inside => {
                    return Some((value, end));
                }
                Token::Sign(',') if self.depth == inside => return Some((value, ',')),
                token => value.push(token),
            }
        }
    }

    fn next(&mut self) -> Option<Token> {
        self.skip_space();
        let rest = &self.text[self.at..];
        let first = rest.chars().next()?;
        if first.is_alphabetic() || first == '_' {
            let end = rest.find(|sign: char| !sign.is_alphanumeric() && sign != '_');
            let word = &rest[..end.unwrap_or(rest.len())];
            self.at += word.len();
            let is_prefix = word.len() < 3 && word.chars().all(|sign| "rRbBuUfF".contains(sign));
            if is_prefix && self.text[self.at..].starts_with(['"', '\'']) {
                let is_raw = word.contains(['r', 'R']);
                let text = self.string(is_raw);
                // Neither bytes nor what is put together at run time is a name.
                let is_text = !word.contains(['b', 'B', 'f', 'F']);
                return Some(match is_text {
                    true => Token::Text(text),
                    false => Token::Word(word.to_owned()),
                });
            }
            return Some(Token::Word(word.to_owned()));
        }
        if first.is_ascii_digit() {
            let end = rest.find(|sign: char| !sign.is_alphanumeric() && sign != '_' && sign != '.');
            let number = &rest[..end.unwrap_or(rest.len())];
            self.at += number.len();
            return Some(Token::Number(number_of(number)));
        }
        if matches!(first, '"' | '\'') {
            return Some(Token::Text(self.string(false)));
        }
        self.at += first.len_utf8();
        match first {
            '[' | '{' | '(' => self.depth += 1,
            ']' | '}' | ')' => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
        Some(Token::Sign(first))
    }

    /// White space, comments, and the sign that joins two lines.
    fn skip_space(&mut self) {
        loop {
            let rest = &self.text[self.at..];
            let space = rest.find(|sign: char| !sign.is_whitespace() && sign != '\\');
            self.at += space.unwrap_or(rest.len());
            if !self.text[self.at..].starts_with('#') {
                return;
            }
            let comment = &self.text[self.at..];
            self.at += comment.find('\n').unwrap_or(comment.len());
        }
    }

    /// The text between the quotes that come, one or three.
    fn string(&mut self, is_raw: bool) -> String {
        let rest = &self.text[self.at..];
        let quote = match rest.get(..3) {
            Some(three @ ("\"\"\"" | "'''")) => three,
            _ => &rest[..1],
        };
        self.at += quote.len();
        let mut out = String::new();
        loop {
            let rest = &self.text[self.at..];
            let Some(first) = rest.chars().next() else {
                return out;
            };
            if rest.starts_with(quote) {
                self.at += quote.len();
                return out;
            }
            self.at += first.len_utf8();
            if first != '\\' {
                out.push(first);
                continue;
            }
            let escaped = self.text[self.at..].chars().next();
            self.at += escaped.map_or(0, char::len_utf8);
            match escaped {
                Some(sign) if is_raw => out.extend(['\\', sign]),
                Some('\n') | None => {}
                Some('n') => out.push('\n'),
                Some('t') => out.push('\t'),
                Some('r') => out.push('\r'),
                Some(sign @ ('\\' | '\'' | '"')) => out.push(sign),
                Some(sign) => out.extend(['\\', sign]),
            }
        }
    }
}

/// Texts that stand behind each other are one; anything else is none.
fn text_of(tokens: &[Token]) -> Option<String> {
    let texts = tokens.iter().map(|token| match token {
        Token::Text(text) => Some(text.as_str()),
        _ => None,
    });
    let texts: Option<Vec<&str>> = texts.collect();
    texts
        .filter(|texts| !texts.is_empty())
        .map(|texts| texts.concat())
}

fn number_of(text: &str) -> Option<u32> {
    let text = text.replace('_', "").to_lowercase();
    for (prefix, radix) in [("0x", 16), ("0o", 8), ("0b", 2)] {
        if let Some(digits) = text.strip_prefix(prefix) {
            return u32::from_str_radix(digits, radix).ok();
        }
    }
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<(Vec<(u32, String)>, u64), TraceError> {
        let (names, skipped) = Names::of_kernel_config(text, Path::new("k.py"))?;
        let names = names.functions.iter();
        let names = names.map(|(func_id, name)| (func_id, name.to_owned()));
        Ok((names.collect(), skipped))
    }

    #[test]
    fn kernels_are_named_whatever_stands_beside_them() {
        let text = r#"
"""KERNELS = [{"func_id": 9, "name": "in a text"}]"""
from pathlib import Path
_ROOT = Path(__file__).parent  # KERNELS = []
ORCHESTRATION = {"source": str(_ROOT / "o.cpp"), "KERNELS": [1, 2]}
KERNELS: list[dict[str, object]] = [
    {"func_id": 0, "name": "QK", "source": str(_ROOT / "a, }.cpp"), "core_type": "aic"},
    # {"func_id": 7, "name": "gone"},
    {'name': 'it\'s ' "one", 'args': [{"func_id": 5, "name": "inner"}, (1, 2)], 'func_id': 0x1_0,},
    {"func_id": 2, "name": r'a\b', **REST},
    {"func_id": 3}, {"name": "no number"}, {"func_id": BASE + 1, "name": "x"},
    {"func_id": -1, "name": "y"}, {"func_id": 4, "name": f"{PREFIX}z"}, make(1, {2: 3}),
    {"func_id": 6, "name": """long"""},
]
KERNELS2 = [{"func_id": 1, "name": "other"}]
"#;
        let (names, skipped) = read(text).expect("reads");
        let names: Vec<(u32, &str)> = names.iter().map(|(id, name)| (*id, &name[..])).collect();
        let expected = [(0, "QK"), (2, "a\\b"), (6, "long"), (16, "it's one")];
        assert_eq!((names, skipped), (expected.to_vec(), 6));
    }

    #[test]
    fn a_list_that_is_missing_or_cut_is_refused() {
        assert_eq!(read("KERNELS = []").expect("reads"), (Vec::new(), 0));
        for (text, place) in [
            ("X = 1\n", "line 2, column 1"),
            (
                "X = 1\nKERNELS = [{\"func_id\": 1, \"name\": \"a\"",
                "line 2, column 12",
            ),
            ("KERNELS = [{\"func_id\": 1}}", "line 1, column 12"),
            ("KERNELS = [\"", "line 1, column 12"),
        ] {
            let error = read(text).expect_err(text).to_string();
            assert!(error.contains(place), "{text}: {error}");
        }
    }
}
