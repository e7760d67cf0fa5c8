//! The text of events: indentation and key order are part of the format.

use super::blocks::{Blocks, Stopped};
use super::number;
use lanescope_trace::json::Number;
use lanescope_trace::reference::TaskId;
use std::ops::Range;

/// What stands before the first event.
const HEAD: &str = "{\n  \"traceEvents\": [";
/// What stands behind the last.
pub(super) const TAIL: &str = "\n  ]\n}";

/// Writes events one by one.
pub(super) struct Events {
    blocks: Blocks,
    text: Text,
    is_first: bool,
}

/// One end of an arrow.
#[derive(Clone, Copy)]
pub(super) struct End {
    pub(super) pid: u8,
    pub(super) tid: u64,
    pub(super) at: Number,
    /// The number of the slice it belongs to.
    pub(super) slice: Option<u64>,
}

/// A slice's place.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) pid: u8,
    pub(super) tid: u64,
    pub(super) start: Number,
    pub(super) duration: Number,
}

impl Events {
    pub(super) fn new(blocks: Blocks) -> Self {
        let text = Text {
            bytes: blocks.empty(),
            ..Text::default()
        };
        Self {
            blocks,
            text,
            is_first: false,
        }
    }

    /// Begins the file: the next event is its first.
    pub(super) fn begin_file(&mut self) {
        self.text.raw(HEAD);
        self.is_first = true;
    }

    /// Hands on what is left of a stretch.
    pub(super) fn end_stretch(&mut self) -> Result<(), Stopped> {
        self.hand_on(true)
    }

