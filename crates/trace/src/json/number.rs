//! Numbers: a double, a whole number that was written as one, or one with so many decimals.

use super::Reader;
use crate::TraceError;
use std::io::Read;

/// A number as it was written: `3` and `3.0` are not the same text.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Number {
    /// The double next to what was written; exact for a whole number.
    pub value: f64,
    /// Whether it was written without fraction and exponent.
    pub is_whole: bool,
}

/// A number in units of a power of ten: exact wherever its text has no further decimals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fixed {
    /// How many units, rounded.
    pub units: i128,
    /// Whether more than a hundredth of a unit was rounded away, which is more than a double's noise.
    pub is_rounded: bool,
    /// Whether the number is 0, and not only rounded to it.
    pub is_zero: bool,
}

impl Fixed {
    /// No unit.
    pub const ZERO: Self = Self {
        units: 0,
        is_rounded: false,
        is_zero: true,
    };

    /// The number that a text is, in units of 10^-`places`; `None` when it is none, or far beyond 64 bits.
    #[must_use]
    pub fn of_text(text: &str, places: usize) -> Option<Self> {
        let (is_negative, rest) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (whole, fraction) = rest.split_once('.').unwrap_or((rest, ""));
        let is_plain = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        let digits = whole.len() + fraction.len();
        if !whole.is_empty() && is_plain(whole) && is_plain(fraction) && digits <= 19 {
            let mut value = 0;
            run_of_digits(whole.as_bytes(), &mut value);
            run_of_digits(fraction.as_bytes(), &mut value);
            return Some(Self::of_digits(value, fraction.len(), places, is_negative));
        }
        let places = i32::try_from(places).ok()?;
        let units = text.parse::<f64>().ok()? * 10_f64.powi(places);
        // As text is, a number of so many digits is a double's: what is behind them is noise.
        #[expect(clippy::cast_possible_truncation, reason = "far below 2^127")]
        (units.abs() < 1e30).then(|| Self {
            units: units.round() as i128,
            is_rounded: (units - units.round()).abs() > 0.01,
            is_zero: units == 0.0,
        })
    }

    fn of_digits(digits: u64, decimals: usize, places: usize, is_negative: bool) -> Self {
        let power = |exponent: usize| 10_u128.pow(u32::try_from(exponent).unwrap_or(38).min(38));
        let digits = u128::from(digits);
        let (units, rest, unit) = match places.checked_sub(decimals) {
            Some(fewer) => (digits.saturating_mul(power(fewer)), 0, 1),
            None => {
                let unit = power(decimals - places);
                (digits / unit, digits % unit, unit)
            }
        };
        let rounded = units + u128::from(rest * 2 >= unit && rest > 0);
        let away = rest.min(unit - rest);
        let units = i128::try_from(rounded).unwrap_or(i128::MAX);
        Self {
            units: if is_negative { -units } else { units },
            is_rounded: away * 100 > unit,
            is_zero: digits == 0,
        }
    }
}

/// Whole numbers up to here are exact as doubles, and so are their differences.
const LARGEST_WHOLE: u64 = 1 << 52;

pub(crate) const POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
    1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
];

/// The parts of a number's text.
struct Token {
    bytes: usize,
    is_negative: bool,
    /// All digits before an exponent as one number; `None` when they are more than 19.
    digits: Option<u64>,
    fraction_digits: usize,
    /// Neither fraction nor exponent.
    is_whole: bool,
    has_exponent: bool,
}

