//! Patterns of schemas are written for Go's `regexp` (RE2); this translates them to what Rust's `regex` reads.
//!
//! The two agree but for: `\w`, `\d`, `\s` and `\b` (ASCII only in Go), classes (`[[a]`, `[a&&b]` and `[a-z--x]` are
//! plain characters in Go), `\Q…\E`, octal escapes, braces that count nothing, and escapes and flags only Rust has.
//!
//! Source: <https://pkg.go.dev/regexp/syntax>

use std::fmt::Write;

use regex::{Regex, RegexBuilder};

/// The longest pattern that is read.
const LONGEST: usize = 16 << 10;

/// The highest count of a repetition, as in Go.
const MOST_REPEATS: u32 = 1000;

/// The most memory a compiled pattern may take.
const SIZE: usize = 4 << 20;

const DIGIT: &str = "0-9";
const SPACE: &str = r"\t\n\f\r ";
const WORD: &str = "0-9A-Za-z_";

/// Why a pattern was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PatternError {
    #[error("missing closing ]")]
    OpenClass,
    #[error("invalid character class range: `{0}`")]
    Range(String),
    #[error("invalid escape sequence: `\\{0}`")]
    Escape(String),
    #[error("invalid repeat count: `{0}`")]
    Repeat(String),
    #[error("invalid or unsupported Perl syntax: `(?{0}`")]
    Flags(String),
    #[error("expression too large")]
    TooLarge,
    #[error("{0}")]
    Regex(String),
}

/// Compiles a Go pattern.
pub(crate) fn compile(pattern: &str) -> Result<Regex, PatternError> {
    let translated = translate(pattern)?;
    let built = RegexBuilder::new(&translated).size_limit(SIZE).build();
    built.map_err(|error| match error {
        regex::Error::CompiledTooBig(_) => PatternError::TooLarge,
        other => PatternError::Regex(last_line(&other.to_string())),
    })
}

/// Translates a Go pattern to one that means the same to Rust's `regex`.
fn translate(pattern: &str) -> Result<String, PatternError> {
    if pattern.len() > LONGEST {
        return Err(PatternError::TooLarge);
    }
    let mut reader = Reader {
        rest: pattern,
        out: String::with_capacity(pattern.len() + 16),
    };
    reader.run()?;
    Ok(reader.out)
}

/// The parser's reports draw the pattern over several lines; the reason is the last one.
fn last_line(report: &str) -> String {
    let line = report.lines().last().unwrap_or_default();
    line.trim_start_matches("error: ").to_owned()
}

struct Reader<'a> {
    rest: &'a str,
    out: String,
}

/// One end of a range in a class, or a whole class.
enum Item {
    Char(char),
    /// As it stands in Rust's class.
    Set(String),
}

