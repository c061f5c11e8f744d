//! Only the value changes, whatever the text looks like.

use serde_json::json;

use super::*;

#[track_caller]
fn check(before: &str, key: &str, value: Value, after: &str) {
    let changed = set_scalars(before, &[(key.to_owned(), value)]).unwrap();
    assert_eq!(changed, after);
}

#[track_caller]
fn check_error(before: &str, key: &str, value: Value, message: &str) {
    assert_eq!(
        set_scalars(before, &[(key.to_owned(), value)])
            .unwrap_err()
            .to_string(),
        message
    );
}

#[test]
fn only_the_value_changes() {
    let text = "# top\nimage:   \n  tag: 1.0 # why\n  name: web\n\nlist: [a, {b: 1}] # end\n";
    check(
        text,
        "image.tag",
        json!("2.0"),
        &text.replace("1.0", "'2.0'"),
    );
    check(
        text,
        "image.name",
        json!("api"),
        &text.replace("web", "api"),
    );
    check(text, "list.0", json!("x"), &text.replace("[a,", "[x,"));
    check(text, "list.1.b", json!(2), &text.replace("b: 1", "b: 2"));
}

#[test]
fn siblings_in_flow_style_stay() {
    check(
        "a: {b: 1, c: 2} # d\n",
        "a.b",
        json!(3.0),
        "a: {b: 3, c: 2} # d\n",
    );
    check(
        "a: {b: 1, c: 2}\n",
        "a.c",
        json!("x, y"),
        "a: {b: 1, c: \"x, y\"}\n",
    );
}

#[test]
fn quotes_stay_as_they_were() {
    check("a: \"x\"\n", "a", json!("z"), "a: \"z\"\n");
    check("a: 'x'\n", "a", json!("z"), "a: 'z'\n");
    check("a: x\n", "a", json!("z"), "a: z\n");
}

#[test]
fn strings_that_read_as_something_else_are_quoted() {
    for text in [
        "yes",
        "null",
        "~",
        "2024-01-01",
        "a: b",
        "#x",
        "1e3",
        "0x10",
        "true",
        "",
        " x",
        "- y",
        "1.10",
    ] {
        let changed = set_scalars("a: old\n", &[("a".to_owned(), json!(text))]).unwrap();
        assert_eq!(read(&changed).unwrap(), [json!({"a": text})], "{changed}");
    }
}

#[test]
fn values_keep_their_type() {
    check("a: old\n", "a", json!(12), "a: 12\n");
    check("a: old\n", "a", json!(1_234_567.0), "a: 1234567\n");
    check("a: old\n", "a", json!(1.5), "a: 1.5\n");
    check("a: old\n", "a", json!(true), "a: true\n");
    check("a: old\n", "a", json!(null), "a: null\n");
}

#[test]
fn several_lines_are_replaced_as_a_whole() {
    check(
        "a: |\n  one\n  two\nb: 1\n",
        "a",
        json!("x"),
        "a: x\nb: 1\n",
    );
    check(
        "a: |\n  one\n  two\nb: 1\n",
        "a",
        json!("x\ny\n"),
        "a: |\n  x\n  y\nb: 1\n",
    );
    check("a: one\n  two\nb: 1\n", "a", json!("x"), "a: x\nb: 1\n");
    check(
        "a: \"one\n  two\"\nb: 1\n",
        "a",
        json!("x"),
        "a: \"x\"\nb: 1\n",
    );
}

#[test]
fn line_ends_stay() {
    check("a: 1\r\nb: 2\r\n", "a", json!(3), "a: 3\r\nb: 2\r\n");
    check("a: 1\nb: 2", "b", json!(3), "a: 1\nb: 3");
}

#[test]
fn an_empty_value_can_be_set() {
    check("a:\nb: 1\n", "a", json!("x"), "a: x\nb: 1\n");
    check("a: # c\nb: 1\n", "a", json!("x"), "a: x # c\nb: 1\n");
}

#[test]
fn other_documents_stay() {
    check("a: 1\n---\na: 1\n", "a", json!(2), "a: 2\n---\na: 1\n");
    check("- a: 1\n- a: 2\n", "1.a", json!(3), "- a: 1\n- a: 3\n");
}

#[test]
fn an_alias_is_followed() {
    check("x: &v 1\ny: *v\n", "y", json!(2), "x: &v 2\ny: *v\n");
    check(
        "x: &v\n  a: 1\ny: *v\n",
        "y.a",
        json!(2),
        "x: &v\n  a: 2\ny: *v\n",
    );
}

#[test]
fn an_ampersand_anywhere_leaves_the_rest_as_it_is() {
    check(
        "url: https://h/?a=1&b=2\ntag: '1' # why\nother: &o 3\nsame: *o\n",
        "tag",
        json!("2"),
        "url: https://h/?a=1&b=2\ntag: '2' # why\nother: &o 3\nsame: *o\n",
    );
}

#[test]
fn a_change_outside_of_the_value_is_seen() {
    for (after, length, confined) in [
        ("a: 22\nb: 1\n", 1, true),
        ("a: \nb: 1\n", 1, true),
        ("a: 1\nb: 1\n", 0, true),
        ("a: 2\nb: 2\n", 1, false),
        ("a: 2\n\nb: 1\n", 0, false),
        ("a: 2\nb: 1", 1, false),
    ] {
        assert_eq!(
            is_confined("a: 1\nb: 1\n", after, length),
            confined,
            "{after:?}"
        );
    }
}

#[test]
fn keys_can_have_dots_and_numbers() {
    check("a.b: 1\n", r"a\.b", json!(2), "a.b: 2\n");
    check("a:\n  1: x\n", "a.1", json!("z"), "a:\n  1: z\n");
    check("a:\n  1: x\n", "a.:1", json!("z"), "a:\n  1: z\n");
}

#[test]
fn what_is_not_there_is_an_error() {
    check_error(
        "a: 1\n",
        "b",
        json!(1),
        "key \"b\" was not found: there is no \"b\"",
    );
    check_error(
        "a: [1]\n",
        "a.1",
        json!(1),
        "key \"a.1\" was not found: there is no \"1\"",
    );
    check_error(
        "a: {b: 1}\n",
        "a",
        json!(1),
        "key \"a\" holds a mapping or a list, not a single value",
    );
    let message = "value of key \"a\" must be a string, a number, a boolean or null";
    check_error("a: 1\n", "a", json!([1]), message);
    check_error(
        "a: 1\n",
        "a..b",
        json!(1),
        "key \"a..b\" is empty or has an empty part",
    );
    assert!(matches!(
        set_scalars("a: [\n", &[("a".to_owned(), json!(1))]),
        Err(Error::Syntax(_))
    ));
}