impl<R: Read> Reader<R> {
    /// The number that comes; `what` names it in errors.
    ///
    /// # Errors
    ///
    /// When something else comes, or a number that is not finite or, being whole, not exact.
    #[inline]
    pub fn number(&mut self, what: &str) -> Result<Number, TraceError> {
        let token = self.number_token(what)?;
        // Below 2^53 and 10^22 both parts are exact, so the quotient is the nearest double.
        let simple = token.digits.filter(|&digits| {
            digits <= LARGEST_WHOLE && !token.has_exponent && token.fraction_digits < POWERS.len()
        });
        #[expect(clippy::cast_precision_loss, reason = "at most 2^52")]
        let value = match simple {
            Some(digits) => digits as f64 / POWERS[token.fraction_digits],
            None => self.uncommon(&token, what)?,
        };
        self.at += token.bytes;
        let is_negative = token.is_negative && !(token.is_whole && value == 0.0);
        Ok(Number {
            value: if is_negative { -value } else { value },
            is_whole: token.is_whole,
        })
    }

    /// The number that comes, in units of 10^-`places`, at most 20.
    ///
    /// # Errors
    ///
    /// When something else comes, or a number far beyond 64 bits.
    #[inline]
    pub fn fixed(&mut self, places: usize, what: &str) -> Result<Fixed, TraceError> {
        let token = self.number_token(what)?;
        let fixed = self.fixed_of(&token, places).ok_or_else(|| {
            let text = self.text_of(&token);
            self.error(format!("{text} is too large, expected {what}"))
        })?;
        self.at += token.bytes;
        Ok(fixed)
    }

    /// The same, and nothing for a number far beyond 64 bits.
    ///
    /// # Errors
    ///
    /// When something else comes.
    pub fn fixed_if_any(&mut self, places: usize) -> Result<Option<Fixed>, TraceError> {
        let token = self.number_token("a number")?;
        let fixed = self.fixed_of(&token, places);
        self.at += token.bytes;
        Ok(fixed)
    }

    #[inline]
    fn fixed_of(&self, token: &Token, places: usize) -> Option<Fixed> {
        let places = places.min(20);
        match token.digits.filter(|_| !token.has_exponent) {
            Some(digits) => {
                let decimals = token.fraction_digits;
                Some(Fixed::of_digits(
                    digits,
                    decimals,
                    places,
                    token.is_negative,
                ))
            }
            None => Fixed::of_text(self.text_of(token), places),
        }
    }

    /// The number that comes, as it was written.
    ///
    /// # Errors
    ///
    /// When something else comes.
    pub fn number_text(&mut self, what: &str) -> Result<String, TraceError> {
        let token = self.number_token(what)?;
        let text = self.text_of(&token).to_owned();
        self.at += token.bytes;
        Ok(text)
    }

    /// The whole number that comes.
    ///
    /// # Errors
    ///
    /// When something else comes, or a number outside 64 bits.
    #[inline]
    pub fn integer(&mut self, what: &str) -> Result<i128, TraceError> {
        let token = self.number_token(what)?;
        let Some(digits) = token.digits.filter(|_| token.is_whole) else {
            return self.long_integer(&token, what);
        };
        self.at += token.bytes;
        let value = i128::from(digits);
        Ok(if token.is_negative { -value } else { value })
    }

    /// The whole number that comes, in the range of `T`.
    ///
    /// # Errors
    ///
    /// When something else comes, or a number outside the range.
    #[inline]
    pub fn integer_of<T: TryFrom<i128>>(&mut self, what: &str) -> Result<T, TraceError> {
        let value = self.integer(what)?;
        T::try_from(value).map_err(|_| self.error(format!("{value}, expected {what}")))
    }

    #[cold]
    fn long_integer(&mut self, token: &Token, what: &str) -> Result<i128, TraceError> {
        let text = self.text_of(token);
        let value = text.parse().ok().filter(|_| token.is_whole);
        let value = value.ok_or_else(|| self.error(format!("{text}, expected {what}")))?;
        self.at += token.bytes;
        Ok(value)
    }

    /// Passes over the number that comes.
    pub(super) fn pass_number(&mut self) -> Result<(), TraceError> {
        let token = self.number_token("a number")?;
        self.at += token.bytes;
        Ok(())
    }

