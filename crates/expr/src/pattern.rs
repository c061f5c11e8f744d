//! Patterns of `matches`: RE2 as Go writes it, rewritten for Rust's engine. Both run in linear time.
//!
//! The differences: Go's `\w`, `\d`, `\s` and `\b` know ASCII alone; its classes neither nest nor combine; a `{` that
//! opens no repetition stands for itself, as does any escaped sign.

use std::iter::Peekable;
use std::str::Chars;

use regex::bytes::{Regex, RegexBuilder};

use crate::text::append;

/// The most memory a compiled pattern may take, in bytes.
const MAX_SIZE: usize = 2 << 20;

/// Compiles a pattern of Go's `regexp`.
pub fn compile(pattern: &str) -> Result<Regex, String> {
    let translated = translate(pattern).ok_or_else(|| format!("invalid pattern {pattern:?}"))?;
    RegexBuilder::new(&translated)
        .size_limit(MAX_SIZE)
        .dfa_size_limit(MAX_SIZE)
        .nest_limit(100)
        .build()
        .map_err(|_| format!("invalid pattern {pattern:?}"))
}

fn translate(pattern: &str) -> Option<String> {
    let mut rest = pattern.chars().peekable();
    let mut result = String::with_capacity(pattern.len() + 16);
    let mut repeated = false;
    while let Some(it) = rest.next() {
        let repeats = matches!(it, '*' | '+' | '?') || it == '{' && opens_repetition(rest.clone());
        if repeats && repeated {
            return None;
        }
        repeated = repeats;
        match it {
            '\\' => escape(&mut rest, &mut result, false)?,
            '[' => class(&mut rest, &mut result)?,
            '{' if repeats => repetition(&mut rest, &mut result)?,
            '{' => result.push_str("\\{"),
            '(' if rest.peek() == Some(&'?') => {
                result.push('(');
                flags(&mut rest, &mut result)?;
            }
            it => result.push(it),
        }
        if repeats {
            result.extend(rest.next_if_eq(&'?'));
        }
    }
    Some(result)
}

/// Copies what follows an opening parenthesis, refusing flags that only Rust has.
fn flags(rest: &mut Peekable<Chars<'_>>, result: &mut String) -> Option<()> {
    result.push(rest.next()?);
    if matches!(rest.peek(), Some('P' | '<')) {
        return Some(());
    }
    while let Some(it) = rest
        .peek()
        .copied()
        .filter(|it| it.is_alphabetic() || *it == '-')
    {
        if !matches!(it, 'i' | 'm' | 's' | 'U' | '-') {
            return None;
        }
        result.push(it);
        rest.next();
    }
    matches!(rest.peek(), Some(':' | ')')).then_some(())
}

/// Says whether `{` begins `{2}`, `{2,}` or `{2,3}`.
fn opens_repetition(mut rest: Peekable<Chars<'_>>) -> bool {
    let mut digits = 0;
    let mut commas = 0;
    loop {
        match rest.next() {
            Some('0'..='9') => digits += usize::from(commas == 0),
            Some(',') => commas += 1,
            Some('}') => return digits > 0 && commas <= 1,
            _ => return false,
        }
    }
}

/// Copies `{2,3}`, whose numbers end at 1000.
fn repetition(rest: &mut Peekable<Chars<'_>>, result: &mut String) -> Option<()> {
    let inner: String = std::iter::from_fn(|| rest.next_if(|it| *it != '}')).collect();
    rest.next();
    let small = |it: &str| it.is_empty() || it.parse::<u32>().is_ok_and(|it| it <= 1000);
    append(result, format_args!("{{{inner}}}"));
    inner.split(',').all(small).then_some(())
}

fn escape(rest: &mut Peekable<Chars<'_>>, result: &mut String, in_class: bool) -> Option<()> {
    let it = rest.next()?;
    let inner = match it.to_ascii_lowercase() {
        'd' => "0-9",
        'w' => "0-9A-Za-z_",
        's' => r"\t\n\f\r ",
        _ => "",
    };
    match it {
        'd' | 'w' | 's' if in_class => result.push_str(inner),
        'd' | 'w' | 's' => append(result, format_args!("[{inner}]")),
        'D' | 'W' | 'S' => append(result, format_args!("[^{inner}]")),
        'b' | 'B' if !in_class => append(result, format_args!("(?-u:\\{it})")),
        'A' | 'z' if !in_class => result.extend(['\\', it]),
        'C' if !in_class => result.push_str("(?s-u:.)"),
        'Q' => literal(rest, result),
        'E' => {}
        'p' | 'P' | 'x' | 'a' | 'f' | 'n' | 'r' | 't' | 'v' => result.extend(['\\', it]),
        '0'..='7' => octal(it, rest, result)?,
        it if it.is_ascii_punctuation() => push_literal(it, result),
        _ => return None,
    }
    Some(())
}

