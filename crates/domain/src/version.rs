//! Versions as image tags, Git tags and charts carry them, and the constraints that select among them.
//!
//! The semantics are those of Masterminds/semver v3, which differ from every Rust crate: a version may lack its minor
//! and patch (`v1.2`), a bare partial version is a tilde, a comma and a space both mean AND, and pre-releases are seen
//! only by a group of constraints in which one names a pre-release.
//!
//! ```
//! use domain::version::{Constraint, Version};
//!
//! let constraint = Constraint::parse("^1.26 || ~2.0.1").expect("a valid constraint");
//! assert!(constraint.allows(&Version::parse("v1.27").expect("a lax version")));
//! assert!(!constraint.allows(&Version::parse("1.27.0-rc.1").expect("a version")));
//! ```
//!
//! Source: <https://github.com/Masterminds/semver>, answers recorded in `tests/fixtures/semver.tsv`.

mod constraint;

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

pub use constraint::{Constraint, ConstraintError, MAX_CONSTRAINT_LENGTH, MAX_GROUPS};

/// The longest text that can be a version, in bytes.
pub const MAX_VERSION_LENGTH: usize = 256;

/// A semantic version and the text it was read from.
///
/// Two versions are equal when neither goes before the other: build metadata and the way of writing (`v1.2`, `1.2.0`)
/// play no part. [`Version::original`] tells such versions apart.
#[derive(Debug, Clone)]
pub struct Version {
    major: u64,
    minor: u64,
    patch: u64,
    prerelease: String,
    metadata: String,
    original: String,
}

/// Why a text is not a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum VersionError {
    #[error("version is longer than {MAX_VERSION_LENGTH} bytes")]
    TooLong,
    #[error("not a semantic version")]
    Malformed,
    #[error("a number of the version starts with 0")]
    LeadingZero,
    #[error("a number of the version is too large")]
    TooLarge,
}

impl Version {
    /// Reads a version leniently: an optional `v`, one to three numbers, leading zeros allowed (`v1`, `1.2-rc1`, `01.2.3`).
    pub fn parse(text: &str) -> Result<Self, VersionError> {
        let version = Self::split(text, text.strip_prefix('v').unwrap_or(text))?;
        Ok(version.0)
    }

    /// Reads a version by the letter of the specification: three numbers without leading zeros and no `v`.
    pub fn parse_strict(text: &str) -> Result<Self, VersionError> {
        let (version, numbers) = Self::split(text, text)?;
        if numbers.len() != 3 {
            return Err(VersionError::Malformed);
        }
        if numbers
            .iter()
            .any(|number| number.len() > 1 && number.starts_with('0'))
        {
            return Err(VersionError::LeadingZero);
        }
        Ok(version)
    }

    /// Makes a version of its parts; the original text is the canonical one. The caller vouches for the identifiers.
    pub(crate) fn from_parts(
        major: u64,
        minor: u64,
        patch: u64,
        prerelease: &str,
    ) -> Result<Self, VersionError> {
        check_prerelease(prerelease)?;
        let mut version = Self {
            major,
            minor,
            patch,
            prerelease: prerelease.to_owned(),
            metadata: String::new(),
            original: String::new(),
        };
        version.original = version.to_string();
        Ok(version)
    }

