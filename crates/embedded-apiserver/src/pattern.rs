//! Regular expressions as Go's RE2 reads them, for a Rust engine.
//!
//! CRD patterns are written for Go. The two dialects differ where it matters: `\w`, `\d`, `\s` and `\b` are ASCII in Go,
//! `[[a]`, `[a&&b]` and `[a--b]` are plain characters, `\Q…\E` quotes, a `{` that begins no repetition is itself.
//!
//! Source: <https://github.com/google/re2/wiki/Syntax>

use std::iter::Peekable;
use std::str::Chars;

use regex::Regex;

/// The largest compiled expression, in bytes.
const SIZE_BOUND: usize = 1 << 20;

/// Why a pattern cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// The text ends inside a class, a group or an escape.
    #[error("pattern ends too early")]
    Unfinished,
    /// The engine refuses the translated pattern.
    #[error("{0}")]
    Invalid(String),
}

/// Compiles a pattern in Go's syntax; it matches anywhere in a text, as Go's `MatchString` does.
///
/// # Errors
/// When the pattern is no regular expression, or too large.
pub fn compile(pattern: &str) -> Result<Regex, PatternError> {
    let translated = translate(pattern)?;
    regex::RegexBuilder::new(&translated)
        .size_limit(SIZE_BOUND)
        .build()
        .map_err(|error| PatternError::Invalid(error.to_string()))
}

/// Rewrites a pattern from Go's syntax to that of the `regex` crate.
///
/// # Errors
/// [`PatternError::Unfinished`] when a class or an escape has no end.
pub fn translate(pattern: &str) -> Result<String, PatternError> {
    let mut output = String::with_capacity(pattern.len() + 16);
    let mut rest = pattern.chars().peekable();
    while let Some(next) = rest.next() {
        match next {
            '\\' => escape(&mut rest, &mut output)?,
            '[' => class(&mut rest, &mut output)?,
            '{' if !begins_repetition(&rest) => output.push_str("\\{"),
            other => output.push(other),
        }
    }
    Ok(output)
}

fn escape(rest: &mut Peekable<Chars<'_>>, output: &mut String) -> Result<(), PatternError> {
    match rest.next().ok_or(PatternError::Unfinished)? {
        'Q' => quoted(rest, output),
        'b' => output.push_str("(?-u:\\b)"),
        shorthand if perl_class(shorthand).is_some() => {
            output.push('[');
            output.push_str(perl_class(shorthand).unwrap_or_default());
            output.push(']');
        }
        other => escaped_character(other, rest, output),
    }
    Ok(())
}

/// `\Q…\E`; without `\E` everything to the end is literal.
fn quoted(rest: &mut Peekable<Chars<'_>>, output: &mut String) {
    while let Some(next) = rest.next() {
        if next == '\\' && rest.peek() == Some(&'E') {
            rest.next();
            return;
        }
        output.push_str(&regex::escape(next.encode_utf8(&mut [0; 4])));
    }
}

/// What `\w` and its kin hold, as the inside of a class.
fn perl_class(letter: char) -> Option<&'static str> {
    match letter {
        'd' => Some("0-9"),
        'D' => Some("^0-9"),
        's' => Some("\\t\\n\\x0C\\r "),
        'S' => Some("^\\t\\n\\x0C\\r "),
        'w' => Some("0-9A-Za-z_"),
        'W' => Some("^0-9A-Za-z_"),
        _ => None,
    }
}

/// An escape of one character that both dialects know, or that only Go knows.
fn escaped_character(letter: char, rest: &mut Peekable<Chars<'_>>, output: &mut String) {
    match letter {
        '0'..='7' => {
            let mut code = letter.to_digit(8).unwrap_or_default();
            for _ in 0..2 {
                let Some(digit) = rest.peek().and_then(|next| next.to_digit(8)) else {
                    break;
                };
                code = code * 8 + digit;
                rest.next();
            }
            output.extend(["\\x{", &format!("{code:X}"), "}"]);
        }
        // Rust reads these two as word boundaries.
        '<' | '>' => output.push(letter),
        other => {
            output.push('\\');
            output.push(other);
        }
    }
}