    pub(super) fn metadata(
        &mut self,
        name: &str,
        pid: u8,
        tid: Option<u64>,
        args: impl FnOnce(&mut Args<'_>),
    ) -> Result<(), Stopped> {
        let text = self.begin()?;
        text.args(args);
        text.raw(",\n      \"cat\": \"__metadata\",\n      \"name\": \"");
        text.raw(name);
        text.raw("\",\n      \"ph\": \"M\",\n      \"pid\": ");
        text.whole(u64::from(pid));
        if let Some(tid) = tid {
            text.raw(",\n      \"tid\": ");
            text.whole(tid);
        }
        text.raw("\n    }");
        Ok(())
    }

    /// A slice; `name` writes what stands between the quotes, escaped.
    #[inline]
    pub(super) fn slice(
        &mut self,
        category: &str,
        colour: Option<&str>,
        id: Option<u64>,
        place: &Place,
        args: impl FnOnce(&mut Args<'_>),
        name: impl FnOnce(&mut Text),
    ) -> Result<(), Stopped> {
        let text = self.begin()?;
        text.args(args);
        text.raw(",\n      \"cat\": \"");
        text.raw(category);
        if let Some(colour) = colour {
            text.raw("\",\n      \"cname\": \"");
            text.raw(colour);
        }
        if let Some(id) = id {
            text.raw("\",\n      \"id\": ");
            text.whole(id);
            text.raw(",\n      \"name\": \"");
        } else {
            text.raw("\",\n      \"name\": \"");
        }
        name(text);
        text.raw("\",\n      \"ph\": \"X\",\n      \"pid\": ");
        text.digit(place.pid);
        text.raw(",\n      \"tid\": ");
        text.whole(place.tid);
        text.raw(",\n      \"ts\": ");
        text.number(place.start);
        text.raw(",\n      \"dur\": ");
        text.number(place.duration);
        text.raw("\n    }");
        Ok(())
    }

    /// An arrow; `name` is written as it is.
    #[inline]
    pub(super) fn flow(
        &mut self,
        id: u64,
        name: &str,
        from: &End,
        to: &End,
    ) -> Result<(), Stopped> {
        let text = self.begin()?;
        let begin = text.bytes.len();
        text.raw("\n      \"cat\": \"flow\",\n      \"id\": ");
        text.whole(id);
        text.raw(",\n      \"name\": \"");
        text.raw(name);
        let same = begin..text.bytes.len();
        text.raw("\",\n      \"ph\": \"s\",\n      \"pid\": ");
        text.end(from);
        text.slice_of(from);
        text.raw("\n    },\n    {");
        text.bytes.extend_from_within(same);
        text.raw("\",\n      \"ph\": \"f\",\n      \"pid\": ");
        text.end(to);
        text.raw(",\n      \"bp\": \"e\"");
        text.slice_of(to);
        text.raw("\n    }");
        Ok(())
    }

    #[inline]
    fn begin(&mut self) -> Result<&mut Text, Stopped> {
        if self.text.bytes.len() >= Blocks::BYTES {
            self.hand_on(false)?;
        }
        self.text
            .raw(if self.is_first { "\n    {" } else { ",\n    {" });
        self.is_first = false;
        self.text.recent = [None, None];
        Ok(&mut self.text)
    }

    fn hand_on(&mut self, ends_stretch: bool) -> Result<(), Stopped> {
        let bytes = std::mem::replace(&mut self.text.bytes, self.blocks.empty());
        self.blocks.hand_on(bytes, ends_stretch)
    }
}

/// Bytes of the file that were not written yet.
#[derive(Default)]
pub(super) struct Text {
    bytes: Vec<u8>,
    /// The last two numbers of this event, and where their text is.
    recent: [Option<(Number, Range<usize>)>; 2],
}

impl Text {
    #[inline]
    pub(super) fn raw(&mut self, text: &str) {
        self.bytes.extend_from_slice(text.as_bytes());
    }

    #[inline]
    pub(super) fn whole(&mut self, number: u64) {
        number::whole(&mut self.bytes, number);
    }

    /// A number of one digit.
    #[inline]
    pub(super) fn digit(&mut self, number: u8) {
        debug_assert!(number < 10, "one digit");
        self.bytes.push(b'0' + number);
    }

    #[inline]
    pub(super) fn signed(&mut self, number: i64) {
        self.raw(itoa::Buffer::new().format(number));
    }

    /// Events say most of their times twice.
    #[inline]
    pub(super) fn number(&mut self, number: Number) {
        let is_same = |recent: &Number| {
            recent.value.to_bits() == number.value.to_bits() && recent.is_whole == number.is_whole
        };
        for (recent, text) in self.recent.iter().flatten() {
            if is_same(recent) {
                self.bytes.extend_from_within(text.clone());
                return;
            }
        }
        let begin = self.bytes.len();
        number::write(&mut self.bytes, number);
        self.recent.swap(0, 1);
        self.recent[0] = Some((number, begin..self.bytes.len()));
    }

    /// Where an arrow ends: behind the key of its process.
    #[inline]
    fn end(&mut self, end: &End) {
        self.digit(end.pid);
        self.raw(",\n      \"tid\": ");
        self.whole(end.tid);
        self.raw(",\n      \"ts\": ");
        number::write(&mut self.bytes, end.at);
    }

    #[inline]
    fn slice_of(&mut self, end: &End) {
        if let Some(slice) = end.slice {
            self.raw(",\n      \"bind_id\": ");
            self.whole(slice);
        }
    }

    #[inline]
    pub(super) fn id(&mut self, id: TaskId) {
        match id.is_negative {
            true => self.signed(id.bits.cast_signed()),
            false => self.whole(id.bits),
        }
    }

    /// A task as people read it: `t5`, or `r2t5` from ring 2.
    #[inline]
    pub(super) fn display(&mut self, id: TaskId) {
        let ring = (id.bits >> 32) & 0xff;
        if ring != 0 {
            self.raw("r");
            self.whole(ring);
        }
        self.raw("t");
        self.whole(id.bits & 0xffff_ffff);
    }

    /// Text with everything escaped that is not printable ASCII.
    pub(super) fn escaped(&mut self, text: &str) {
        for character in text.chars() {
            match character {
                '"' => self.raw("\\\""),
                '\\' => self.raw("\\\\"),
                '\n' => self.raw("\\n"),
                '\r' => self.raw("\\r"),
                '\t' => self.raw("\\t"),
                '\u{8}' => self.raw("\\b"),
                '\u{c}' => self.raw("\\f"),
                ' '..='~' => self.bytes.extend(u8::try_from(character)),
                _ => {
                    for unit in character.encode_utf16(&mut [0; 2]) {
                        let escape = format!("\\u{unit:04x}");
                        self.raw(&escape);
                    }
                }
            }
        }
    }

    pub(super) fn into_string(self) -> String {
        String::from_utf8(self.bytes).expect("only whole characters are written")
    }

    #[inline]
    fn args(&mut self, args: impl FnOnce(&mut Args<'_>)) {
        self.raw("\n      \"args\": {");
        args(&mut Args {
            text: self,
            is_first: true,
        });
        self.raw("\n      }");
    }
}

/// The arguments of one event.
pub(super) struct Args<'a> {
    text: &'a mut Text,
    is_first: bool,
}

impl Args<'_> {
    /// Begins an argument; its value comes next. `key` is written as it is.
    #[inline]
    pub(super) fn key(&mut self, key: &str) -> &mut Text {
        self.text.raw(if self.is_first {
            "\n        \""
        } else {
            ",\n        \""
        });
        self.is_first = false;
        self.text.raw(key);
        self.text.raw("\": ");
        self.text
    }

    /// Begins an argument whose key is `key`, escaped, and `behind`.
    pub(super) fn escaped_key(&mut self, key: &str, behind: &str) -> &mut Text {
        let mut escaped = Text::default();
        escaped.escaped(key);
        escaped.raw(behind);
        self.key(&escaped.into_string())
    }

    pub(super) fn text(&mut self, text: &str) {
        self.text.raw("\"");
        self.text.escaped(text);
        self.text.raw("\"");
    }

    pub(super) fn whole(&mut self, number: u64) {
        self.text.whole(number);
    }
}