    fn split<'a>(original: &str, text: &'a str) -> Result<(Self, Vec<&'a str>), VersionError> {
        if original.len() > MAX_VERSION_LENGTH {
            return Err(VersionError::TooLong);
        }
        let (rest, metadata) = text
            .split_once('+')
            .map_or((text, None), |(rest, metadata)| (rest, Some(metadata)));
        let (rest, prerelease) = rest
            .split_once('-')
            .map_or((rest, None), |(rest, pre)| (rest, Some(pre)));
        let numbers: Vec<&str> = rest.split('.').collect();
        if numbers.len() > 3
            || numbers
                .iter()
                .any(|it| it.is_empty() || !it.bytes().all(|byte| byte.is_ascii_digit()))
        {
            return Err(VersionError::Malformed);
        }
        for identifiers in [prerelease, metadata].into_iter().flatten() {
            check_identifiers(identifiers)?;
        }
        check_prerelease(prerelease.unwrap_or_default())?;
        let number = |index: usize| {
            numbers.get(index).map_or(Ok(0), |digits| {
                digits.parse::<u64>().map_err(|_| VersionError::TooLarge)
            })
        };
        let version = Self {
            major: number(0)?,
            minor: number(1)?,
            patch: number(2)?,
            prerelease: prerelease.unwrap_or_default().to_owned(),
            metadata: metadata.unwrap_or_default().to_owned(),
            original: original.to_owned(),
        };
        Ok((version, numbers))
    }

    pub fn major(&self) -> u64 {
        self.major
    }

    pub fn minor(&self) -> u64 {
        self.minor
    }

    pub fn patch(&self) -> u64 {
        self.patch
    }

    /// The identifiers after `-`, without it; empty for a release.
    pub fn prerelease(&self) -> &str {
        &self.prerelease
    }

    /// The identifiers after `+`, without it; empty where there are none.
    pub fn metadata(&self) -> &str {
        &self.metadata
    }

    /// The text this version was read from, such as the tag of an image.
    pub fn original(&self) -> &str {
        &self.original
    }

    /// The next major version, `None` where the number cannot grow. A `v` in front stays.
    #[must_use]
    pub fn next_major(&self) -> Option<Self> {
        self.next(self.major.checked_add(1)?, 0, 0)
    }

    /// The next minor version, `None` where the number cannot grow. A `v` in front stays.
    #[must_use]
    pub fn next_minor(&self) -> Option<Self> {
        self.next(self.major, self.minor.checked_add(1)?, 0)
    }

    /// The next patch version: of a pre-release it is the release itself. A `v` in front stays.
    #[must_use]
    pub fn next_patch(&self) -> Option<Self> {
        let patch = if self.prerelease.is_empty() {
            self.patch.checked_add(1)?
        } else {
            self.patch
        };
        self.next(self.major, self.minor, patch)
    }

    fn next(&self, major: u64, minor: u64, patch: u64) -> Option<Self> {
        let mut next = Self::from_parts(major, minor, patch, "").ok()?;
        if self.original.starts_with('v') {
            next.original.insert(0, 'v');
        }
        Some(next)
    }
}

/// Writes the canonical form: three numbers, no `v`.
impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)?;
        if !self.prerelease.is_empty() {
            write!(f, "-{}", self.prerelease)?;
        }
        if !self.metadata.is_empty() {
            write!(f, "+{}", self.metadata)?;
        }
        Ok(())
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.major, self.minor, self.patch)
            .cmp(&(other.major, other.minor, other.patch))
            .then_with(|| compare_prerelease(&self.prerelease, &other.prerelease))
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Version {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Version {}

impl Hash for Version {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.major, self.minor, self.patch, &self.prerelease).hash(state);
    }
}

/// Orders what follows the `-`: a release goes after each of its pre-releases.
fn compare_prerelease(left: &str, right: &str) -> Ordering {
    match (left.is_empty(), right.is_empty()) {
        (true, true) => Ordering::Equal,
        (true, false) => Ordering::Greater,
        (false, true) => Ordering::Less,
        (false, false) => left
            .split('.')
            .map(Identifier::of)
            .cmp(right.split('.').map(Identifier::of)),
    }
}

/// One dot-separated part of a pre-release; the order of the variants is the order of precedence.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Identifier<'a> {
    Number(u64),
    Text(&'a str),
}

impl<'a> Identifier<'a> {
    /// A number too large for 64 bits counts as text, as the reference has it.
    fn of(text: &'a str) -> Self {
        text.parse().map_or(Self::Text(text), Self::Number)
    }
}

fn check_identifiers(text: &str) -> Result<(), VersionError> {
    let valid = |part: &str| {
        !part.is_empty()
            && part
                .bytes()
                .all(|it| it.is_ascii_alphanumeric() || it == b'-')
    };
    if text.split('.').all(valid) {
        Ok(())
    } else {
        Err(VersionError::Malformed)
    }
}

fn check_prerelease(text: &str) -> Result<(), VersionError> {
    let padded = |part: &str| {
        part.len() > 1 && part.starts_with('0') && part.bytes().all(|it| it.is_ascii_digit())
    };
    if text.split('.').any(padded) {
        Err(VersionError::LeadingZero)
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
