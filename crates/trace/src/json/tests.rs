//! What the reader takes and what it refuses, and where it says so.

use super::{Members, Reader};
use crate::TraceError;
use std::io::Read;
use std::path::Path;

/// One byte at a time, so that every piece of a document is refilled somewhere.
struct Dribble<'a>(&'a [u8]);

impl Read for Dribble<'_> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        let count = usize::from(!self.0.is_empty() && !out.is_empty());
        out[..count].copy_from_slice(&self.0[..count]);
        self.0 = &self.0[count..];
        Ok(count)
    }
}

fn reader(text: &str) -> Reader<Dribble<'_>> {
    Reader::new(Dribble(text.as_bytes()), Path::new("t.json"))
}

fn message(error: &TraceError) -> String {
    error.to_string()
}

#[test]
fn numbers_are_the_nearest_doubles() {
    let texts = [
        "0",
        "-0",
        "-0.0",
        "0.1",
        "198.300",
        "1e3",
        "1E-5",
        "9007199254740993.0",
        "4.35",
        "123456789012345678901234567890.5",
        "5e-324",
        "2.2250738585072011e-308",
        "0.000001",
        "4503599627370496",
        "179769313486231570000000000000000000000.0e270",
        "1e-400",
        "8.41470984807896506652502321630298999622563060798371065672751709991910404391239669e-1",
    ];
    for text in texts {
        let number = reader(text).number("a number").unwrap();
        let expected: f64 = text.parse().unwrap();
        let is_whole = !text.contains(['.', 'e', 'E']);
        assert_eq!(number.is_whole, is_whole, "{text}");
        let expected = if is_whole { expected + 0.0 } else { expected };
        assert_eq!(number.value.to_bits(), expected.to_bits(), "{text}");
    }
}

#[test]
fn what_is_no_number_is_refused_where_it_stands() {
    for text in [
        "01", "-", "+1", ".5", "1.", "1.e3", "1e", "1e+", "NaN", "Infinity", "1e999",
    ] {
        let error = reader(text).number("a time").unwrap_err();
        assert!(
            message(&error).contains("t.json: line 1, column 1: "),
            "{text}: {error}"
        );
        assert!(
            message(&error).contains("expected a time"),
            "{text}: {error}"
        );
    }
    // Whole numbers that a double does not hold would come out changed.
    reader("9007199254740993").number("a time").unwrap_err();
    assert_eq!(
        reader("18446744073709551615").integer("an id").unwrap(),
        i128::from(u64::MAX)
    );
    reader("1.0").integer("an id").unwrap_err();
    let error = reader("65536").integer_of::<u16>("a core").unwrap_err();
    assert!(
        message(&error).ends_with("65536, expected a core"),
        "{error}"
    );
}

#[test]
fn strings_are_unescaped() {
    let text = r#""aé\"\\\/\b\f\n\r\tA\u00e9\ud83d\ude00""#;
    let expected = "aé\"\\/\u{8}\u{c}\n\r\tAé😀";
    assert_eq!(reader(text).text("a name").unwrap(), expected);
    for text in [
        r#""\ud83d""#,
        r#""\ude00\ud83d""#,
        r#""\q""#,
        r#""\é""#,
        "\"a\nb\"",
        "\"",
        r#""\"#,
        r#""\u12"#,
    ] {
        let error = reader(text).text("a name").unwrap_err();
        assert!(message(&error).contains("line 1"), "{text}: {error}");
    }
    let error = Reader::new(&b"\"\xff\""[..], Path::new("t.json"))
        .text("a name")
        .unwrap_err();
    assert!(message(&error).contains("not UTF-8"), "{error}");
    let long = format!("\"{}\"", "x".repeat(300_000));
    reader(&long).text("a name").unwrap_err();
    // What nobody asks for may be of any length.
    let mut skipped = reader(&long);
    skipped.skip().unwrap();
    skipped.end().unwrap();
}

#[test]
fn members_come_in_any_order_and_under_any_spelling() {
    let text = "{\"b\": 1,\n \"\\u0061\": 2, \"c\": {\"a\": [3, {\"x\": \"}]\\\"\"}]}}\n";
    let mut reader = reader(text);
    let mut members = Members::default();
    let mut seen = Vec::new();
    reader.begin_object().unwrap();
    while let Some(member) = reader.member(&["a", "b"], &mut members).unwrap() {
        match member {
            2 => reader.skip().unwrap(),
            member => seen.push((member, reader.integer("a number").unwrap())),
        }
    }
    reader.end().unwrap();
    assert_eq!(seen, [(1, 1), (0, 2)]);
}

#[test]
fn what_is_skipped_is_still_checked() {
    let bad = [
        "[1,]",
        "[1 2]",
        "[,1]",
        "{\"a\" 1}",
        "{\"a\":1,}",
        "{1:2}",
        "[}",
        "tru",
        "\"a",
        "[",
        "{\"a\":",
        "nul",
        "",
    ];
    for text in bad {
        let mut reader = reader(text);
        assert!(reader.skip().and_then(|()| reader.end()).is_err(), "{text}");
    }
    let good = [
        "[]",
        "{}",
        "[[],{}]",
        "{\"a\":[1,-2.5e3,true,false,null,\"\\\\\"]}",
    ];
    for text in good {
        let mut reader = reader(text);
        reader.skip().unwrap();
        reader.end().unwrap();
    }
    let deep = "[".repeat(100_000);
    let error = reader(&deep).skip().unwrap_err();
    assert!(message(&error).contains("1000 levels"), "{error}");
}

#[test]
fn positions_count_lines_and_bytes() {
    let mut reader = reader("[1,\n  2,\n  x]");
    let mut members = Members::default();
    reader.begin_array().unwrap();
    for _ in 0..2 {
        assert!(reader.element(&mut members).unwrap());
        reader.number("a number").unwrap();
    }
    assert!(reader.element(&mut members).unwrap());
    let error = reader.number("a number").unwrap_err();
    assert_eq!(
        message(&error),
        "t.json: line 3, column 3: `x`, expected a number"
    );
}
