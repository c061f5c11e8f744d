//! The functions that expressions of a promotion have beside those of the language: what the Freight holds, what
//! Kubernetes objects say, versions.

mod artifacts;
mod read;

use domain::version::Version;
use expr::{Record, Value};

pub(crate) use self::read::Reader;

/// Functions whose answer is outside; see [`Reader::answer`].
const OUTSIDE: [&str; 11] = [
    "artifactFrom",
    "chartFrom",
    "commitFrom",
    "configMap",
    "freightMetadata",
    "freightStatus",
    "imageFrom",
    "secret",
    "sharedConfigMap",
    "sharedSecret",
    "stageMetadata",
];

/// Says whether a function's answer is outside.
pub(crate) fn is_outside(name: &str) -> bool {
    OUTSIDE.binary_search(&name).is_ok()
}

/// Calls a function that needs nothing from outside; `None` for any other.
pub(crate) fn call(name: &str, arguments: &[Value]) -> Option<Result<Value, String>> {
    Some(match (name, arguments) {
        ("warehouse", [Value::String(name)]) => Ok(Value::from(origin(name))),
        ("warehouse", _) => Err("warehouse takes the name of a Warehouse".to_owned()),
        ("semverDiff", [Value::String(one), Value::String(other)]) => {
            Ok(Value::from(semver_diff(one, other)))
        }
        ("semverDiff", _) => Err("semverDiff takes two versions".to_owned()),
        ("semverParse", [Value::String(text)]) => {
            parse_version(text).map(|version| Value::from(record(&version)))
        }
        ("semverParse", _) => Err("semverParse takes a version".to_owned()),
        _ => return None,
    })
}

fn origin(name: &str) -> Record {
    Record::new("v1alpha1.FreightOrigin")
        .with("Kind", "kind", "Warehouse")
        .with("Name", "name", name)
}

fn parse_version(text: &str) -> Result<Version, String> {
    Version::parse(text).map_err(|error| error.to_string())
}

/// The most significant part in which two versions differ. Prereleases are not looked at.
fn semver_diff(one: &str, other: &str) -> &'static str {
    match (Version::parse(one), Version::parse(other)) {
        (Ok(one), Ok(other)) if one.major() != other.major() => "Major",
        (Ok(one), Ok(other)) if one.minor() != other.minor() => "Minor",
        (Ok(one), Ok(other)) if one.patch() != other.patch() => "Patch",
        (Ok(one), Ok(other)) if one.metadata() != other.metadata() => "Metadata",
        (Ok(_), Ok(_)) => "None",
        (Err(_), _) | (_, Err(_)) => "Incomparable",
    }
}

/// A version with the methods that Go's has.
fn record(version: &Version) -> Record {
    let number = |number: u64| Value::from(i64::try_from(number).unwrap_or(i64::MAX));
    let increased = |next: Option<Version>| {
        move |_: &[Value]| match &next {
            Some(version) => Ok(Value::from(record(version))),
            None => Err("the version cannot be increased".to_owned()),
        }
    };
    let fixed = |value: Value| move |_: &[Value]| Ok(value.clone());
    Record::new("semver.Version")
        .with_method("Major", fixed(number(version.major())))
        .with_method("Minor", fixed(number(version.minor())))
        .with_method("Patch", fixed(number(version.patch())))
        .with_method("Prerelease", fixed(Value::from(version.prerelease())))
        .with_method("Metadata", fixed(Value::from(version.metadata())))
        .with_method("Original", fixed(Value::from(version.original())))
        .with_method("String", fixed(Value::from(version.to_string())))
        .with_method("IncMajor", increased(version.next_major()))
        .with_method("IncMinor", increased(version.next_minor()))
        .with_method("IncPatch", increased(version.next_patch()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_differ_in_their_most_significant_part() {
        for (one, other, expected) in [
            ("1.2.3", "2.0.0", "Major"),
            ("1.2.3", "1.3.3", "Minor"),
            ("1.2.3", "1.2.4", "Patch"),
            ("1.2.3+a", "1.2.3+b", "Metadata"),
            ("1.2.3-a", "1.2.3-b", "None"),
            ("1.2.3", "x", "Incomparable"),
        ] {
            assert_eq!(semver_diff(one, other), expected, "{one} {other}");
        }
    }

    #[test]
    fn functions_that_ask_outside_are_sorted() {
        assert!(OUTSIDE.is_sorted());
        assert!(is_outside("commitFrom") && !is_outside("warehouse"));
    }
}
