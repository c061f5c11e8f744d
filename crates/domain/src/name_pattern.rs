//! Patterns that select Stages by name: exact, `glob:…`, `regex:…` or `regexp:…`.

use std::fmt::Write as _;

use regex::Regex;

/// Why a pattern cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PatternError {
    #[error("unknown pattern prefix {prefix:?}; use \"glob:\" or \"regex:\"")]
    UnknownPrefix { prefix: String },
    #[error("failed to read the pattern {pattern:?}")]
    Malformed {
        pattern: String,
        source: Box<regex::Error>,
    },
}

/// Selects names.
#[derive(Clone, Debug)]
pub enum NamePattern {
    Exact(String),
    /// Expressions are not anchored, globs are.
    Expression(Regex),
}

impl NamePattern {
    /// Parses what stands in `stageSelector.name`.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        let Some((prefix, pattern)) = text.split_once(':') else {
            return Ok(Self::Exact(text.to_owned()));
        };
        let expression = match prefix {
            "glob" => glob_to_expression(pattern),
            "regex" | "regexp" => pattern.to_owned(),
            _ => {
                return Err(PatternError::UnknownPrefix {
                    prefix: prefix.to_owned(),
                });
            }
        };
        let malformed = |source| PatternError::Malformed {
            pattern: text.to_owned(),
            source: Box::new(source),
        };
        Ok(Self::Expression(
            Regex::new(&expression).map_err(malformed)?,
        ))
    }

    pub fn matches(&self, name: &str) -> bool {
        match self {
            Self::Exact(exact) => exact == name,
            Self::Expression(expression) => expression.is_match(name),
        }
    }
}

/// Turns `*`, `?`, `[…]` and `\x` into a regular expression; everything else stands for itself.
///
/// A class that is never closed stays as it is, so that reading the expression fails and says so.
fn glob_to_expression(glob: &str) -> String {
    let mut expression = String::from("^");
    let mut rest = glob.chars().peekable();
    while let Some(character) = rest.next() {
        match character {
            '*' => expression.push_str(".*"),
            '?' => expression.push('.'),
            '[' => {
                expression.push('[');
                if rest.next_if(|it| matches!(it, '!' | '^')).is_some() {
                    expression.push('^');
                }
                for character in rest.by_ref() {
                    if matches!(character, '[' | '&' | '~') {
                        expression.push('\\');
                    }
                    expression.push(character);
                    if character == ']' {
                        break;
                    }
                }
            }
            '\\' => match rest.next() {
                Some(escaped) => {
                    expression.push_str(&regex::escape(escaped.encode_utf8(&mut [0; 4])));
                }
                None => expression.push('\\'),
            },
            other => write!(
                expression,
                "{}",
                regex::escape(other.encode_utf8(&mut [0; 4]))
            )
            .expect("writing to a String succeeds"),
        }
    }
    expression.push('$');
    expression
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, matching: &[&str], others: &[&str]) {
        let pattern = NamePattern::parse(pattern).expect("the pattern is good");
        for name in matching {
            assert!(pattern.matches(name), "{pattern:?} should match {name:?}");
        }
        for name in others {
            assert!(
                !pattern.matches(name),
                "{pattern:?} should not match {name:?}"
            );
        }
    }

    #[test]
    fn an_exact_name_matches_only_itself() {
        check("test", &["test"], &["test-1", "atest", ""]);
    }

    #[test]
    fn a_glob_covers_the_whole_name() {
        check(
            "glob:prod-*",
            &["prod-eu", "prod-"],
            &["prod", "preprod-eu"],
        );
        check("glob:prod-??", &["prod-eu"], &["prod-eur"]);
        check("glob:prod-[ab]1", &["prod-a1"], &["prod-c1"]);
        check("glob:prod-[!ab]1", &["prod-c1"], &["prod-a1"]);
        check("glob:a.b", &["a.b"], &["axb"]);
    }

    #[test]
    fn an_expression_may_match_in_the_middle() {
        check("regex:rod", &["prod-eu"], &["test"]);
        check("regexp:^(test|uat)$", &["test", "uat"], &["test-1"]);
    }

    #[test]
    fn bad_patterns_are_refused() {
        for pattern in ["glob:[ab", "regex:(", "golb:x"] {
            assert!(NamePattern::parse(pattern).is_err(), "{pattern}");
        }
    }
}
