//! Rust source with its strings blanked and its comments apart, line by line.

/// One line of a Rust file.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Line {
    /// What the compiler sees; strings and characters are blanked, comments are gone.
    pub code: String,
    /// The comment on this line, with its slashes; empty when there is none.
    pub comment: String,
}

/// Splits Rust source into lines. Lengths are kept where code is blanked, so columns stay.
pub fn lines(text: &str) -> Vec<Line> {
    let mut scanner = Scanner {
        text: text.as_bytes(),
        at: 0,
        lines: vec![Line::default()],
    };
    while scanner.at < scanner.text.len() {
        scanner.step();
    }
    scanner.lines
}

struct Scanner<'t> {
    text: &'t [u8],
    at: usize,
    lines: Vec<Line>,
}

impl Scanner<'_> {
    fn step(&mut self) {
        let rest = &self.text[self.at..];
        if rest.starts_with(b"//") {
            let length = rest.iter().position(|byte| *byte == b'\n');
            self.comment(length.unwrap_or(rest.len()));
        } else if rest.starts_with(b"/*") {
            self.comment(block_comment(rest));
        } else if let Some(length) = string(rest).filter(|_| !self.in_word()) {
            self.blank(length);
        } else if rest[0] == b'\'' {
            self.blank(character(rest));
        } else {
            self.code(rest[0]);
        }
    }

    /// Whether the last byte belongs to a name, so that an `r` or `b` here begins no string.
    fn in_word(&self) -> bool {
        let before = self.at.checked_sub(1).map(|at| self.text[at]);
        let starts_string = self.text[self.at] == b'"';
        !starts_string && before.is_some_and(is_word)
    }

    fn code(&mut self, byte: u8) {
        self.at += 1;
        if byte == b'\n' {
            self.lines.push(Line::default());
        } else {
            self.line().code.push(char::from(byte));
        }
    }

    fn blank(&mut self, length: usize) {
        for _ in 0..length.max(1) {
            let is_line_end = self.text[self.at] == b'\n';
            self.code(if is_line_end { b'\n' } else { b' ' });
        }
    }

    fn comment(&mut self, length: usize) {
        let comment = String::from_utf8_lossy(&self.text[self.at..self.at + length]).into_owned();
        self.at += length;
        for (number, part) in comment.split('\n').enumerate() {
            if number > 0 {
                self.lines.push(Line::default());
            }
            self.line().comment.push_str(part);
        }
    }

    fn line(&mut self) -> &mut Line {
        self.lines.last_mut().expect("there is always a line")
    }
}

pub fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// The length of the block comment that begins here; block comments nest.
fn block_comment(text: &[u8]) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < text.len() {
        if text[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if text[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    text.len()
}

/// The length of the string that begins here, if one does: `"`, `b"`, `c"`, `r#"` and so on.
fn string(text: &[u8]) -> Option<usize> {
    let prefix = text
        .iter()
        .take_while(|byte| matches!(byte, b'b' | b'c' | b'r'))
        .count();
    if prefix > 2 {
        return None;
    }
    let is_raw = text[..prefix].contains(&b'r');
    let hashes = text[prefix..]
        .iter()
        .take_while(|byte| **byte == b'#')
        .count();
    let quote = prefix + hashes;
    if text.get(quote) != Some(&b'"') || (hashes > 0 && !is_raw) {
        return None;
    }
    let mut at = quote + 1;
    while at < text.len() {
        if text[at] == b'\\' && !is_raw {
            at += 2;
            continue;
        }
        let closes = text[at] == b'"'
            && text[at + 1..].len() >= hashes
            && text[at + 1..at + 1 + hashes]
                .iter()
                .all(|byte| *byte == b'#');
        if closes {
            return Some(at + 1 + hashes);
        }
        at += 1;
    }
    Some(text.len())
}

/// The length of the character that begins here, or of the quote alone when it is a lifetime.
fn character(text: &[u8]) -> usize {
    if text.get(1) == Some(&b'\\') {
        let close = text.iter().skip(3).position(|byte| *byte == b'\'');
        return close.map_or(text.len(), |length| length + 4);
    }
    // A character takes up to four bytes; a lifetime has no quote after its first letter.
    let mut rest = std::str::from_utf8(&text[1..text.len().min(6)]).map_or_else(
        |error| String::from_utf8_lossy(&text[1..=error.valid_up_to()]).into_owned(),
        str::to_owned,
    );
    rest.truncate(rest.char_indices().nth(2).map_or(rest.len(), |(at, _)| at));
    match rest.char_indices().nth(1) {
        Some((at, '\'')) => at + 2,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> String {
        let lines: Vec<_> = lines(text).into_iter().map(|line| line.code).collect();
        lines.join("\n")
    }

    #[test]
    fn strings_and_characters_are_blanked() {
        for (text, expected) in [
            (r#"a("unsafe {")"#, "a(          )"),
            (r##"a(r#"un"safe"#)"##, "a(            )"),
            (r#"a("\"unsafe")"#, "a(          )"),
            (
                "a(b'{', '\\'', '\u{1f600}', 'x')",
                "a(b   ,     ,       ,    )",
            ),
            ("fn f<'a>(x: &'a str)", "fn f< a>(x: & a str)"),
            ("for_bar\"x\"", "for_bar   "),
        ] {
            assert_eq!(code(text), expected, "{text}");
        }
    }

    #[test]
    fn comments_are_apart_and_keep_their_lines() {
        let found = lines("one(); // SAFETY: two\n/* three\n/* four */ */ five();");
        assert_eq!(found.len(), 3);
        assert_eq!(found[0].code, "one(); ");
        assert_eq!(found[0].comment, "// SAFETY: two");
        assert_eq!(found[1].comment, "/* three");
        assert_eq!(found[2].comment, "/* four */ */");
        assert_eq!(found[2].code, " five();");
    }

    #[test]
    fn a_string_may_go_over_lines() {
        let found = lines("a(\"one\nunsafe {}\");\nb");
        assert_eq!(found.len(), 3);
        assert_eq!(found[1].code.trim(), ");");
        assert_eq!(found[2].code, "b");
    }
}