/// The inside of `[…]`, after the opening bracket.
fn class(rest: &mut Peekable<Chars<'_>>, output: &mut String) -> Result<(), PatternError> {
    output.push('[');
    if rest.next_if_eq(&'^').is_some() {
        output.push('^');
    }
    let mut first = true;
    loop {
        match rest.next().ok_or(PatternError::Unfinished)? {
            ']' if !first => break,
            '\\' => class_escape(rest, output)?,
            '[' if rest.peek() == Some(&':') => posix_class(rest, output),
            '-' => range_or_dash(first, rest, output),
            literal if "[]&~^".contains(literal) => {
                output.push('\\');
                output.push(literal);
            }
            other => output.push(other),
        }
        first = false;
    }
    output.push(']');
    Ok(())
}

/// A `-` is a range between two characters, and itself at either end.
fn range_or_dash(first: bool, rest: &Peekable<Chars<'_>>, output: &mut String) {
    let at_the_end = rest.clone().next() == Some(']');
    output.push_str(if first || at_the_end { "\\-" } else { "-" });
}

fn class_escape(rest: &mut Peekable<Chars<'_>>, output: &mut String) -> Result<(), PatternError> {
    let letter = rest.next().ok_or(PatternError::Unfinished)?;
    match perl_class(letter) {
        Some(inside) if inside.starts_with('^') => {
            output.push('[');
            output.push_str(inside);
            output.push(']');
        }
        Some(inside) => output.push_str(inside),
        None => escaped_character(letter, rest, output),
    }
    Ok(())
}

/// `[:alpha:]`, or a `[` that only looks like the beginning of one.
fn posix_class(rest: &mut Peekable<Chars<'_>>, output: &mut String) {
    let ahead: String = rest
        .clone()
        .skip(1)
        .take_while(char::is_ascii_alphabetic)
        .collect();
    let closing: String = rest.clone().skip(1 + ahead.len()).take(2).collect();
    if closing == ":]" && !ahead.is_empty() {
        for _ in 0..ahead.len() + 3 {
            rest.next();
        }
        output.extend(["[:", &ahead, ":]"]);
    } else {
        output.push_str("\\[");
    }
}

/// Whether `{` begins `{2}`, `{2,}` or `{2,3}`.
fn begins_repetition(rest: &Peekable<Chars<'_>>) -> bool {
    let inside: String = rest
        .clone()
        .take(12)
        .take_while(|next| *next != '}')
        .collect();
    let closed = rest.clone().nth(inside.chars().count()) == Some('}');
    let (least, most) = inside.split_once(',').unwrap_or((&inside, ""));
    closed
        && !least.is_empty()
        && least.bytes().all(|byte| byte.is_ascii_digit())
        && most.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(pattern: &str, matching: &[&str], other: &[&str]) {
        let regex = compile(pattern).unwrap_or_else(|error| panic!("{pattern}: {error}"));
        for text in matching {
            assert!(regex.is_match(text), "{pattern} should match {text:?}");
        }
        for text in other {
            assert!(!regex.is_match(text), "{pattern} should not match {text:?}");
        }
    }

    #[test]
    fn shorthands_are_ascii() {
        check(r"^[\w.\-\_]+$", &["a.b-c_1"], &["naïve", ""]);
        check(r"^\w+\d$", &["a1"], &["ä1", "a٣"]);
        check(r"^\S\s$", &["a "], &["a\u{a0}"]);
        check(r"^[^\W]$", &["a"], &["-"]);
    }

    #[test]
    fn set_operators_are_characters() {
        check(r"^[a&&b]+$", &["a&b"], &["c"]);
        check(r"^[[a]+$", &["[a"], &["b"]);
        check(r"^[a~~b]+$", &["a~b"], &["c"]);
        check(r"^[]a]+$", &["]a"], &["b"]);
        check(r"^[a-z-]+$", &["a-z"], &["A"]);
        check(r"^[-a]+$", &["-a"], &["b"]);
    }

    #[test]
    fn quotes_braces_and_octals_are_read_as_go_does() {
        check(r"^\Qa.b\E$", &["a.b"], &["axb"]);
        check(r"^a{$", &["a{"], &["a"]);
        check(r"^a{,2}$", &["a{,2}"], &["aa"]);
        check(r"^a{2}$", &["aa"], &["a"]);
        check(r"^\101$", &["A"], &["1"]);
        check(r"^[[:alpha:]]+$", &["ab"], &["a1"]);
        check(r"^\<a\>$", &["<a>"], &["a"]);
    }

    #[test]
    fn an_unfinished_pattern_is_refused() {
        for pattern in ["[a", "a\\", "(a"] {
            assert!(compile(pattern).is_err(), "{pattern}");
        }
    }

    proptest! {
        #[test]
        fn no_pattern_makes_it_panic(pattern in ".{0,40}") {
            compile(&pattern).ok();
        }
    }
}