    /// The double next to the token's text without its sign.
    #[cold]
    fn uncommon(&self, token: &Token, what: &str) -> Result<f64, TraceError> {
        let text = self.text_of(token);
        let value: f64 = text.parse().expect("the text was checked to be a number");
        #[expect(clippy::cast_precision_loss, reason = "2^52 is exact")]
        let is_exact = !token.is_whole || value.abs() <= LARGEST_WHOLE as f64;
        if !value.is_finite() || !is_exact {
            return Err(self.error(format!(
                "{text}, expected {what} that a double holds exactly"
            )));
        }
        Ok(value.abs())
    }

    fn text_of(&self, token: &Token) -> &str {
        std::str::from_utf8(&self.ahead()[..token.bytes]).expect("a number is ASCII")
    }

    /// Checks the text of the number that comes, and takes nothing.
    #[inline]
    fn number_token(&mut self, what: &str) -> Result<Token, TraceError> {
        let Some(b'-' | b'0'..=b'9') = self.peek()? else {
            return Err(self.unexpected(what));
        };
        let ahead = self.ahead();
        let ahead = &ahead[..ahead.len().min(super::LONGEST_BYTES)];
        let is_negative = ahead[0] == b'-';
        let first = usize::from(is_negative);
        let mut digits = 0_u64;
        let integral = run_of_digits(&ahead[first..], &mut digits);
        let mut at = first + integral;
        let leads_with_zero = integral > 1 && ahead[first] == b'0';
        let mut fraction_digits = 0;
        if ahead.get(at) == Some(&b'.') {
            fraction_digits = run_of_digits(&ahead[at + 1..], &mut digits);
            at += 1 + fraction_digits;
            if fraction_digits == 0 {
                return Err(self.bad_number(what));
            }
        }
        let mut token = Token {
            bytes: at,
            is_negative,
            digits: (integral + fraction_digits <= 19).then_some(digits),
            fraction_digits,
            is_whole: fraction_digits == 0,
            has_exponent: false,
        };
        if let Some(b'e' | b'E') = ahead.get(at) {
            let signed = matches!(ahead.get(at + 1), Some(b'+' | b'-'));
            let begin = at + 1 + usize::from(signed);
            let exponent = run_of_digits(ahead.get(begin..).unwrap_or(&[]), &mut 0);
            if exponent == 0 {
                return Err(self.bad_number(what));
            }
            token.bytes = begin + exponent;
            token.is_whole = false;
            token.has_exponent = true;
        }
        if integral == 0 || leads_with_zero || token.bytes >= super::LONGEST_BYTES {
            return Err(self.bad_number(what));
        }
        Ok(token)
    }

    #[cold]
    fn bad_number(&self, what: &str) -> TraceError {
        let ahead = self.ahead();
        let is_part =
            |byte: &u8| byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.' | b'e' | b'E');
        let shown = ahead.iter().take(40).take_while(|byte| is_part(byte));
        let text: String = shown.map(|&byte| char::from(byte)).collect();
        let message = format!("{text}, expected {what} as JSON writes it");
        match self.is_drained && text.len() == ahead.len() {
            true => self.cut(message),
            false => self.error(message),
        }
    }
}

/// How many digits come, and what they add to `value`; it is meaningless above 19 digits in all.
#[inline]
fn run_of_digits(bytes: &[u8], value: &mut u64) -> usize {
    let mut count = 0;
    for &byte in bytes {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            break;
        }
        *value = value.wrapping_mul(10).wrapping_add(u64::from(digit));
        count += 1;
    }
    count
}

impl Number {
    /// A double.
    #[must_use]
    pub const fn double(value: f64) -> Self {
        Self {
            value,
            is_whole: false,
        }
    }

    /// The difference: whole if both are.
    #[inline]
    #[must_use]
    pub fn minus(self, other: Self) -> Self {
        Self {
            value: self.value - other.value,
            is_whole: self.is_whole && other.is_whole,
        }
    }
}
