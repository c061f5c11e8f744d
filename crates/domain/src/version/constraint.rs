//! Constraints on versions: groups of comparators joined by OR, each group joined by AND.

use std::fmt;
use std::sync::LazyLock;

use regex::{Captures, Regex};

use super::Version;

/// The longest text that can be a constraint, in bytes.
pub const MAX_CONSTRAINT_LENGTH: usize = 512;

/// The most groups that `||` may join.
pub const MAX_GROUPS: usize = 32;

/// A condition on versions such as `>=1.2, <2 || ^3.1`.
#[derive(Debug, Clone)]
pub struct Constraint {
    original: String,
    groups: Vec<Group>,
}

/// Why a text is not a constraint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConstraintError {
    #[error("version constraint is longer than {MAX_CONSTRAINT_LENGTH} bytes")]
    TooLong,
    #[error("version constraint has more than {MAX_GROUPS} groups joined by ||")]
    TooManyGroups,
    #[error("improper version constraint {text:?}")]
    Malformed { text: String },
}

impl Constraint {
    /// Reads a constraint.
    pub fn parse(text: &str) -> Result<Self, ConstraintError> {
        if text.len() > MAX_CONSTRAINT_LENGTH {
            return Err(ConstraintError::TooLong);
        }
        let expanded = RANGE.replace_all(text, |range: &Captures<'_>| {
            format!(">= {}, <= {} ", &range[1], &range[2])
        });
        let groups: Vec<&str> = expanded.split("||").collect();
        if groups.len() > MAX_GROUPS {
            return Err(ConstraintError::TooManyGroups);
        }
        let groups = groups
            .into_iter()
            .map(|group| {
                Group::parse(group).ok_or_else(|| ConstraintError::Malformed {
                    text: group.to_owned(),
                })
            })
            .collect::<Result<_, _>>()?;
        Ok(Self {
            original: text.to_owned(),
            groups,
        })
    }

    /// Says whether a version satisfies the constraint.
    pub fn allows(&self, version: &Version) -> bool {
        self.groups.iter().any(|group| group.allows(version))
    }
}

impl fmt::Display for Constraint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.original)
    }
}

/// The text of one version in a constraint; any number may be a wildcard. A `|` may stand where a digit may: that is how
/// the reference reads `1||2 - 3`, whose hyphen range then begins at `1`.
const VERSION: &str = r"v?[0-9|xX*]+(?:\.[0-9|xX*]+){0,2}(?:-[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?";

/// What counts as a space: Go's `\s`, which lacks the vertical tab.
const SPACE: &str = r"[\t\n\f\r ]";

static RANGE: LazyLock<Regex> = LazyLock::new(|| {
    compile(&format!(
        "{SPACE}*({VERSION}){SPACE}+-{SPACE}+({VERSION}){SPACE}*"
    ))
});

static COMPARATOR: LazyLock<Regex> = LazyLock::new(|| {
    compile(&format!(
        "^{SPACE}*(!=|>=|=>|<=|=<|~>|=|>|<|~|\\^|){SPACE}*({VERSION})({SPACE}*)(,{SPACE}*)?"
    ))
});

fn compile(pattern: &str) -> Regex {
    Regex::new(pattern).expect("the patterns of this file are valid")
}

/// Comparators that must all hold.
#[derive(Debug, Clone)]
struct Group {
    comparators: Vec<Comparator>,
    /// Pre-releases are looked at only where one of the comparators names one.
    sees_prereleases: bool,
}

impl Group {
    fn parse(text: &str) -> Option<Self> {
        let mut comparators = Vec::new();
        let mut rest = text;
        loop {
            let found = COMPARATOR.captures(rest)?;
            comparators.push(Comparator::parse(&found[1], &found[2])?);
            rest = &rest[found[0].len()..];
            let comma = found.get(4).is_some();
            match (rest.is_empty(), comma) {
                (true, false) => break,
                (true, true) => return None,
                // Without a comma, only a space separates.
                (false, false) if found[3].is_empty() => return None,
                (false, _) => {}
            }
        }
        let sees_prereleases = comparators
            .iter()
            .any(|it| !it.version.prerelease().is_empty());
        Some(Self {
            comparators,
            sees_prereleases,
        })
    }

    fn allows(&self, version: &Version) -> bool {
        (version.prerelease().is_empty() || self.sees_prereleases)
            && self.comparators.iter().all(|it| it.allows(version))
    }
}

#[derive(Debug, Clone)]
struct Comparator {
    operator: Operator,
    version: Version,
    given: Given,
}

