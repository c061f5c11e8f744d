//! Tests of templates.

use std::collections::BTreeMap;

use serde_json::json;

use super::*;

fn environment() -> BTreeMap<String, Value> {
    BTreeMap::from([
        ("name".to_owned(), Value::from("web")),
        ("sha".to_owned(), Value::from("12e4")),
        ("digits".to_owned(), Value::from("1234567")),
        ("said".to_owned(), Value::from("a\"b")),
        (
            "map".to_owned(),
            Value::from(json!({"b": [1, "x<y"], "a": null})),
        ),
        ("truth".to_owned(), Value::Bool(true)),
    ])
}

/// Evaluates a template to the JSON of its value, `error` if it has none.
fn check(cases: &[(&str, &str)]) {
    for (template, expected) in cases {
        let result = evaluate_string(template, &environment(), &mut Budget::default());
        let shown = match result {
            Ok(Evaluation::Done(value)) => {
                value.to_json_text().unwrap_or_else(|_| value.to_string())
            }
            Ok(Evaluation::Pending(_)) => "pending".to_owned(),
            Err(_) => "error".to_owned(),
        };
        assert_eq!(shown, *expected, "{template}");
    }
}

#[test]
fn a_string_without_expression_is_left_alone() {
    check(&[
        ("42", r#""42""#),
        ("", r#""""#),
        ("true\n", r#""true\n""#),
        ("$ {{ x }}", r#""$ {{ x }}""#),
    ]);
}

#[test]
fn expressions_are_spliced() {
    check(&[
        ("${{ name }}-${% name %}", r#""web-web""#),
        ("x${{ 1 + 1 }}y", r#""x2y""#),
        (
            "is ${{ map }}",
            r#""is {\"a\":null,\"b\":[1,\"x\\u003cy\"]}""#,
        ),
        ("${{ nope }}", "null"),
        ("${{ {a: {b: 1} } }}", r#"{"a":{"b":1}}"#),
        // The end of the delimiter counts wherever it is first.
        ("${{ {a: {b: 1}} }}", "error"),
        ("${% {a: {b: 1}} %}", r#"{"a":{"b":1}}"#),
        ("a${{}}b${{ name }}", r#""ab${{ name }}""#),
        ("${{ name", "error"),
        ("${{ }}", "error"),
        ("${{ 1 + }}", "error"),
    ]);
}

#[test]
fn what_looks_like_something_else_becomes_it() {
    check(&[
        ("${{ digits }}", "1234567"),
        ("${{ sha }}", "120000"),
        // No float is that large.
        ("${{ '12e4567' }}", r#""12e4567""#),
        ("${{ '0x1p-2' }}", "0.25"),
        ("${{ '1_000' }}", "1000"),
        ("${{ 'Infinity' }}", "+Inf"),
        ("${{ 'nan' }}", "NaN"),
        ("${{ '0b1' }}", r#""0b1""#),
        ("${{ 't' }}", "true"),
        ("${{ 'False' }}", "false"),
        ("${{ 'tRUE' }}", r#""tRUE""#),
        ("${{ truth }}", "true"),
        ("${{ ' 42 ' }}", "42"),
        ("${{ '[1, 2]' }}", "[1,2]"),
        ("${{ 7 }}\n", "7"),
        ("${{ name }}\n", r#""web\n""#),
    ]);
}

#[test]
fn what_is_quoted_stays_a_string() {
    check(&[
        ("${{ quote(sha) }}", r#""12e4""#),
        ("${{ quote(true) }}", r#""true""#),
        ("${{ quote(said) }}", r#""a\\\"b""#),
        ("${{ unsafeQuote(name) }}", r#""\"web\"""#),
        (
            "${{ quote(map) }}",
            r#""{\"a\":null,\"b\":[1,\"x\\u003cy\"]}""#,
        ),
        ("${{ asJSON([1]) }}", r#""[\n  1\n]\n""#),
        (
            "${% asYAML({b: [1, 'two'], a: {c: '1'}}) %}",
            r#""a:\n    c: \"1\"\nb:\n    - 1\n    - two\n""#,
        ),
        ("${{ quote(digits) }}\n", r#""1234567\n""#),
        ("${{ quote(1) }}${{ quote(2) }}", r#""1\"\"2""#),
        ("\"${{ 1 }}\"", r#""1""#),
        ("${{ quote() }}", "error"),
    ]);
}

#[test]
fn a_document_is_evaluated_value_by_value() {
    let document =
        json!({"${{ name }}": ["${{ digits }}", {"deep": "${{ truth }}"}], "n": 1, "s": "1"});
    let result = evaluate_tree(&document, &environment(), &mut Budget::default()).unwrap();
    let expected = json!({"${{ name }}": [1_234_567, {"deep": true}], "n": 1, "s": "1"});
    assert_eq!(result, Evaluation::Done(expected));
}

#[test]
fn an_error_names_its_member_and_its_place() {
    let document = json!({"a": {"b": ["ok", "${{ 1 +\n nope.x }}"]}});
    let error = evaluate_tree(&document, &environment(), &mut Budget::default()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "a.b[1]: cannot take x: nil has no members (2:7)"
    );
    let infinite = json!({"a": "${{ 'inf' }}"});
    let error = evaluate_tree(&infinite, &environment(), &mut Budget::default()).unwrap_err();
    assert_eq!(error.to_string(), "a: JSON has no number +Inf");
}

struct Waiting;

impl Environment for Waiting {
    fn variable(&self, _name: &str) -> Option<Value> {
        None
    }

    fn call(&self, name: &str, arguments: &[Value]) -> Option<Result<Value, CallError>> {
        (name == "secret").then(|| Err(CallError::Pending(Call::new(name, arguments))))
    }
}

#[test]
fn all_pending_calls_of_a_document_come_at_once() {
    let document = json!({
        "a": "${{ secret('a').x }} and ${{ secret('b').x }}",
        "b": ["${{ map(['c', 'a'], secret(#)) }}", "${{ [secret('d'), {k: secret('e')}] }}"],
        "c": "${{ true || secret('never') }}",
    });
    let Evaluation::Pending(calls) =
        evaluate_tree(&document, &Waiting, &mut Budget::default()).unwrap()
    else {
        panic!("calls are pending");
    };
    let names: Vec<String> = calls
        .iter()
        .map(|call| call.arguments[0].to_string())
        .collect();
    assert_eq!(names, ["a", "b", "c", "d", "e"]);
}

#[test]
fn a_template_asks_for_a_bounded_number_of_values() {
    let result = evaluate_string(
        "${{ map(1..65, secret(#)) }}",
        &Waiting,
        &mut Budget::default(),
    );
    assert_eq!(result.unwrap_err().kind(), ErrorKind::Exhausted);
    let result = evaluate_string(
        "${{ map(1..64, secret(#)) }}",
        &Waiting,
        &mut Budget::default(),
    );
    assert!(matches!(result, Ok(Evaluation::Pending(calls)) if calls.len() == 64));
}

#[test]
fn an_error_repeats_no_value() {
    let environment = BTreeMap::from([("secret".to_owned(), Value::from("hunter2["))]);
    for expression in [
        "int(secret)",
        "float(secret)",
        "duration(secret)",
        "date(secret)",
        "timezone(secret)",
        "'x' matches secret",
        "secret.member",
        "{a: 1}[secret].b",
        "1[secret]",
        "fromJSON(secret)",
        "fromBase64(secret)",
        "sort([1], secret)",
        "secret + 1",
        "-secret",
        "map(secret, nope.x)",
        "join([1], secret)",
        "secret()",
    ] {
        let result = evaluate_string(
            &format!("${{{{ {expression} }}}}"),
            &environment,
            &mut Budget::default(),
        );
        let message = result.expect_err(expression).to_string();
        assert!(!message.contains("hunter2"), "{message}");
    }
}
