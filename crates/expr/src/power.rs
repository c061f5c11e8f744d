//! Powers, computed the way Go computes them: by squaring the mantissa, so that results agree to the last digit.

/// Raises `base` to a power.
pub(crate) fn power(base: f64, exponent: f64) -> f64 {
    if !base.is_finite() || !exponent.is_finite() || base == 0.0 || exponent == 0.0 {
        return base.powf(exponent);
    }
    match exponent {
        1.0 => return base,
        0.5 => return base.sqrt(),
        -0.5 => return 1.0 / base.sqrt(),
        _ => {}
    }
    let (mut whole, mut fraction) = (exponent.abs().trunc(), exponent.abs().fract());
    if fraction != 0.0 && base < 0.0 {
        return f64::NAN;
    }
    if whole >= 9_223_372_036_854_775_808.0 {
        return base.powf(exponent);
    }
    if fraction > 0.5 {
        fraction -= 1.0;
        whole += 1.0;
    }
    let start = if fraction == 0.0 {
        1.0
    } else {
        (fraction * base.ln()).exp()
    };
    let (mantissa, shift) = by_squaring(start, base, whole);
    if exponent < 0.0 {
        scale(1.0 / mantissa, -shift)
    } else {
        scale(mantissa, shift)
    }
}

/// Multiplies `start` by `base` to a whole power; the result is a number and a power of two.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the caller has checked the range"
)]
fn by_squaring(start: f64, base: f64, power: f64) -> (f64, i64) {
    let (mut square, mut square_shift) = split(base);
    let (mut result, mut shift) = (start, 0);
    let mut left = power as i64;
    while left != 0 {
        if square_shift.abs() > 1 << 12 {
            // The result overflows or vanishes, whatever the rest is.
            shift += square_shift;
            break;
        }
        if left & 1 == 1 {
            result *= square;
            shift += square_shift;
        }
        square *= square;
        square_shift *= 2;
        if square < 0.5 {
            square += square;
            square_shift -= 1;
        }
        left >>= 1;
    }
    (result, shift)
}

/// Splits a number into a mantissa from 0.5 to 1 and a power of two.
fn split(number: f64) -> (f64, i64) {
    const EXPONENT: u64 = 0x7FF << 52;
    let (normal, offset) = if number.abs() < f64::MIN_POSITIVE {
        (number * 2f64.powi(54), -54)
    } else {
        (number, 0)
    };
    let bits = normal.to_bits();
    let exponent = ((bits & EXPONENT) >> 52).cast_signed() - 1022;
    (
        f64::from_bits(bits & !EXPONENT | 1022 << 52),
        exponent + offset,
    )
}

fn scale(number: f64, shift: i64) -> f64 {
    let mut number = number;
    let mut left = shift.clamp(-4200, 4200);
    while left != 0 {
        let step = left.clamp(-1000, 1000);
        number *= 2f64.powi(i32::try_from(step).unwrap_or(0));
        left -= step;
    }
    number
}