#[derive(Debug, Clone, Copy)]
enum Operator {
    /// No operator or `=`.
    Equal,
    NotEqual,
    Greater,
    Less,
    GreaterOrEqual,
    LessOrEqual,
    Tilde,
    Caret,
}

/// How much of the version a comparator states; what is missing or a wildcard counts as 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Given {
    Nothing,
    Major,
    MajorMinor,
    All,
}

impl Comparator {
    fn parse(operator: &str, text: &str) -> Option<Self> {
        let operator = match operator {
            "" | "=" => Operator::Equal,
            "!=" => Operator::NotEqual,
            ">" => Operator::Greater,
            "<" => Operator::Less,
            ">=" | "=>" => Operator::GreaterOrEqual,
            "<=" | "=<" => Operator::LessOrEqual,
            "~" | "~>" => Operator::Tilde,
            "^" => Operator::Caret,
            _ => return None,
        };
        let (given, version) = read(text)?;
        Some(Self {
            operator,
            version,
            given,
        })
    }

    fn allows(&self, version: &Version) -> bool {
        let wanted = &self.version;
        match self.operator {
            Operator::Equal if self.given == Given::All => version == wanted,
            Operator::Equal | Operator::Tilde => self.allows_tilde(version),
            Operator::NotEqual => self.allows_unequal(version),
            Operator::Less => version < wanted,
            Operator::GreaterOrEqual => version >= wanted,
            Operator::Greater => match self.given {
                Given::Major => version.major() > wanted.major(),
                Given::MajorMinor => {
                    (version.major(), version.minor()) > (wanted.major(), wanted.minor())
                }
                Given::All | Given::Nothing => version > wanted,
            },
            Operator::LessOrEqual => match self.given {
                Given::Major => version.major() <= wanted.major(),
                Given::MajorMinor | Given::Nothing => {
                    (version.major(), version.minor()) <= (wanted.major(), wanted.minor())
                }
                Given::All => version <= wanted,
            },
            Operator::Caret => self.allows_caret(version),
        }
    }

    fn allows_tilde(&self, version: &Version) -> bool {
        let wanted = &self.version;
        if version < wanted {
            return false;
        }
        let zero = (wanted.major(), wanted.minor(), wanted.patch()) == (0, 0, 0);
        if zero && matches!(self.given, Given::All | Given::Nothing) {
            return true;
        }
        version.major() == wanted.major()
            && (self.given == Given::Major || version.minor() == wanted.minor())
    }

    fn allows_unequal(&self, version: &Version) -> bool {
        let wanted = &self.version;
        let same_major = version.major() == wanted.major();
        let same_minor = same_major && version.minor() == wanted.minor();
        match self.given {
            Given::Major => !same_major,
            Given::MajorMinor => !same_minor || version.prerelease() != wanted.prerelease(),
            // A wildcard for the major number still compares the zeros it stands for.
            Given::All | Given::Nothing => version != wanted,
        }
    }

    fn allows_caret(&self, version: &Version) -> bool {
        let wanted = &self.version;
        if version < wanted || version.major() != wanted.major() {
            return false;
        }
        if wanted.major() > 0 || self.given == Given::Major {
            return true;
        }
        if version.minor() != wanted.minor() {
            return false;
        }
        wanted.minor() > 0 || self.given == Given::MajorMinor || version.patch() == wanted.patch()
    }
}

/// Reads the version of a comparator, filling wildcards and missing numbers with zeros.
fn read(text: &str) -> Option<(Given, Version)> {
    let bare = text.strip_prefix('v').unwrap_or(text);
    let (core, _) = bare.split_once('+').unwrap_or((bare, ""));
    let (numbers, prerelease) = core.split_once('-').unwrap_or((core, ""));
    let mut parts = numbers
        .split('.')
        .take_while(|part| !matches!(*part, "x" | "X" | "*"));
    let [major, minor, patch] = [parts.next(), parts.next(), parts.next()];
    let number = |part: Option<&str>| part.map_or(Some(0), |digits| digits.parse::<u64>().ok());
    let given = match (major, minor, patch) {
        (None, ..) => Given::Nothing,
        (Some(_), None, _) => Given::Major,
        (Some(_), Some(_), None) => Given::MajorMinor,
        (Some(_), Some(_), Some(_)) => {
            return Version::parse(text)
                .ok()
                .map(|version| (Given::All, version));
        }
    };
    let version = Version::from_parts(number(major)?, number(minor)?, 0, prerelease).ok()?;
    Some((given, version))
}
