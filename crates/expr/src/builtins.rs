//! The functions of the language that take no predicate.

mod lists;
mod maps;
mod numbers;
pub(crate) mod sort;
mod texts;

use jiff::Zoned;

use crate::ast::LoopKind;
use crate::budget::Budget;
use crate::error::Error;
use crate::time;
use crate::value::Value;

pub(crate) use texts::to_base64;

/// A function and how many arguments it takes.
pub(crate) struct Builtin {
    name: &'static str,
    least: usize,
    most: usize,
    function: Function,
}

type Function = fn(&[Value], &mut Context<'_>) -> Result<Value, Error>;

/// What functions may use besides their arguments.
pub(crate) struct Context<'a> {
    pub(crate) budget: &'a mut Budget,
    pub(crate) now: &'a dyn Fn() -> Option<Zoned>,
}

impl std::fmt::Debug for Builtin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

impl Builtin {
    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    pub(crate) fn takes(&self, arguments: usize) -> bool {
        (self.least..=self.most).contains(&arguments)
    }

    /// Calls the function with as many arguments as it takes.
    pub(crate) fn call(&self, arguments: &[Value], cx: &mut Context<'_>) -> Result<Value, Error> {
        (self.function)(arguments, cx)
    }
}

/// Finds a function by its name.
pub(crate) fn find(name: &str) -> Option<&'static Builtin> {
    BUILTINS
        .binary_search_by(|builtin| builtin.name.cmp(name))
        .ok()
        .map(|index| &BUILTINS[index])
}

/// Says whether the name is taken by the language, for a function with or without predicate.
pub(crate) fn is_builtin(name: &str) -> bool {
    LoopKind::named(name).is_some() || find(name).is_some()
}

const fn builtin(name: &'static str, least: usize, most: usize, function: Function) -> Builtin {
    Builtin {
        name,
        least,
        most,
        function,
    }
}

/// Any number of arguments.
const MANY: usize = usize::MAX;

/// All functions, sorted by name.
static BUILTINS: [Builtin; 56] = [
    builtin("abs", 1, 1, numbers::abs),
    builtin("bitand", 2, 2, numbers::bitand),
    builtin("bitnand", 2, 2, numbers::bitnand),
    builtin("bitnot", 1, 1, numbers::bitnot),
    builtin("bitor", 2, 2, numbers::bitor),
    builtin("bitshl", 2, 2, numbers::bitshl),
    builtin("bitshr", 2, 2, numbers::bitshr),
    builtin("bitushr", 2, 2, numbers::bitushr),
    builtin("bitxor", 2, 2, numbers::bitxor),
    builtin("ceil", 1, 1, numbers::ceil),
    builtin("concat", 1, MANY, lists::concat),
    builtin("date", 1, 4, time::date),
    builtin("duration", 1, 1, time::duration),
    builtin("first", 1, 1, lists::first),
    builtin("flatten", 1, 1, lists::flatten),
    builtin("float", 1, 1, numbers::float),
    builtin("floor", 1, 1, numbers::floor),
    builtin("fromBase64", 1, 1, texts::from_base64),
    builtin("fromJSON", 1, 1, texts::from_json),
    builtin("fromPairs", 1, 1, maps::from_pairs),
    builtin("get", 2, 2, maps::get),
    builtin("hasPrefix", 2, 2, texts::has_prefix),
    builtin("hasSuffix", 2, 2, texts::has_suffix),
    builtin("indexOf", 2, 2, texts::index_of),
    builtin("int", 1, 1, numbers::int),
    builtin("join", 1, 2, texts::join),
    builtin("keys", 1, 1, maps::keys),
    builtin("last", 1, 1, lists::last),
    builtin("lastIndexOf", 2, 2, texts::last_index_of),
    builtin("len", 1, 1, lists::len),
    builtin("lower", 1, 1, texts::lower),
    builtin("max", 1, MANY, numbers::max),
    builtin("mean", 1, MANY, numbers::mean),
    builtin("median", 1, MANY, numbers::median),
    builtin("min", 1, MANY, numbers::min),
    builtin("now", 0, 1, time::now),
    builtin("repeat", 2, 2, texts::repeat),
    builtin("replace", 3, 4, texts::replace),
    builtin("reverse", 1, 1, lists::reverse),
    builtin("round", 1, 1, numbers::round),
    builtin("sort", 1, 2, sort::sorted),
    builtin("split", 2, 3, texts::split),
    builtin("splitAfter", 2, 3, texts::split_after),
    builtin("string", 1, 1, texts::string),
    builtin("take", 2, 2, lists::take),
    builtin("timezone", 1, 1, time::timezone),
    builtin("toBase64", 1, 1, texts::base64),
    builtin("toJSON", 1, 1, texts::json),
    builtin("toPairs", 1, 1, maps::to_pairs),
    builtin("trim", 1, 2, texts::trim),
    builtin("trimPrefix", 1, 2, texts::trim_prefix),
    builtin("trimSuffix", 1, 2, texts::trim_suffix),
    builtin("type", 1, 1, type_name),
    builtin("uniq", 1, 1, lists::uniq),
    builtin("upper", 1, 1, texts::upper),
    builtin("values", 1, 1, maps::values),
];

#[expect(
    clippy::unnecessary_wraps,
    reason = "the functions of the table have one type"
)]
fn type_name(arguments: &[Value], _cx: &mut Context<'_>) -> Result<Value, Error> {
    Ok(Value::from(arguments[0].type_name()))
}

/// A string argument.
pub(crate) fn text(arguments: &[Value], index: usize) -> Result<&str, Error> {
    let value = &arguments[index];
    value
        .as_str()
        .ok_or_else(|| Error::from(format!("expected a string, not {}", value.type_name())))
}

fn count(length: usize) -> Value {
    Value::Int(i64::try_from(length).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted() {
        assert!(BUILTINS.is_sorted_by(|left, right| left.name < right.name));
    }
}
