//! How the values of settings are written.

use super::{
    AicpuEntry, AicpuError, Corrupt, CorruptWord, NoBuffer, SettingError, StaleLine, StaleWords,
    Which,
};
use std::str::FromStr;

/// The highest index of a core.
const LAST_CORE: u64 = 107;
/// The highest index of a lane or of an AICPU thread.
const LAST_LANE: u64 = 15;

/// How slots are named.
pub(super) const SLOTS: &str = "all, CORE, CORE:TOKEN or 1/N";

/// A setting as it was given.
#[derive(Clone, Copy)]
pub(super) struct Value<'a> {
    pub(super) name: &'a str,
    pub(super) value: &'a str,
}

impl Value<'_> {
    pub(super) fn number(self, last: u64, expected: &str) -> Result<Option<u64>, SettingError> {
        self.read(expected, |text| up_to(text, last))
    }

    pub(super) fn core(self) -> Result<Option<u32>, SettingError> {
        self.read("the index of a core", core)
    }

    /// The value as `parse` understands it; `None` when the setting is taken back.
    pub(super) fn read<T>(
        self,
        expected: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, SettingError> {
        if matches!(self.value, "" | "off") {
            return Ok(None);
        }
        match parse(self.value) {
            Some(parsed) => Ok(Some(parsed)),
            None => Err(SettingError::Value {
                name: self.name.to_owned(),
                value: self.value.to_owned(),
                expected: expected.to_owned(),
            }),
        }
    }
}

fn up_to<T: FromStr + PartialOrd>(text: &str, last: T) -> Option<T> {
    text.parse().ok().filter(|number| *number <= last)
}

fn core(text: &str) -> Option<u32> {
    u32::try_from(up_to(text, LAST_CORE)?).ok()
}

fn lane(text: &str) -> Option<u32> {
    u32::try_from(up_to(text, LAST_LANE)?).ok()
}

pub(super) fn which(text: &str) -> Option<Which> {
    if text == "all" {
        return Some(Which::All);
    }
    if let Some(number) = text.strip_prefix("1/") {
        return up_to(number, u64::MAX)
            .filter(|number| *number > 0)
            .map(Which::OneIn);
    }
    match text.split_once(':') {
        None => core(text).map(Which::Core),
        Some((of, token)) => Some(Which::Token(core(of)?, token.parse().ok()?)),
    }
}

pub(super) fn no_buffer(text: &str) -> Option<NoBuffer> {
    let (of, after) = text.split_once(':').unwrap_or((text, "0"));
    let lane = match of {
        "all" => None,
        of => Some(lane(of)?),
    };
    let after = after.parse().ok()?;
    Some(NoBuffer { lane, after })
}

pub(super) fn stale_line(text: &str) -> Option<StaleLine> {
    let (words, of) = text.split_once(':').unwrap_or((text, "all"));
    let words = StaleWords::named(words)?;
    match which(of)? {
        Which::Token(..) => None,
        which => Some(StaleLine { words, which }),
    }
}

pub(super) fn corrupt(text: &str) -> Option<Corrupt> {
    let mut parts = text.split(':');
    let word = CorruptWord::named(parts.next()?)?;
    let index = match parts.next() {
        None | Some("all") => None,
        Some(index) if word == CorruptWord::Dispatched => Some(core(index)?),
        Some(index) => Some(lane(index)?),
    };
    let from = match parts.next() {
        None => 1,
        Some(from) => from.parse().ok().filter(|from| *from > 0)?,
    };
    let corrupt = Corrupt { word, index, from };
    parts.next().is_none().then_some(corrupt)
}

pub(super) fn aicpu_error(text: &str) -> Option<AicpuError> {
    let mut parts = text.split(':');
    let when = AicpuEntry::named(parts.next()?)?;
    let code = parts.next()?.parse().ok().filter(|code| *code != 0)?;
    let thread = match parts.next() {
        None => None,
        Some(thread) => Some(lane(thread)?),
    };
    let error = AicpuError { when, code, thread };
    parts.next().is_none().then_some(error)
}
