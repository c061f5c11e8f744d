//! Which changes of a commit count by the files they touch.

use globset::{GlobBuilder, GlobMatcher};
use regex::bytes::Regex;

use super::tags::compile_one;
use super::{Rule, RulesError};

/// Most patterns of one field.
const PATTERNS_BOUND: usize = 100;

/// Holds `includePaths` and `excludePaths`.
///
/// A pattern is a file or a folder with all in it, or `glob:` with `**`, `{a,b}` and `[…]`, or `regex:` or `regexp:` with
/// RE2 that matches anywhere in the path.
#[derive(Debug)]
pub struct PathRules {
    include: Vec<PathPattern>,
    exclude: Vec<PathPattern>,
}

#[derive(Debug)]
enum PathPattern {
    Base(String),
    Glob(GlobMatcher),
    Regex(Regex),
}

impl PathRules {
    /// Reads the patterns.
    pub fn parse(include: &[String], exclude: &[String]) -> Result<Self, RulesError> {
        Ok(Self {
            include: parse_all("includePaths", include)?,
            exclude: parse_all("excludePaths", exclude)?,
        })
    }

    /// Says that every change counts, so that none has to be looked at.
    pub fn is_empty(&self) -> bool {
        self.include.is_empty() && self.exclude.is_empty()
    }

    /// Passes a change of which some path is included and not excluded. Without patterns nothing has to be changed.
    pub(super) fn judge(&self, changed: &[String]) -> Result<(), Rule> {
        let covered = self.is_empty() || self.cover(changed.iter().map(String::as_str));
        covered.then_some(()).ok_or(Rule::Paths)
    }

    /// Says whether some changed path is included and not excluded.
    pub fn cover<'a>(&self, changed: impl IntoIterator<Item = &'a str>) -> bool {
        changed.into_iter().any(|path| {
            let is_included =
                self.include.is_empty() || self.include.iter().any(|it| it.covers(path));
            is_included && !self.exclude.iter().any(|it| it.covers(path))
        })
    }
}

impl PathPattern {
    fn covers(&self, path: &str) -> bool {
        match self {
            Self::Base(base) => {
                base.is_empty()
                    || path
                        .strip_prefix(base.as_str())
                        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            }
            Self::Glob(glob) => glob.is_match(path),
            Self::Regex(regex) => regex.is_match(path.as_bytes()),
        }
    }
}

fn parse_all(field: &'static str, patterns: &[String]) -> Result<Vec<PathPattern>, RulesError> {
    if let Some(beyond) = patterns.get(PATTERNS_BOUND) {
        return Err(RulesError::Pattern {
            field,
            pattern: beyond.clone(),
            why: format!("there are more than {PATTERNS_BOUND}"),
        });
    }
    patterns
        .iter()
        .map(|pattern| parse(field, pattern))
        .collect()
}

fn parse(field: &'static str, pattern: &str) -> Result<PathPattern, RulesError> {
    if let Some(glob) = pattern.strip_prefix("glob:") {
        let built = GlobBuilder::new(glob)
            .literal_separator(true)
            .backslash_escape(true)
            .build();
        return built
            .map(|glob| PathPattern::Glob(glob.compile_matcher()))
            .map_err(|error| RulesError::Pattern {
                field,
                pattern: pattern.to_owned(),
                why: error.kind().to_string(),
            });
    }
    if let Some(regex) = pattern
        .strip_prefix("regex:")
        .or_else(|| pattern.strip_prefix("regexp:"))
    {
        return compile_one(field, regex).map(PathPattern::Regex);
    }
    let mut parts: Vec<&str> = Vec::new();
    for part in pattern.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop().ok_or_else(|| RulesError::Pattern {
                    field,
                    pattern: pattern.to_owned(),
                    why: "it leads out of the repository".to_owned(),
                })?;
            }
            part => parts.push(part),
        }
    }
    Ok(PathPattern::Base(parts.join("/")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(include: &[&str], exclude: &[&str], changed: &[&str], expected: bool) {
        let owned = |texts: &[&str]| texts.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
        let rules = PathRules::parse(&owned(include), &owned(exclude)).expect("usable patterns");
        assert_eq!(
            rules.cover(changed.iter().copied()),
            expected,
            "{include:?} {exclude:?} {changed:?}"
        );
    }

    #[test]
    fn a_change_counts_if_it_is_included_and_not_excluded() {
        check(&[], &[], &["a"], true);
        check(&[], &[], &[], false);
        check(&["apps/web"], &[], &["apps/web/x.yaml"], true);
        check(&["apps/web/"], &[], &["apps/web/x.yaml"], true);
        check(&["./apps/web"], &[], &["apps/web"], true);
        check(&["apps/web"], &[], &["apps/website/x.yaml"], false);
        check(&["."], &[], &["x"], true);
        check(&["apps/../base"], &[], &["base/x"], true);
        check(&["apps"], &["apps/web"], &["apps/web/x"], false);
        check(
            &["apps"],
            &["apps/web"],
            &["apps/web/x", "apps/api/x"],
            true,
        );
        check(&[], &["docs"], &["docs/x"], false);
        check(
            &["glob:apps/*/values.yaml"],
            &[],
            &["apps/web/values.yaml"],
            true,
        );
        check(
            &["glob:apps/*/values.yaml"],
            &[],
            &["apps/web/prod/values.yaml"],
            false,
        );
        check(&["glob:**/*.{yaml,yml}"], &[], &["a/b/c.yml"], true);
        check(&["glob:**/*.yaml"], &[], &["c.yaml"], true);
        check(
            &["regex:values-.*\\.yaml$"],
            &[],
            &["apps/values-prod.yaml"],
            true,
        );
        check(&["regexp:^values"], &[], &["apps/values-prod.yaml"], false);
        // A file may have two dots in its name.
        check(&["apps"], &[], &["apps/a..b"], true);
    }

    #[test]
    fn an_unusable_pattern_names_its_field() {
        for pattern in ["glob:[", "regex:(", "../x"] {
            let error = PathRules::parse(&[], &[pattern.to_owned()]).expect_err(pattern);
            assert!(error.to_string().contains("excludePaths"), "{error}");
        }
    }
}
