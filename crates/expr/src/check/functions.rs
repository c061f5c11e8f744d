//! What the functions of the language take and give.

use super::nature::Nature;

/// The type of the result, or why the function does not take such arguments. Their number is right.
pub(super) fn result(name: &str, arguments: &[Nature]) -> Result<Nature, String> {
    let first = arguments.first().unwrap_or(&Nature::Nil);
    let (taken, result) = match name {
        "type" | "string" | "toJSON" => (true, Nature::Text),
        "len" => (
            first.is_unknown() || first.is_array() || first.is_map() || *first == Nature::Text,
            Nature::Int,
        ),
        "abs" => (number(first), first.clone()),
        "ceil" | "floor" | "round" => (number(first), Nature::Float),
        "int" => (number(first) || *first == Nature::Text, Nature::Int),
        "float" => (number(first) || *first == Nature::Text, Nature::Float),
        "max" | "min" | "mean" | "median" => (true, extreme(name, arguments)?),
        "trim" | "trimPrefix" | "trimSuffix" | "upper" | "lower" | "toBase64" | "fromBase64" => {
            (arguments.iter().all(text), Nature::Text)
        }
        "split" | "splitAfter" => (texts_then_integer(arguments, 2), Nature::Texts),
        "replace" => (texts_then_integer(arguments, 3), Nature::Text),
        "repeat" => (texts_then_integer(arguments, 1), Nature::Text),
        "indexOf" | "lastIndexOf" => (arguments.iter().all(text), Nature::Int),
        "hasPrefix" | "hasSuffix" => (arguments.iter().all(text), Nature::Bool),
        "join" => (list(first) && arguments[1..].iter().all(text), Nature::Text),
        "sort" => (
            list(first) && arguments[1..].iter().all(text),
            Nature::any_array(),
        ),
        "fromJSON" => (text(first), Nature::Any),
        "duration" => (text(first), Nature::Duration),
        "timezone" => (text(first), Nature::Zone),
        "now" => (arguments.is_empty() || *first == Nature::Zone, Nature::Time),
        "date" => (arguments.len() < 4 || *first == Nature::Zone, Nature::Time),
        "first" | "last" => (
            array(first),
            if *first == Nature::Texts {
                Nature::Text
            } else {
                Nature::Any
            },
        ),
        "get" => (true, get(first, &arguments[1])?),
        "take" => (
            array(first) && (integer(&arguments[1]) || arguments[1] == Nature::Duration),
            if first.is_unknown() {
                Nature::Any
            } else {
                taken_from(first)
            },
        ),
        "keys" | "values" | "toPairs" => {
            (first.is_unknown() || first.is_map(), Nature::any_array())
        }
        "fromPairs" => (array(first), Nature::Pairs),
        "reverse" | "uniq" | "flatten" | "concat" => {
            (arguments.iter().all(array), Nature::any_array())
        }
        _ => (arguments.iter().all(integer), Nature::Int),
    };
    if taken {
        Ok(result)
    } else {
        Err(refusal(name, arguments))
    }
}

fn refusal(name: &str, arguments: &[Nature]) -> String {
    let types: Vec<String> = arguments.iter().map(Nature::to_string).collect();
    format!("{name} does not take {}", types.join(" and "))
}

fn text(nature: &Nature) -> bool {
    nature.is_unknown() || *nature == Nature::Text
}

fn integer(nature: &Nature) -> bool {
    nature.is_unknown() || nature.is_integer()
}

fn number(nature: &Nature) -> bool {
    nature.is_unknown() || nature.is_number() || *nature == Nature::Duration
}

fn array(nature: &Nature) -> bool {
    nature.is_unknown() || nature.is_array()
}

/// An array that is not bytes.
fn list(nature: &Nature) -> bool {
    array(nature) && *nature != Nature::Bytes
}

fn texts_then_integer(arguments: &[Nature], texts: usize) -> bool {
    let (first, rest) = arguments.split_at(texts.min(arguments.len()));
    first.iter().all(text) && rest.iter().all(integer)
}

/// Looks at the arguments up to the first array or unknown one, after which anything may come.
fn extreme(name: &str, arguments: &[Nature]) -> Result<Nature, String> {
    for argument in arguments {
        if array(argument) {
            return Ok(Nature::Any);
        }
        if !number(argument) {
            return Err(refusal(name, arguments));
        }
    }
    Ok(arguments.first().cloned().unwrap_or(Nature::Any))
}

fn get(base: &Nature, key: &Nature) -> Result<Nature, String> {
    let found = match base {
        Nature::Time | Nature::Duration | Nature::Zone => None,
        other => other.member(key),
    };
    found.ok_or_else(|| refusal("get", &[base.clone(), key.clone()]))
}

fn taken_from(array: &Nature) -> Nature {
    match array {
        Nature::Array(_) => Nature::any_array(),
        other => other.clone(),
    }
}
