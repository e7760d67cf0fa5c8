//! Every `unsafe` says on which invariants it rests.
//!
//! `unsafe {`, `unsafe impl` and `unsafe extern {` need a comment `// SAFETY: …` before their statement,
//! `unsafe fn` and `unsafe trait` a section `# Safety` in their docs. The compiler's lints look at code
//! as expanded and at public items; this looks at all source: macros, tests, examples, private items.

use super::source::{self, Line, is_word};

/// The faults of one file, each with its line number.
pub fn faults(text: &str) -> Vec<(usize, String)> {
    let lines = source::lines(text);
    let mut faults = Vec::new();
    for (at, unsafe_use) in uses(&lines) {
        let fault = match unsafe_use {
            Use::Type => continue,
            Use::Statement => fault_of_text(safety_text(&lines, at).as_deref()),
            Use::Item => needs_section(&lines, at),
        };
        faults.extend(fault.map(|fault| (at + 1, fault.to_owned())));
    }
    faults
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Use {
    /// A block, an implementation or a foreign block: someone promises here.
    Statement,
    /// A function or a trait: it asks others for a promise.
    Item,
    /// A type of a function, an attribute, or a method whose trait has the section.
    Type,
}

/// Each `unsafe` of the file: index of its line, and how it is used.
fn uses(lines: &[Line]) -> Vec<(usize, Use)> {
    let mut found = Vec::new();
    let mut scopes = Scopes::default();
    for (at, line) in lines.iter().enumerate() {
        for (column, word) in words(&line.code) {
            if word == "unsafe" {
                let following = following(lines, at, column + word.len());
                found.push((at, classify(&following, scopes.in_trait_impl())));
            }
            scopes.word(word);
        }
        scopes.line_end();
    }
    found
}

/// The next words of the code after a column, as many as tell how an `unsafe` is used.
fn following(lines: &[Line], at: usize, column: usize) -> Vec<&str> {
    let first = words(&lines[at].code)
        .into_iter()
        .filter(|(place, _)| *place >= column);
    let rest = lines[at + 1..]
        .iter()
        .take(8)
        .flat_map(|line| words(&line.code));
    first.chain(rest).map(|(_, word)| word).take(3).collect()
}

fn classify(following: &[&str], in_trait_impl: bool) -> Use {
    // The name of the ABI is a string, so it is blanked.
    match following {
        ["{" | "impl", ..] | ["extern", "{", ..] => Use::Statement,
        ["trait" | "auto", ..] => Use::Item,
        ["fn", "(", ..] | ["extern", "fn", "(", ..] => Use::Type,
        ["fn", ..] | ["extern", "fn", ..] if in_trait_impl => Use::Type,
        ["fn", ..] | ["extern", "fn", ..] => Use::Item,
        _ => Use::Type,
    }
}

/// Words and single characters of a line of code, with their columns.
fn words(code: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut rest = code.char_indices().peekable();
    while let Some((start, character)) = rest.next() {
        if character.is_whitespace() {
            continue;
        }
        let mut end = start + character.len_utf8();
        if character.is_ascii() && is_word(character as u8) {
            while let Some((at, next)) = rest.peek().copied()
                && next.is_ascii()
                && is_word(next as u8)
            {
                end = at + 1;
                rest.next();
            }
        }
        found.push((start, &code[start..end]));
    }
    found
}

/// Which of the open braces belong to `impl Trait for Type`.
#[derive(Default)]
struct Scopes {
    open: Vec<bool>,
    header: Vec<String>,
}

impl Scopes {
    fn word(&mut self, word: &str) {
        match word {
            "{" => {
                let is_impl = self.header.iter().any(|word| word == "impl");
                let is_for = self.header.iter().any(|word| word == "for");
                let is_fn = self.header.iter().any(|word| word == "fn");
                self.open.push(is_impl && is_for && !is_fn);
                self.header.clear();
            }
            "}" => {
                self.open.pop();
                self.header.clear();
            }
            ";" => self.header.clear(),
            _ => self.header.push(word.to_owned()),
        }
    }

    fn line_end(&mut self) {
        const LONGEST_HEADER: usize = 400;
        if self.header.len() > LONGEST_HEADER {
            self.header.clear();
        }
    }

    fn in_trait_impl(&self) -> bool {
        self.open.last().copied().unwrap_or(false)
    }
}

/// The SAFETY text before the statement that contains line `at`.
fn safety_text(lines: &[Line], at: usize) -> Option<String> {
    let mut line = at;
    loop {
        if let Some(text) = text_of_comment(lines, line) {
            return Some(text);
        }
        line = line.checked_sub(1)?;
        let code = lines[line].code.trim_end();
        let ends_statement = code.ends_with([';', '{', '}']) || code.trim_start().starts_with('}');
        if ends_statement || is_blank(&lines[line]) || code.contains("unsafe") {
            return None;
        }
    }
}

/// The safety text of the comment that ends right before line `at`, or stands on it.
fn text_of_comment(lines: &[Line], at: usize) -> Option<String> {
    let above = lines[..at]
        .iter()
        .rev()
        .take_while(|line| line.code.trim().is_empty() && !line.comment.is_empty())
        .count();
    let mut text = String::new();
    for line in &lines[at - above..=at] {
        text.push_str(line.comment.trim_start_matches(['/', '*', '!']).trim());
        text.push(' ');
    }
    let (_, text) = text.split_once("SAFETY:")?;
    Some(text.trim().to_owned())
}

fn is_blank(line: &Line) -> bool {
    line.code.trim().is_empty() && line.comment.is_empty()
}

/// What is wrong with a SAFETY text, if anything is.
fn fault_of_text(text: Option<&str>) -> Option<&'static str> {
    let Some(text) = text else {
        return Some("unsafe without `// SAFETY:` before its statement");
    };
    let text = text.trim_end_matches('.').to_lowercase();
    let refers = [
        "as above",
        "see above",
        "same as above",
        "as before",
        "ditto",
    ];
    if text.is_empty() {
        return Some("an empty SAFETY text");
    }
    if refers.iter().any(|words| text.contains(words)) || is_reference_alone(&text) {
        return Some("a SAFETY text that refers to another instead of naming its invariants");
    }
    const PROMISES: [&str; 9] = [
        "the caller promises",
        "the caller promised",
        "as the caller promises",
        "as the caller promised",
        "the caller says so",
        "the caller vouches",
        "not null, and the caller vouches for the rest",
        "promised by the caller",
        "this is safe",
    ];
    if PROMISES.contains(&text.as_str()) {
        return Some("a SAFETY text that names no invariant");
    }
    None
}