/// Copies a quoted part, `\Q…\E`, sign by sign.
fn literal(rest: &mut Peekable<Chars<'_>>, result: &mut String) {
    while let Some(it) = rest.next() {
        if it == '\\' && rest.peek() == Some(&'E') {
            rest.next();
            return;
        }
        push_literal(it, result);
    }
}

fn push_literal(it: char, result: &mut String) {
    if it.is_ascii_punctuation() && it != '<' && it != '>' {
        result.push('\\');
    }
    result.push(it);
}

/// Writes `\012` as a code point. A lone digit other than 0 would refer back, which RE2 cannot do.
fn octal(first: char, rest: &mut Peekable<Chars<'_>>, result: &mut String) -> Option<()> {
    if first != '0' && !matches!(rest.peek(), Some('0'..='7')) {
        return None;
    }
    let mut code = first.to_digit(8)?;
    for _ in 0..2 {
        let Some(digit) = rest.peek().and_then(|it| it.to_digit(8)) else {
            break;
        };
        code = code * 8 + digit;
        rest.next();
    }
    append(result, format_args!("\\x{{{code:x}}}"));
    Some(())
}

/// Copies a class up to its end, whose first sign may be a `]`.
fn class(rest: &mut Peekable<Chars<'_>>, result: &mut String) -> Option<()> {
    result.push('[');
    if rest.next_if_eq(&'^').is_some() {
        result.push('^');
    }
    let mut first = true;
    loop {
        match rest.next()? {
            ']' if !first => break,
            '\\' => escape(rest, result, true)?,
            '[' if rest.peek() == Some(&':') => named_class(rest, result),
            it @ ('[' | ']' | '&' | '~') => result.extend(['\\', it]),
            it => result.push(it),
        }
        first = false;
    }
    result.push(']');
    Some(())
}

/// Copies `[:alpha:]`; what only looks like one is a class member after another.
fn named_class(rest: &mut Peekable<Chars<'_>>, result: &mut String) {
    let name: String = rest.clone().take_while(|it| *it != ']').collect();
    if name.len() > 2 && name.ends_with(':') {
        result.push('[');
        result.push_str(&name);
        result.push(']');
        for _ in 0..=name.chars().count() {
            rest.next();
        }
    } else {
        result.push_str("\\[");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_mean_what_they_mean_in_go() {
        for (pattern, text, expected) in [
            (r"^\w+$", "stra\u{DF}e", false),
            (r"^\d$", "\u{663}", false),
            (r"\bx\b", "\u{E9}x", true),
            (r"^[\w-]+$", "a-b", true),
            (r"^[^\d]$", "x", true),
            (r"^[\D]$", "1", false),
            (r"^a{,2}$", "a{,2}", true),
            (r"^a{2}$", "aa", true),
            (r"^[[a]+$", "[a[", true),
            (r"^[a&&b]+$", "a&b", true),
            (r"^[[:digit:]]+$", "12", true),
            (r"^[]]$", "]", true),
            (r"^\Qa.b\E$", "a.b", true),
            (r"^\<a\>$", "<a>", true),
            (r"^\101$", "A", true),
            (r"(?i)^ABC", "abcd", true),
            (r"(?P<name>x)", "x", true),
            ("^.$", "\u{E9}", true),
        ] {
            assert_eq!(
                compile(pattern).expect(pattern).is_match(text.as_bytes()),
                expected,
                "{pattern} {text}"
            );
        }
    }

    #[test]
    fn what_go_refuses_is_refused() {
        for pattern in [
            "(",
            "[",
            "a**",
            r"\8",
            r"\h",
            r"(a)\1",
            "(?x)a",
            "(?=a)",
            "a{5000}",
            "((a{100}){100}){100}",
        ] {
            assert!(compile(pattern).is_err(), "{pattern}");
        }
    }
}
