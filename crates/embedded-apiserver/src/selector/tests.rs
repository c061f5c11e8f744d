//! Label and field selectors against all their operators, mistakes and arbitrary text.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn check(selector: &str, labels: &Value, expected: bool) {
    let parsed =
        LabelSelector::parse(selector).unwrap_or_else(|error| panic!("{selector}: {error}"));
    assert_eq!(
        parsed.matches_labels(labels.as_object()),
        expected,
        "{selector} on {labels}"
    );
}

#[test]
fn label_selectors_have_all_operators() {
    let labels = json!({ "app": "web", "tier": "", "weight": "5", "example.com/team": "a" });
    for selector in [
        "",
        "app",
        "!gone",
        "app=web",
        "app==web",
        "app = web , example.com/team=a",
        "app!=db",
        "gone!=x",
        "app in (db,web)",
        "app notin (db)",
        "gone notin (db)",
        "tier=",
        "tier in ()",
        "tier in (,a)",
        "tier in (a,)",
        "weight>4",
        "weight<6",
        "app in(web),weight > 4",
    ] {
        check(selector, &labels, true);
    }
    for selector in [
        "!app",
        "gone",
        "app=db",
        "app!=web",
        "app notin (web)",
        "weight>5",
        "weight<5",
        "app>1",
        "gone>1",
        "gone in (a)",
    ] {
        check(selector, &labels, false);
    }
}

#[test]
fn bad_label_selectors_say_what_was_expected() {
    for (selector, expected) in [
        ("app=web=x", "found '=', expected: ',' or 'end of string'"),
        ("app,", "found '', expected: identifier after ','"),
        (
            "=a",
            "found '=', expected: !, identifier, or 'end of string'",
        ),
        (
            "app x",
            "unable to parse requirement: found 'x', expected: in, notin, =, ==, !=, gt, lt",
        ),
        (
            "app in web",
            "unable to parse requirement: found 'web' expected: '('",
        ),
        (
            "app in (a",
            "unable to parse requirement: found '', expected: ',' or ')'",
        ),
        (
            "app>b",
            "unable to parse requirement: values[0]: Invalid value: \"b\": for 'Gt', 'Lt' operators, the value must be an integer",
        ),
    ] {
        assert_eq!(
            LabelSelector::parse(selector).map_err(|error| error.to_string()),
            Err(expected.to_owned()),
            "{selector}"
        );
    }
    let error = LabelSelector::parse("a b/c=1")
        .expect_err("a key with a space")
        .to_string();
    assert!(
        error.starts_with("unable to parse requirement: found 'b/c', expected:"),
        "{error}"
    );
    assert!(LabelSelector::parse("app=a/b").is_err());
    assert!(LabelSelector::parse("-a").is_err());
}

#[test]
fn field_selectors_know_the_declared_fields() {
    let secret = json!({ "metadata": { "name": "a,b", "namespace": "acme" }, "type": "Opaque" });
    let fields = builtin_fields("", "Secret");
    for (selector, expected) in [
        ("", true),
        ("type=Opaque", true),
        ("type==Opaque,metadata.namespace=acme", true),
        ("type!=Opaque", false),
        (r"metadata.name=a\,b", true),
        ("metadata.name=", false),
        (",type=Opaque,", true),
    ] {
        let parsed = FieldSelector::parse(selector, fields)
            .unwrap_or_else(|error| panic!("{selector}: {error}"));
        assert_eq!(parsed.matches(&secret), expected, "{selector}");
    }
    let parsed = FieldSelector::parse("metadata.name=x,type!=y", fields).expect("a good selector");
    assert_eq!(
        (parsed.exact("metadata.name"), parsed.exact("type")),
        (Some("x"), None)
    );
}

#[test]
fn bad_field_selectors_say_why() {
    for (selector, expected) in [
        (
            "metadata.name",
            "invalid selector: 'metadata.name'; can't understand 'metadata.name'",
        ),
        ("spec.x=1", "field label not supported: spec.x"),
        (
            r"metadata.name=\a",
            r"invalid field selector: invalid escape sequence: \a",
        ),
        (
            "metadata.name=a=b",
            "invalid field selector: unescaped character in value: 61",
        ),
    ] {
        let parsed = FieldSelector::parse::<&str>(selector, &[]);
        assert_eq!(
            parsed.map_err(|error| error.to_string()),
            Err(expected.to_owned()),
            "{selector}"
        );
    }
}

proptest! {
    #[test]
    fn any_text_is_parsed_or_refused(text in ".{0,60}", tokens in proptest::collection::vec("[a-c=!(),<>\\\\ ]|in|notin|metadata.name", 0..12)) {
        let joined = tokens.concat();
        for selector in [text.as_str(), joined.as_str()] {
            if let Ok(selector) = LabelSelector::parse(selector) {
                selector.matches(&json!({ "metadata": { "labels": { "a": "b" } } }));
            }
            if let Ok(selector) = FieldSelector::parse(selector, builtin_fields("", "Event")) {
                selector.matches(&json!({}));
            }
        }
    }
}
