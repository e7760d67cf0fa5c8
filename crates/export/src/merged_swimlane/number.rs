//! Numbers as Python's `repr` prints them.

use lanescope_trace::json::Number;

/// Appends a number: a whole one as it is, a double with the fewest digits that give it back.
#[inline]
pub(super) fn write(out: &mut Vec<u8>, number: Number) {
    if number.is_whole {
        #[expect(clippy::cast_possible_truncation, reason = "whole and at most 2^53")]
        let value = number.value as i64;
        out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
    } else if !thousandths(out, number.value) {
        other(out, number.value);
    }
}

/// Times have three digits: those that are thousandths below 10^9 are written as such.
#[inline]
fn thousandths(out: &mut Vec<u8>, value: f64) -> bool {
    if !(0.0..1e9).contains(&value) || value.is_sign_negative() {
        return false;
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "checked to be in 0..=10^12"
    )]
    let thousandths = (value * 1000.0 + 0.5) as u64;
    // Below 2^53 the quotient is the double nearest to that decimal, so equality proves that the
    // decimal gives the value back; with so few digits none shorter does.
    #[expect(clippy::cast_precision_loss, reason = "at most 10^12")]
    let is_exact = thousandths as f64 / 1000.0 == value;
    if !is_exact {
        return false;
    }
    let rest = u8::try_from(thousandths % 1000 / 10).expect("below 100");
    let digits = [
        b'.',
        b'0' + rest / 10,
        b'0' + rest % 10,
        b'0' + u8::try_from(thousandths % 10).expect("below 10"),
    ];
    let unused = match digits {
        [.., b'0', b'0'] => 2,
        [.., b'0'] => 1,
        _ => 0,
    };
    whole(out, thousandths / 1000);
    out.extend_from_slice(&digits);
    out.truncate(out.len() - unused);
    true
}

/// Appends a whole number: as many bytes as any number has, of which those behind it are taken away again,
/// since copying a known number of bytes is one instruction.
#[inline]
pub(super) fn whole(out: &mut Vec<u8>, number: u64) {
    const MOST: usize = 20;
    let mut text = [0; MOST];
    let count = number.checked_ilog10().unwrap_or(0) as usize + 1;
    let (mut rest, mut at) = (number, count);
    while rest >= 100 {
        let pair = PAIRS[(rest % 100) as usize];
        rest /= 100;
        text[at - 2] = pair[0];
        text[at - 1] = pair[1];
        at -= 2;
    }
    let pair = PAIRS[(rest % 100) as usize];
    text[at - 1] = pair[1];
    if at > 1 {
        text[0] = pair[0];
    }
    let begin = out.len();
    out.extend_from_slice(&text);
    out.truncate(begin + count);
}

/// The two digits of every number below 100.
const PAIRS: [[u8; 2]; 100] = {
    let mut pairs = [[0; 2]; 100];
    let mut number = 0_u8;
    while number < 100 {
        pairs[number as usize] = [b'0' + number / 10, b'0' + number % 10];
        number += 1;
    }
    pairs
};

fn other(out: &mut Vec<u8>, value: f64) {
    let size = value.abs();
    if size == 0.0 || (1e-4..1e16).contains(&size) {
        out.extend_from_slice(zmij::Buffer::new().format_finite(value).as_bytes());
        return;
    }
    let text = format!("{value:e}");
    let (digits, exponent) = text.split_once('e').expect("`e` was asked for");
    let (sign, exponent) = match exponent.strip_prefix('-') {
        Some(exponent) => ('-', exponent),
        None => ('+', exponent),
    };
    out.extend_from_slice(format!("{digits}e{sign}{exponent:0>2}").as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repr(value: f64) -> String {
        let mut out = Vec::new();
        write(&mut out, Number::double(value));
        String::from_utf8(out).unwrap()
    }

    /// What Python 3 prints for them.
    #[test]
    fn doubles_are_printed_as_python_does() {
        let cases = [
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (-0.01, "-0.01"),
            (1e3, "1000.0"),
            (198.3, "198.3"),
            (14.25, "14.25"),
            (0.125, "0.125"),
            (4325.9 - 0.01, "4325.889999999999"),
            (21.8 - 14.0, "7.800000000000001"),
            (0.001, "0.001"),
            (0.0001, "0.0001"),
            (0.000_123_4, "0.0001234"),
            (0.000_099, "9.9e-05"),
            (1e-5, "1e-05"),
            (1.5e-10, "1.5e-10"),
            (999_999_999.999, "999999999.999"),
            (1e9, "1000000000.0"),
            (123_456_789_012.345, "123456789012.345"),
            (1e15, "1000000000000000.0"),
            (9_007_199_254_740_993.0, "9007199254740992.0"),
            (1e16, "1e+16"),
            (1.234e16, "1.234e+16"),
            (368_934_881_474_191_040.0, "3.6893488147419104e+17"),
            (1e22, "1e+22"),
            (-1e100, "-1e+100"),
            (5e-324, "5e-324"),
            (f64::MAX, "1.7976931348623157e+308"),
        ];
        for (value, expected) in cases {
            assert_eq!(repr(value), expected);
        }
    }

    #[test]
    fn whole_numbers_have_all_their_digits() {
        let mut number = 1_u64;
        let mut numbers = vec![0, u64::MAX];
        while let Some(next) = number.checked_mul(7) {
            numbers.extend([number, number - 1]);
            number = next;
        }
        numbers.extend((0..20).map(|power| 10_u64.pow(power)));
        numbers.extend((1..20).map(|power| 10_u64.pow(power) - 1));
        for number in numbers {
            let mut out = b"t".to_vec();
            whole(&mut out, number);
            assert_eq!(String::from_utf8(out).unwrap(), format!("t{number}"));
        }
    }

    #[test]
    fn whole_numbers_stay_whole() {
        let mut out = Vec::new();
        for value in [0.0, -3.0, 4_503_599_627_370_496.0] {
            write(
                &mut out,
                Number {
                    value,
                    is_whole: true,
                },
            );
            out.push(b' ');
        }
        assert_eq!(out, b"0 -3 4503599627370496 ");
    }

    /// Every double of three digits, and its neighbours, comes back from its text.
    #[test]
    fn texts_give_the_double_back() {
        for thousandths in (0..2_000_000_u32).step_by(37) {
            let value = f64::from(thousandths) / 1000.0;
            for value in [value, value.next_up(), value.next_down(), value - 0.01] {
                let text = repr(value);
                assert_eq!(
                    text.parse::<f64>().unwrap().to_bits(),
                    value.to_bits(),
                    "{text}"
                );
            }
        }
    }
}
