//! Numbers: a double, or a whole number that was written as one.

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

/// Whole numbers up to here are exact as doubles, and so are their differences.
const LARGEST_WHOLE: u64 = 1 << 52;

const POWERS: [f64; 23] = [
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
        self.error(format!("{text}, expected {what} as JSON writes it"))
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