/// `as in `x``, `as for `x``: nothing but the name of another place.
fn is_reference_alone(text: &str) -> bool {
    let Some(rest) = ["as in ", "as for ", "see ", "like "]
        .iter()
        .find_map(|words| text.strip_prefix(words))
    else {
        return false;
    };
    let Some((_, rest)) = rest.strip_prefix('`').and_then(|name| name.split_once('`')) else {
        return !rest.contains([',', ';', ':', '.']);
    };
    rest.trim().is_empty()
}

/// The fault of an unsafe function or trait whose docs have no section on safety.
fn needs_section(lines: &[Line], at: usize) -> Option<&'static str> {
    let is_head = |line: &&Line| {
        let code = line.code.trim();
        let is_attribute = code.starts_with("#[") || code.ends_with(['(', ',', ']', '=']);
        !is_blank(line) && (code.is_empty() || is_attribute)
    };
    let is_section = |line: &Line| line.comment.contains("# Safety");
    let of_item = lines[..at].iter().rev().take_while(is_head).any(is_section);
    // A file of functions that share one contract states it once, in its module doc.
    let of_module = lines
        .iter()
        .take_while(|line| line.comment.starts_with("//!"))
        .any(is_section);
    (!of_item && !of_module).then_some("an unsafe item without a section `# Safety` in its docs")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault_count(text: &str) -> usize {
        faults(text).len()
    }

    #[test]
    fn a_block_without_a_text_is_refused() {
        for text in [
            "fn f() { unsafe { g() } }",
            "let x = unsafe { g() };",
            "// A comment.\nlet x = unsafe { g() };",
            "// SAFETY: one line.\n\nunsafe { g() };",
            "// SAFETY: for g alone.\nlet x = unsafe { g() };\nlet y = unsafe { h() };",
            "// SAFETY: for g alone.\ng();\nunsafe { h() };",
            "match x {\n// SAFETY: a word.\nA => unsafe { g() },\nB => unsafe { h() },\n}",
            "macro_rules! m { () => { unsafe { g() } } }",
            "unsafe\n{ g() }",
            "unsafe impl Send for X {}",
            "unsafe extern \"C\" { fn g(); }",
        ] {
            assert_eq!(fault_count(text), 1, "{text}");
        }
    }

    #[test]
    fn a_text_before_the_statement_is_enough() {
        for text in [
            "// SAFETY: g takes a number.\nlet x = unsafe { g(1) };",
            "// SAFETY: g takes\n// a number.\nlet x =\n    unsafe { g(1) };",
            "// SAFETY: g takes a number.\nlet x = call(\n    1,\n    unsafe { g(1) },\n);",
            "// SAFETY: no shared state.\n#[cfg(a)]\nunsafe impl Send for X {}",
            "A => /* SAFETY: g takes a number. */ unsafe { g(1) },",
            "let text = \"unsafe {\";",
            "// what an unsafe { block } is",
            "#[unsafe(no_mangle)]\npub fn f() {}",
            "type F = unsafe fn(u32);\ntype G = unsafe extern \"C\" fn(u32);",
        ] {
            assert_eq!(faults(text), [], "{text}");
        }
    }

    #[test]
    fn a_text_that_names_no_invariant_is_refused() {
        for text in [
            "",
            "As above.",
            "see above",
            "as above; and the rest is fine.",
            "as in `load32`.",
            "as for the first",
            "The caller promises.",
            "As the caller promises.",
            "the caller says so.",
        ] {
            let source = format!("// SAFETY: {text}\nunsafe {{ g() }};");
            assert_eq!(fault_count(&source), 1, "{text}");
        }
        let source =
            "// SAFETY: as in `load32`, with the address a multiple of 8.\nunsafe { g() };";
        assert_eq!(faults(source), []);
    }

    #[test]
    fn an_unsafe_item_needs_a_section() {
        for text in [
            "unsafe fn f() {}",
            "/// Does it.\npub unsafe fn f() {}",
            "/// # Safety\n///\n/// Nothing.\nfn g() {}\nunsafe fn f() {}",
            "/// Does it.\npub unsafe extern \"C\" fn f() {}",
            "trait T {\n/// Does it.\nunsafe fn f(&self);\n}",
            "impl X {\nunsafe fn f(&self) {}\n}",
            "fn g<'a>(x: impl Fn() + 'a) {}\nunsafe fn f() {}",
            "unsafe trait T {}",
            "macro_rules! m { ($name:ident) => { unsafe fn $name() {} } }",
        ] {
            assert_eq!(fault_count(text), 1, "{text}");
        }
        for text in [
            "/// # Safety\n///\n/// `x` is aligned.\n#[unsafe(no_mangle)]\npub unsafe extern \"C\" fn f() {}",
            "/// # Safety\n/// - a word\n#[expect(\n    lint,\n    reason = \"it (is) so\"\n)]\nunsafe fn f() {}",
            "impl T for X {\nunsafe fn f(&self) {}\n}",
        ] {
            assert_eq!(faults(text), [], "{text}");
        }
    }
}
