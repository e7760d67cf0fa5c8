//! Text under construction: numbers, microseconds and JSON strings, appended without formatting machinery.

use std::io::{self, Write};

/// The buffer is handed on when it holds this much.
const FLUSH_BYTES: usize = 256 << 10;

/// Text on its way to a file.
pub(crate) struct Text<W> {
    bytes: Vec<u8>,
    out: W,
    written_bytes: u64,
}

impl<W: Write> Text<W> {
    pub(crate) fn new(out: W) -> Self {
        Self {
            bytes: Vec::with_capacity(FLUSH_BYTES + (FLUSH_BYTES >> 2)),
            out,
            written_bytes: 0,
        }
    }

    #[inline]
    pub(crate) fn raw(&mut self, text: &str) {
        self.bytes.extend_from_slice(text.as_bytes());
    }

    #[inline]
    pub(crate) fn uint(&mut self, value: u64) {
        let mut digits = [0_u8; 20];
        let mut first = digits.len();
        let mut rest = value;
        loop {
            first -= 1;
            digits[first] = b'0' + u8::try_from(rest % 10).expect("a digit");
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        self.bytes.extend_from_slice(&digits[first..]);
    }

    #[inline]
    pub(crate) fn int(&mut self, value: i64) {
        if value < 0 {
            self.bytes.push(b'-');
        }
        self.uint(value.unsigned_abs());
    }

    /// A double with three digits behind the point, rounded as C's `%.3f` does.
    #[inline]
    pub(crate) fn thousandths(&mut self, value: f64) {
        // Below this the product is off by less than 2^-10.
        if (0.0..1e9).contains(&value) && value.is_sign_positive() {
            let scaled = value * 1000.0;
            let nearest = (scaled + 0.5).trunc();
            // Away from the middle between two, the nearest of the product is that of the value.
            if (scaled - nearest).abs() < 0.49 {
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "checked to be in 0..=10^12"
                )]
                let thousandths = nearest as u64;
                self.uint(thousandths / 1000);
                let rest = thousandths % 1000;
                let digit = |digit: u64| b'0' + u8::try_from(digit).expect("a digit");
                let digits = [rest / 100, rest / 10 % 10, rest % 10].map(digit);
                self.bytes.push(b'.');
                self.bytes.extend_from_slice(&digits);
                return;
            }
        }
        self.raw(&format!("{value:.3}"));
    }

    /// A JSON string, quotes and all.
    pub(crate) fn json_string(&mut self, text: &str) {
        self.bytes.push(b'"');
        for byte in text.bytes() {
            match byte {
                b'"' => self.raw("\\\""),
                b'\\' => self.raw("\\\\"),
                b'\n' => self.raw("\\n"),
                0..0x20 => {
                    const HEX: [u8; 16] = *b"0123456789abcdef";
                    self.raw("\\u00");
                    self.bytes.push(HEX[usize::from(byte >> 4)]);
                    self.bytes.push(HEX[usize::from(byte & 15)]);
                }
                _ => self.bytes.push(byte),
            }
        }
        self.bytes.push(b'"');
    }

    /// A time or a duration in microseconds.
    #[inline]
    pub(crate) fn microseconds(&mut self, clock: &Microseconds, ticks: u64) {
        let (whole, mut rest) = clock.split(ticks);
        self.uint(whole);
        if rest == 0 {
            return;
        }
        self.bytes.push(b'.');
        for _ in 0..Microseconds::MOST_DIGITS {
            rest *= 10;
            let digit = u8::try_from(rest / clock.ticks_per_second).expect("a digit");
            self.bytes.push(b'0' + digit);
            rest %= clock.ticks_per_second;
            if rest == 0 {
                break;
            }
        }
    }

    /// Hands the buffer on when it is full.
    #[inline]
    pub(crate) fn pass_on(&mut self) -> io::Result<()> {
        if self.bytes.len() < FLUSH_BYTES {
            return Ok(());
        }
        self.flush()
    }

    /// Hands everything on and says how much there was in all.
    pub(crate) fn finish(mut self) -> io::Result<u64> {
        self.flush()?;
        self.out.flush()?;
        Ok(self.written_bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.write_all(&self.bytes)?;
        self.written_bytes += self.bytes.len() as u64;
        self.bytes.clear();
        Ok(())
    }
}

/// Ticks as microseconds in decimal, without going through floating point.
///
/// Exact for every rate whose ticks have a decimal form of at most [`Self::MOST_DIGITS`] digits of a
/// microsecond, as all that divide 1 GHz have; others are cut there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Microseconds {
    ticks_per_second: u64,
}

impl Microseconds {
    /// Digits behind the point.
    pub(crate) const MOST_DIGITS: u32 = 9;
    /// No counter is faster; ten times it still fits 64 bits.
    const LAST_RATE: u64 = 1 << 60;

    pub(crate) fn of(ticks_per_second: u64) -> Self {
        Self {
            ticks_per_second: ticks_per_second.clamp(1, Self::LAST_RATE),
        }
    }

    /// Whole microseconds, and the rest in parts of a microsecond of which `ticks_per_second` make one.
    #[inline]
    fn split(&self, ticks: u64) -> (u64, u64) {
        if let Some(parts) = ticks.checked_mul(1_000_000) {
            return (parts / self.ticks_per_second, parts % self.ticks_per_second);
        }
        let rate = u128::from(self.ticks_per_second);
        let parts = u128::from(ticks) * 1_000_000;
        let whole = u64::try_from(parts / rate).unwrap_or(u64::MAX);
        let rest = u64::try_from(parts % rate).expect("less than the rate, which has 64 bits");
        (whole, rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(write: impl FnOnce(&mut Text<&mut Vec<u8>>)) -> String {
        let mut out = Vec::new();
        let mut text = Text::new(&mut out);
        write(&mut text);
        text.finish().unwrap();
        String::from_utf8(out).unwrap()
    }

    fn microseconds(rate: u64, ticks: u64) -> String {
        text(|text| text.microseconds(&Microseconds::of(rate), ticks))
    }

    #[test]
    fn microseconds_are_exact_decimals() {
        assert_eq!(microseconds(50_000_000, 1), "0.02");
        assert_eq!(microseconds(50_000_000, 50), "1");
        assert_eq!(
            microseconds(1_000_000_000, 84_195_465_005_227),
            "84195465005.227"
        );
        assert_eq!(
            microseconds(1_000_000_000, u64::MAX),
            "18446744073709551.615"
        );
        assert_eq!(microseconds(3_000_000, 1), "0.333333333");
    }

    #[test]
    fn thousandths_are_rounded_as_the_formatting_of_the_language_does() {
        let mut state = 1_u64;
        let mut values = vec![
            0.0,
            -0.0,
            -1.5,
            0.0005,
            0.0625,
            0.1875,
            1e9,
            999_999_999.999_5,
        ];
        for _ in 0..200_000 {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            // Of all sizes; every second one in the middle between two thousandths, or beside it.
            let places = state >> 58;
            #[expect(clippy::cast_precision_loss, reason = "any double will do")]
            let value = ((state >> 12) >> places) as f64;
            values.extend([
                value / 16.0,
                value / 2000.0,
                value / 1e3,
                (value / 2e3).next_up(),
            ]);
        }
        for value in values {
            assert_eq!(text(|text| text.thousandths(value)), format!("{value:.3}"));
        }
    }

    #[test]
    fn strings_are_escaped() {
        assert_eq!(
            text(|text| text.json_string("a\"\\\n\u{1}é")),
            "\"a\\\"\\\\\\n\\u0001é\""
        );
    }
}