impl Reader<'_> {
    fn next(&mut self) -> Option<char> {
        let next = self.rest.chars().next()?;
        self.rest = &self.rest[next.len_utf8()..];
        Some(next)
    }

    fn take(&mut self, prefix: &str) -> bool {
        match self.rest.strip_prefix(prefix) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn run(&mut self) -> Result<(), PatternError> {
        while let Some(next) = self.next() {
            match next {
                '\\' => self.escape()?,
                '[' => self.class()?,
                '{' => self.brace()?,
                '(' if self.rest.starts_with('?') => self.group()?,
                '&' | '~' | '#' | '-' | ' ' => self.literal(next),
                _ => self.out.push(next),
            }
        }
        Ok(())
    }

    fn literal(&mut self, it: char) {
        push_literal(&mut self.out, it);
    }

    /// An escape outside of classes.
    fn escape(&mut self) -> Result<(), PatternError> {
        let Some(next) = self.rest.chars().next() else {
            return Err(PatternError::Escape(String::new()));
        };
        match next {
            'd' | 's' | 'w' | 'D' | 'S' | 'W' => {
                self.next();
                let set = perl(next);
                self.out.push_str(&set);
            }
            'b' | 'B' => {
                self.next();
                push(&mut self.out, format_args!(r"(?-u:\{next})"));
            }
            'A' | 'z' => {
                self.next();
                push(&mut self.out, format_args!(r"\{next}"));
            }
            'p' | 'P' => {
                self.next();
                let set = self.unicode(next)?;
                self.out.push_str(&set);
            }
            'Q' => {
                self.next();
                let (quoted, rest) = self.rest.split_once(r"\E").unwrap_or((self.rest, ""));
                self.rest = rest;
                for it in quoted.chars() {
                    push_literal(&mut self.out, it);
                }
            }
            // Go drops an \E that closes nothing.
            'E' => drop(self.next()),
            _ => {
                let it = self.escaped_char()?;
                self.literal(it);
            }
        }
        Ok(())
    }

    /// What an escape for one character stands for.
    fn escaped_char(&mut self) -> Result<char, PatternError> {
        let refused = |it: &str| PatternError::Escape(it.to_owned());
        let next = self.next().ok_or_else(|| refused(""))?;
        Ok(match next {
            'a' => '\x07',
            'f' => '\x0c',
            't' => '\t',
            'n' => '\n',
            'r' => '\r',
            'v' => '\x0b',
            'x' => return self.hex(),
            '0'..='7' => {
                // A single digit but 0 would be a back reference.
                if next != '0' && !self.rest.starts_with(|it| matches!(it, '0'..='7')) {
                    return Err(refused(&next.to_string()));
                }
                let mut code = u32::from(next) - u32::from('0');
                for _ in 0..2 {
                    let Some(digit) = self.rest.chars().next().and_then(|it| it.to_digit(8)) else {
                        break;
                    };
                    self.next();
                    code = code * 8 + digit;
                }
                char::from_u32(code).ok_or_else(|| refused(&next.to_string()))?
            }
            it if it.is_ascii_punctuation() => it,
            it => return Err(refused(&it.to_string())),
        })
    }

    fn hex(&mut self) -> Result<char, PatternError> {
        let refused = || PatternError::Escape("x".to_owned());
        let digits = if self.take("{") {
            let (digits, rest) = self.rest.split_once('}').ok_or_else(refused)?;
            self.rest = rest;
            digits
        } else {
            let digits = self.rest.get(..2).ok_or_else(refused)?;
            self.rest = &self.rest[2..];
            digits
        };
        let fits = !digits.is_empty()
            && digits.len() <= 8
            && digits.bytes().all(|it| it.is_ascii_hexdigit());
        let code = fits.then(|| u32::from_str_radix(digits, 16).ok()).flatten();
        code.and_then(char::from_u32).ok_or_else(refused)
    }

    /// `\pL`, `\p{Greek}`, `\p{^Greek}`.
    fn unicode(&mut self, letter: char) -> Result<String, PatternError> {
        let refused = || PatternError::Escape(letter.to_string());
        let mut negated = letter == 'P';
        let name = if self.take("{") {
            let (name, rest) = self.rest.split_once('}').ok_or_else(refused)?;
            self.rest = rest;
            name.to_owned()
        } else {
            self.next().ok_or_else(refused)?.to_string()
        };
        let name = match name.strip_prefix('^') {
            Some(name) => {
                negated = !negated;
                name
            }
            None => name.as_str(),
        };
        if name == "Any" {
            return Ok(if negated {
                "[^\\x{0}-\\x{10FFFF}]"
            } else {
                "[\\x{0}-\\x{10FFFF}]"
            }
            .to_owned());
        }
        if name.is_empty()
            || !name
                .bytes()
                .all(|it| it.is_ascii_alphanumeric() || it == b'_')
        {
            return Err(refused());
        }
        Ok(format!("\\{}{{{name}}}", if negated { 'P' } else { 'p' }))
    }

    /// A class, behind its opening bracket.
    fn class(&mut self) -> Result<(), PatternError> {
        self.out.push('[');
        if self.take("^") {
            self.out.push('^');
        }
        let mut first = true;
        loop {
            if self.rest.is_empty() {
                return Err(PatternError::OpenClass);
            }
            if !first && self.take("]") {
                break;
            }
            first = false;
            let from = self.class_item()?;
            let (Item::Char(from), true) = (&from, self.opens_range()) else {
                self.push_item(from);
                continue;
            };
            self.next();
            let range = |to: &str| PatternError::Range(format!("{from}-{to}"));
            let Item::Char(to) = self.class_item()? else {
                return Err(range(""));
            };
            if to < *from {
                return Err(range(&to.to_string()));
            }
            push_literal(&mut self.out, *from);
            self.out.push('-');
            push_literal(&mut self.out, to);
        }
        self.out.push(']');
        Ok(())
    }

    /// Whether a `-` follows that has an end behind it.
    fn opens_range(&self) -> bool {
        self.rest
            .strip_prefix('-')
            .is_some_and(|rest| !rest.is_empty() && !rest.starts_with(']'))
    }

    fn push_item(&mut self, item: Item) {
        match item {
            Item::Char(it) => push_literal(&mut self.out, it),
            Item::Set(set) => self.out.push_str(&set),
        }
    }

    fn class_item(&mut self) -> Result<Item, PatternError> {
        let named = self.rest.strip_prefix("[:");
        if let Some((name, rest)) = named.and_then(|it| it.split_once(":]")) {
            let set = posix(name)?;
            self.rest = rest;
            return Ok(Item::Set(set));
        }
        let next = self.next().ok_or(PatternError::OpenClass)?;
        if next != '\\' {
            return Ok(Item::Char(next));
        }
        match self.rest.chars().next() {
            Some(letter @ ('d' | 's' | 'w' | 'D' | 'S' | 'W')) => {
                self.next();
                Ok(Item::Set(perl(letter)))
            }
            Some(letter @ ('p' | 'P')) => {
                self.next();
                self.unicode(letter).map(Item::Set)
            }
            _ => self.escaped_char().map(Item::Char),
        }
    }

    /// A brace counts repetitions, or is itself.
    fn brace(&mut self) -> Result<(), PatternError> {
        let count = self.rest.split_once('}').and_then(|(count, rest)| {
            let (least, most) = count.split_once(',').unwrap_or((count, count));
            let number = |it: &str| {
                !it.is_empty() && it.len() <= 9 && it.bytes().all(|it| it.is_ascii_digit())
            };
            let leading_zero = |it: &str| it.len() > 1 && it.starts_with('0');
            let fits = number(least)
                && (most.is_empty() || number(most))
                && !leading_zero(least)
                && !leading_zero(most);
            fits.then_some((count, least, most, rest))
        });
        let Some((count, least, most, rest)) = count else {
            self.out.push_str(r"\{");
            return Ok(());
        };
        let least = least.parse().unwrap_or(u32::MAX);
        let most = if most.is_empty() {
            least
        } else {
            most.parse().unwrap_or(u32::MAX)
        };
        if least > MOST_REPEATS || most > MOST_REPEATS || most < least {
            return Err(PatternError::Repeat(format!("{{{count}}}")));
        }
        push(&mut self.out, format_args!("{{{count}}}"));
        self.rest = rest;
        Ok(())
    }

    /// `(?…`: only what Go knows goes through.
    fn group(&mut self) -> Result<(), PatternError> {
        for named in ["?P<", "?<"] {
            if let Some(rest) = self.rest.strip_prefix(named) {
                let (name, rest) = rest
                    .split_once('>')
                    .filter(|(name, _)| {
                        !name.is_empty()
                            && name
                                .bytes()
                                .all(|it| it.is_ascii_alphanumeric() || it == b'_')
                    })
                    .ok_or_else(|| PatternError::Flags(named.trim_start_matches('?').to_owned()))?;
                // Rust wants a letter first.
                push(&mut self.out, format_args!("(?P<_{name}>"));
                self.rest = rest;
                return Ok(());
            }
        }
        let end = self
            .rest
            .find([':', ')'])
            .ok_or_else(|| PatternError::Flags(String::new()))?;
        let flags = &self.rest[1..end];
        let known = flags
            .chars()
            .all(|it| matches!(it, 'i' | 'm' | 's' | 'U' | '-'));
        let bare = self.rest[end..].starts_with(':') || !flags.is_empty();
        if !known || !bare {
            return Err(PatternError::Flags(flags.chars().take(20).collect()));
        }
        push(&mut self.out, format_args!("(?{flags}"));
        self.rest = &self.rest[end..];
        Ok(())
    }
}

/// `\d`, `\s`, `\w` and their opposites, as sets.
fn perl(letter: char) -> String {
    let set = match letter.to_ascii_lowercase() {
        'd' => DIGIT,
        's' => SPACE,
        _ => WORD,
    };
    let not = if letter.is_ascii_uppercase() { "^" } else { "" };
    format!("[{not}{set}]")
}

fn posix(name: &str) -> Result<String, PatternError> {
    const NAMES: [&str; 14] = [
        "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct",
        "space", "upper", "word", "xdigit",
    ];
    let plain = name.strip_prefix('^').unwrap_or(name);
    if NAMES.contains(&plain) {
        Ok(format!("[:{name}:]"))
    } else {
        Err(PatternError::Range(format!("[:{name}:]")))
    }
}

fn push_literal(out: &mut String, it: char) {
    if it.is_ascii_alphanumeric() || it == '_' || !it.is_ascii() {
        out.push(it);
    } else {
        push(out, format_args!("\\x{{{:X}}}", u32::from(it)));
    }
}

fn push(out: &mut String, what: std::fmt::Arguments<'_>) {
    out.write_fmt(what).expect("a string takes any text");
}

#[cfg(test)]
mod tests;
