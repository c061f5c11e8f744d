//! Tests of versions: reading, writing, order.

use proptest::prelude::*;

use super::*;

fn version(text: &str) -> Version {
    Version::parse(text).unwrap()
}

#[test]
fn a_lax_version_may_lack_parts_and_keeps_its_text() {
    for (text, canonical) in [
        ("v1", "1.0.0"),
        ("1.2", "1.2.0"),
        ("01.02.3", "1.2.3"),
        ("v1.2-rc1+b.7", "1.2.0-rc1+b.7"),
    ] {
        assert_eq!(version(text).to_string(), canonical);
        assert_eq!(version(text).original(), text);
    }
}

#[test]
fn a_strict_version_lacks_nothing() {
    assert_eq!(
        Version::parse_strict("1.2.3-rc.1+x").unwrap().to_string(),
        "1.2.3-rc.1+x"
    );
    for text in ["v1.2.3", "1.2", "1", "01.2.3", "1.2.3-01", ""] {
        assert!(Version::parse_strict(text).is_err(), "{text}");
    }
}

#[test]
fn what_is_not_a_version_is_refused() {
    let long = "1".repeat(MAX_VERSION_LENGTH + 1);
    for text in [
        "",
        "v",
        "latest",
        "1.2.3.4",
        "1..2",
        "1.2.",
        "1.2.3-",
        "1.2.3+",
        "1.2.3-a..b",
        "1.2.3-01",
        "vv1",
        " 1",
        "99999999999999999999",
        &long,
    ] {
        assert!(Version::parse(text).is_err(), "{text}");
    }
}

#[test]
fn precedence_follows_the_specification() {
    let order = [
        "1.0.0-1",
        "1.0.0-2",
        "1.0.0-10",
        "1.0.0-alpha",
        "1.0.0-alpha.1",
        "1.0.0-alpha.beta",
        "1.0.0-beta.2",
        "1.0.0-beta.11",
        "1.0.0-rc.1",
        "1.0.0",
        "1.0.1",
        "1.1",
        "v2",
    ];
    for pair in order.windows(2) {
        assert!(version(pair[0]) < version(pair[1]), "{pair:?}");
    }
    assert_eq!(version("v1.2"), version("1.2.0+build"));
}

#[test]
fn the_next_version_keeps_the_letter_and_ends_a_prerelease() {
    assert_eq!(version("v1.2.3").next_major().unwrap().original(), "v2.0.0");
    assert_eq!(
        version("1.2.3-rc.1").next_minor().unwrap().original(),
        "1.3.0"
    );
    assert_eq!(
        version("1.2.3-rc.1").next_patch().unwrap().original(),
        "1.2.3"
    );
    assert_eq!(version("18446744073709551615.0.0").next_major(), None);
}

#[test]
fn a_constraint_is_bounded() {
    assert_eq!(
        Constraint::parse(&"1 ".repeat(400)).unwrap_err(),
        ConstraintError::TooLong
    );
    assert_eq!(
        Constraint::parse(&"1||".repeat(40)).unwrap_err(),
        ConstraintError::TooManyGroups
    );
}

fn any_version() -> impl Strategy<Value = Version> {
    let identifier = prop_oneof![
        "0|[1-9][0-9]{0,3}",
        "[a-c-]{1,2}",
        Just("99999999999999999999".to_owned())
    ];
    let prerelease = proptest::collection::vec(identifier, 0..3);
    (0u64..3, 0u64..3, 0u64..3, prerelease).prop_map(|(major, minor, patch, prerelease)| {
        let suffix = if prerelease.is_empty() {
            String::new()
        } else {
            format!("-{}", prerelease.join("."))
        };
        version(&format!("{major}.{minor}.{patch}{suffix}"))
    })
}

proptest! {
    #[test]
    fn versions_are_totally_ordered(a in any_version(), b in any_version(), c in any_version()) {
        prop_assert_eq!(a.cmp(&b), b.cmp(&a).reverse());
        if a <= b && b <= c {
            prop_assert!(a <= c);
        }
        prop_assert_eq!(a == b, a.to_string() == b.to_string());
    }

    #[test]
    fn no_text_makes_parsing_panic(text in ".{0,40}") {
        let _read = (Version::parse(&text).is_ok(), Version::parse_strict(&text).is_ok(), Constraint::parse(&text).is_ok());
    }

    #[test]
    fn what_is_written_is_read_back(version in any_version()) {
        prop_assert_eq!(Version::parse_strict(&version.to_string()).unwrap(), version);
    }
}
