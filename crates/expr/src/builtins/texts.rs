//! Functions of strings.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{Context, count, text};
use crate::error::Error;
use crate::json as write;
use crate::operators::{from_bytes, to_int};
use crate::value::{Array, Value};

type Answer = Result<Value, Error>;

/// Counts a new string against the budget.
fn charged(text: String, cx: &mut Context<'_>) -> Answer {
    cx.budget.bytes(text.len())?;
    Ok(Value::from(text))
}

pub(super) fn string(arguments: &[Value], cx: &mut Context<'_>) -> Answer {
    cx.budget.steps(arguments[0].cost())?;
    charged(arguments[0].to_string(), cx)
}

pub(super) fn trim(arguments: &[Value], cx: &mut Context<'_>) -> Answer {
    let it = text(arguments, 0)?;
    let trimmed = if arguments.len() == 1 {
        it.trim()
    } else {
        let cut = text(arguments, 1)?;
        cx.budget
            .steps(it.len() as u64 / 4 * (1 + cut.len() as u64 / 16))?;
        it.trim_matches(|it| cut.contains(it))
    };
    charged(trimmed.to_owned(), cx)
}

/// The part to cut off, a space if none is named.
fn cut(arguments: &[Value]) -> Result<&str, Error> {
    if arguments.len() > 1 {
        text(arguments, 1)
    } else {
        Ok(" ")
    }
}

pub(super) fn trim_prefix(arguments: &[Value], cx: &mut Context<'_>) -> Answer {
    let it = text(arguments, 0)?;
    charged(
        it.strip_prefix(cut(arguments)?).unwrap_or(it).to_owned(),
        cx,
    )
}

pub(super) fn trim_suffix(arguments: &[Value], cx: &mut Context<'_>) -> Answer {
    let it = text(arguments, 0)?;
    charged(
        it.strip_suffix(cut(arguments)?).unwrap_or(it).to_owned(),
        cx,
    )
}

/// Letter by letter: what has no single counterpart stays.
pub(super) fn upper(arguments: &[Value], cx: &mut Context<'_>) -> Answer {
    let single = |it: char| {
        let mut mapped = it.to_uppercase();
        if mapped.len() == 1 {
            mapped.next().unwrap_or(it)
        } else {
            it
        }
    };
    charged(text(arguments, 0)?.chars().map(single).collect(), cx)
}

pub(super) fn lower(arguments: &[Value], cx: &mut Context<'_>) -> Answer {
    charged(
        text(arguments, 0)?
            .chars()
            .map(|it| it.to_lowercase().next().unwrap_or(it))
            .collect(),
        cx,
    )
}

pub(super) fn split(arguments: &[Value], cx: &mut Context<'_>) -> Answer {
    pieces(arguments, cx, false)
}

pub(super) fn split_after(arguments: &[Value], cx: &mut Context<'_>) -> Answer {
    pieces(arguments, cx, true)
}

/// Cuts a string at a separator, which `keep` leaves at the end of each piece, into at most as many pieces as asked.
fn pieces(arguments: &[Value], cx: &mut Context<'_>, keep: bool) -> Answer {
    let (it, separator) = (text(arguments, 0)?, text(arguments, 1)?);
    let most = match arguments.get(2).map(to_int).transpose()? {
        Some(0) => return Ok(Value::Array(Array::absent())),
        Some(most) => usize::try_from(most).unwrap_or(usize::MAX),
        None => usize::MAX,
    };
    cx.budget.bytes(it.len())?;
    let mut pieces = Vec::new();
    let mut rest = it;
    while pieces.len() + 1 < most {
        let found = if separator.is_empty() {
            rest.chars()
                .next()
                .map(char::len_utf8)
                .filter(|length| *length < rest.len())
        } else {
            rest.find(separator)
        };
        let Some(at) = found else { break };
        let after = at + separator.len();
        cx.budget.elements(1)?;
        pieces.push(Value::from(&rest[..if keep { after } else { at }]));
        rest = &rest[after..];
    }
    if !(separator.is_empty() && rest.is_empty()) {
        pieces.push(Value::from(rest));
    }
    Ok(pieces.into())
}

