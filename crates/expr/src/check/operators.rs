//! What operators make of the types of their operands.

use super::nature::Nature;
use crate::ast::Binary;

/// The type of the result, `None` if the operator does not take such operands.
pub(super) fn result(operator: Binary, left: &Nature, right: &Nature) -> Option<Nature> {
    use Nature::{Bool, Duration, Float, Int, Text, Time, Unknown};
    let numbers = left.is_number() && right.is_number();
    let text = |it: &Nature| *it == Text;
    let time = |it: &Nature| *it == Time;
    let duration = |it: &Nature| *it == Duration;
    let summand = |it: &Nature| it.is_number() || duration(it) || time(it);
    match operator {
        Binary::Equal | Binary::NotEqual => comparable(left, right).then_some(Bool),
        Binary::Or | Binary::And => fits(left, right, |it| *it == Bool).then_some(Bool),
        Binary::Less | Binary::Greater | Binary::LessOrEqual | Binary::GreaterOrEqual => {
            let ordered = |it: &Nature| summand(it) || text(it);
            let same = numbers || left == right && ordered(left);
            (same || half_known(left, right, ordered)).then_some(Bool)
        }
        Binary::Add | Binary::Subtract | Binary::Multiply if numbers => Some(promoted(left, right)),
        Binary::Add => match (left, right) {
            (Text, Text) => Some(Text),
            (Time, Duration) | (Duration, Time) => Some(Time),
            (Duration, Duration) => Some(Duration),
            _ => half_known(left, right, |it| summand(it) || text(it)).then_some(Unknown),
        },
        Binary::Subtract => match (left, right) {
            (Time, Time) | (Duration, Duration) => Some(Duration),
            (Time, Duration) => Some(Time),
            _ => half_known(left, right, summand).then_some(Unknown),
        },
        Binary::Multiply => match (left, right) {
            (Duration, Duration) => Some(Duration),
            (Duration, other) | (other, Duration) if other.is_number() => Some(Duration),
            _ => half_known(left, right, |it| it.is_number() || duration(it)).then_some(Unknown),
        },
        Binary::Divide | Binary::Power => fits(left, right, Nature::is_number).then_some(Float),
        Binary::Modulo => fits(left, right, Nature::is_integer).then_some(Int),
        Binary::Range => {
            fits(left, right, Nature::is_integer).then(|| Nature::Array(Box::new(Int)))
        }
        Binary::In => is_in(left, right).then_some(Bool),
        Binary::Matches => {
            (*left == Nature::Bytes && text(right) || fits(left, right, text)).then_some(Bool)
        }
        Binary::Contains | Binary::StartsWith | Binary::EndsWith => {
            fits(left, right, text).then_some(Bool)
        }
        Binary::Coalesce => Some(match (left, right) {
            (Nature::Nil, _) => right.clone(),
            (_, Nature::Nil) => left.clone(),
            _ if right.is_same_type(left) => left.clone(),
            _ => Unknown,
        }),
    }
}

/// Says whether both are wanted, or one is and the other may be.
fn fits(left: &Nature, right: &Nature, wanted: impl Fn(&Nature) -> bool) -> bool {
    wanted(left) && wanted(right) || half_known(left, right, wanted)
}

/// Says whether one is unknown and the other unknown or wanted.
fn half_known(left: &Nature, right: &Nature, wanted: impl Fn(&Nature) -> bool) -> bool {
    let may_be = |it: &Nature| it.is_unknown() || wanted(it);
    left.is_unknown() && may_be(right) || right.is_unknown() && may_be(left)
}

fn promoted(left: &Nature, right: &Nature) -> Nature {
    if *left == Nature::Float || *right == Nature::Float {
        Nature::Float
    } else {
        Nature::Int
    }
}

fn comparable(left: &Nature, right: &Nature) -> bool {
    let open = |it: &Nature| it.is_unknown() || *it == Nature::Nil;
    open(left)
        || open(right)
        || left.is_number() && right.is_number()
        || left.is_array() && right.is_array()
        || left.is_same_type(right)
}

fn is_in(wanted: &Nature, container: &Nature) -> bool {
    match container {
        Nature::Unknown | Nature::Any | Nature::Pairs | Nature::Groups => true,
        Nature::Map | Nature::Time => wanted.is_unknown() || *wanted == Nature::Text,
        Nature::Array(_) | Nature::Texts | Nature::Bytes => {
            comparable(wanted, &container.element())
        }
        Nature::Text => wanted.is_unknown(),
        _ => false,
    }
}
