//! Which tags count by their names.

use regex::bytes::Regex;

use super::{Rule, RulesError};

/// Longest pattern, in bytes, and most patterns of one field.
const PATTERN_BOUND: usize = 4096;
const PATTERNS_BOUND: usize = 100;

/// Holds the patterns of `allowTagsRegexes` and `ignoreTagsRegexes`; they match anywhere in a tag.
#[derive(Debug)]
pub struct TagRules {
    allow: Vec<Regex>,
    ignore: Vec<Regex>,
}

impl TagRules {
    /// Reads the patterns.
    pub fn parse(allow: &[String], ignore: &[String]) -> Result<Self, RulesError> {
        Ok(Self {
            allow: compile("allowTagsRegexes", allow)?,
            ignore: compile("ignoreTagsRegexes", ignore)?,
        })
    }

    /// Passes a tag that no pattern ignores and, where any is allowed, one allows.
    pub fn judge(&self, tag: &str) -> Result<(), Rule> {
        if let Some(pattern) = self
            .ignore
            .iter()
            .find(|pattern| pattern.is_match(tag.as_bytes()))
        {
            return Err(Rule::Ignored(pattern.as_str().to_owned()));
        }
        if self.allow.is_empty()
            || self
                .allow
                .iter()
                .any(|pattern| pattern.is_match(tag.as_bytes()))
        {
            Ok(())
        } else {
            Err(Rule::NotAllowed)
        }
    }
}

fn compile(field: &'static str, patterns: &[String]) -> Result<Vec<Regex>, RulesError> {
    if let Some(beyond) = patterns.get(PATTERNS_BOUND) {
        let why = format!("there are more than {PATTERNS_BOUND}");
        return Err(RulesError::Pattern {
            field,
            pattern: beyond.clone(),
            why,
        });
    }
    patterns
        .iter()
        .map(|pattern| compile_one(field, pattern))
        .collect()
}

/// Compiles a pattern in RE2's syntax as Go reads it.
pub(super) fn compile_one(field: &'static str, pattern: &str) -> Result<Regex, RulesError> {
    let error = |why| RulesError::Pattern {
        field,
        pattern: pattern.chars().take(100).collect(),
        why,
    };
    if pattern.len() > PATTERN_BOUND {
        return Err(error(format!("it is longer than {PATTERN_BOUND} bytes")));
    }
    expr::pattern::compile(pattern).map_err(error)
}