pub(super) fn replace(arguments: &[Value], cx: &mut Context<'_>) -> Answer {
    let (it, old, new) = (
        text(arguments, 0)?,
        text(arguments, 1)?,
        text(arguments, 2)?,
    );
    let most = match arguments.get(3).map(to_int).transpose()? {
        Some(most) => usize::try_from(most).unwrap_or(usize::MAX),
        None => usize::MAX,
    };
    cx.budget.steps(it.len() as u64 / 16)?;
    let found = it.matches(old).count().min(most);
    cx.budget
        .bytes(it.len().saturating_add(found.saturating_mul(new.len())))?;
    Ok(Value::from(it.replacen(old, new, most)))
}

pub(super) fn repeat(arguments: &[Value], cx: &mut Context<'_>) -> Answer {
    let (it, times) = (text(arguments, 0)?, to_int(&arguments[1])?);
    let times = usize::try_from(times).map_err(|_| format!("cannot repeat {times} times"))?;
    cx.budget
        .elements(times.max(it.len().saturating_mul(times)))?;
    Ok(Value::from(it.repeat(times)))
}

pub(super) fn join(arguments: &[Value], cx: &mut Context<'_>) -> Answer {
    let glue = if arguments.len() > 1 {
        text(arguments, 1)?
    } else {
        ""
    };
    let Value::Array(items) = &arguments[0] else {
        return Err(Error::from(format!(
            "cannot join {}",
            arguments[0].type_name()
        )));
    };
    let mut joined = String::new();
    for (index, item) in items.iter().enumerate() {
        let part = item
            .as_str()
            .ok_or_else(|| format!("cannot join {}", item.type_name()))?;
        let glue = if index > 0 { glue } else { "" };
        cx.budget.bytes(glue.len() + part.len())?;
        joined.push_str(glue);
        joined.push_str(part);
    }
    Ok(Value::from(joined))
}

pub(super) fn index_of(arguments: &[Value], cx: &mut Context<'_>) -> Answer {
    let (it, part) = (text(arguments, 0)?, text(arguments, 1)?);
    cx.budget.steps(it.len() as u64 / 16)?;
    Ok(it.find(part).map_or(Value::Int(-1), count))
}

pub(super) fn last_index_of(arguments: &[Value], cx: &mut Context<'_>) -> Answer {
    let (it, part) = (text(arguments, 0)?, text(arguments, 1)?);
    cx.budget.steps(it.len() as u64 / 16)?;
    Ok(it.rfind(part).map_or(Value::Int(-1), count))
}

pub(super) fn has_prefix(arguments: &[Value], _cx: &mut Context<'_>) -> Answer {
    Ok(Value::Bool(
        text(arguments, 0)?.starts_with(text(arguments, 1)?),
    ))
}

pub(super) fn has_suffix(arguments: &[Value], _cx: &mut Context<'_>) -> Answer {
    Ok(Value::Bool(
        text(arguments, 0)?.ends_with(text(arguments, 1)?),
    ))
}

pub(super) fn json(arguments: &[Value], cx: &mut Context<'_>) -> Answer {
    cx.budget.steps(arguments[0].cost())?;
    charged(write::indented(&arguments[0])?, cx)
}

pub(super) fn from_json(arguments: &[Value], cx: &mut Context<'_>) -> Answer {
    let it = text(arguments, 0)?;
    cx.budget.bytes(it.len())?;
    let json: serde_json::Value =
        serde_json::from_str(it).map_err(|error| format!("not JSON: {error}"))?;
    let value = Value::from(json);
    cx.budget
        .elements(usize::try_from(value.cost() / 2).unwrap_or(usize::MAX))?;
    Ok(value)
}

pub(super) fn base64(arguments: &[Value], cx: &mut Context<'_>) -> Answer {
    charged(to_base64(text(arguments, 0)?.as_bytes()), cx)
}

pub(super) fn from_base64(arguments: &[Value], cx: &mut Context<'_>) -> Answer {
    let it = text(arguments, 0)?;
    cx.budget.bytes(it.len())?;
    let bytes = STANDARD
        .decode(it.replace(['\r', '\n'], ""))
        .map_err(|error| format!("not base64: {error}"))?;
    Ok(from_bytes(&bytes))
}

pub(crate) fn to_base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}
