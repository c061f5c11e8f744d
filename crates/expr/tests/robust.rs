//! Whatever the text, and whatever it asks for: no panic, no overflow of the stack, no endless work.

use std::collections::BTreeMap;

use expr::{Budget, ErrorKind, Evaluation, Program, Value, template};
use proptest::prelude::*;

fn environment() -> BTreeMap<String, Value> {
    let json = serde_json::json!({"s": "text \u{E9}", "n": 3, "b": true, "a": [1, "x", null, [2.5]], "m": {"k": {"k": 1}}});
    let serde_json::Value::Object(members) = json else {
        panic!("an object")
    };
    members
        .into_iter()
        .map(|(name, value)| (name, Value::from(value)))
        .collect()
}

fn evaluate(text: &str) -> Result<Value, expr::Error> {
    match Program::parse(text)?.evaluate(&environment(), &mut Budget::default())? {
        Evaluation::Done(value) => Ok(value),
        Evaluation::Pending(_) => panic!("nothing waits here"),
    }
}

fn kind(text: &str) -> ErrorKind {
    evaluate(text).expect_err("too much").kind()
}

#[test]
fn nesting_is_bounded() {
    for (open, close) in [
        ("(", ")"),
        ("[", "]"),
        ("!", ""),
        ("-", ""),
        ("len(", ")"),
        ("map(a, ", ")"),
        ("{a: ", "}"),
        ("true ? 1 : ", ""),
        ("let x = ", ""),
        ("if true {", "} else {1}"),
        ("if b {1} else ", ""),
        ("2 ** ", ""),
        ("m[", "]"),
        ("1; (", ")"),
        ("a | map(", ")"),
    ] {
        let text = format!("{}1{}", open.repeat(5_000), close.repeat(5_000));
        assert_eq!(kind(&text), ErrorKind::Syntax, "{open}");
    }
}

#[test]
fn what_is_within_the_bounds_is_evaluated() {
    let nested = |open: &str, count: usize, close: &str| {
        format!("{}1{}", open.repeat(count), close.repeat(count))
    };
    assert_eq!(evaluate(&nested("(", 95, ")")).unwrap(), Value::Int(1));
    assert_eq!(evaluate(&nested("-", 96, "")).unwrap(), Value::Int(1));
    assert!(evaluate(&nested("[", 95, "]")).is_ok());
    assert!(evaluate(&nested("map([1], ", 95, ")")).is_ok());
    assert!(evaluate(&nested("len([", 48, "])")).is_ok());
    assert_eq!(
        evaluate(&vec!["1"; 4_000].join(" + ")).unwrap(),
        Value::Int(4_000)
    );
    assert_eq!(
        evaluate(&vec!["b"; 4_000].join(" and ")).unwrap(),
        Value::Bool(true)
    );
    assert!(evaluate(&format!("nope{}", "?.x".repeat(190))).is_ok());
}

#[test]
fn the_deepest_expressions_fit_a_small_stack() {
    let evaluated = std::thread::Builder::new()
        .stack_size(1280 << 10)
        .spawn(|| {
            let nested = |open: &str, count: usize, close: &str| {
                format!("{}1{}", open.repeat(count), close.repeat(count))
            };
            for text in [
                nested("map([1], ", 98, ")"),
                nested("reduce([1, 2], {", 49, "})"),
                nested("true ? 1 + 2 * ", 32, " : 2"),
                nested("[{a: ", 49, "}]"),
                nested("let x = (", 48, "); 1"),
                nested("get([", 49, "], 0)"),
                nested("((", 49, ")[:][:])"),
                nested("if b {", 49, "} else {2}"),
                format!("m{}", "['k']".repeat(195)),
                format!("date('2024-02-29'){}", ".Add(duration('1h'))".repeat(195)),
                "reduce(1..190, [#acc]) == reduce(1..190, [#acc])".to_owned(),
                "toJSON(reduce(1..190, {({k: #acc})}))".to_owned(),
            ] {
                let _answer =
                    evaluate(&text).map(|value| (value.to_json().is_ok(), value.to_string()));
            }
        });
    assert!(evaluated.expect("a thread starts").join().is_ok());
}

#[test]
fn long_texts_are_bounded() {
    assert_eq!(kind(&vec!["1"; 6_000].join(" + ")), ErrorKind::Syntax);
    assert_eq!(kind(&format!("m{}", ".k".repeat(6_000))), ErrorKind::Syntax);
    assert_eq!(
        kind(&format!("[{}]", "1,".repeat(20_000))),
        ErrorKind::Syntax
    );
}

#[test]
fn work_and_memory_are_bounded() {
    for text in [
        "1..1000000000",
        "-9223372036854775807..9223372036854775807",
        "repeat('x', 1000000)",
        "reduce(1..100, #acc + #acc, 'x')",
        "reduce(1..100000, [#acc])",
        "reduce(1..60, [#acc, #acc])",
        "toJSON(reduce(1..60, ({a: #acc, b: #acc})))",
        "map(1..900000, map(1..900000, 1))",
        "count(1..1000, any(1..900000, # > 900000))",
        "map(1..100000, replace(repeat('a', 10000), 'a', 'bb'))",
        "sortBy(1..100000, repeat('x', 900))",
        "let s = repeat('x', 500000); sortBy(1..100000, s)",
        "let s = repeat('x', 500000); map(1..900000, s startsWith s)",
        "let s = repeat('x', 500000); map(1..900000, s matches '(x+x+)+y')",
        "let a = 1..100000; map(1..100000, a == a)",
        "let a = 1..10000; uniq(map(1..10000, #))",
        "flatten(map(1..1000, 1..1000))",
        "map(1..100000, fromJSON('[' + repeat('1,', 1000) + '1]'))",
        "map(1..100000, 'a' matches 'a{1000}b' + string(#))",
    ] {
        assert_eq!(kind(text), ErrorKind::Exhausted, "{text}");
    }
}

#[test]
fn the_budget_is_spent_once() {
    let program = Program::parse("count(1..1000, # > 0)").unwrap();
    let mut budget = Budget::new(10_000, 10_000, 1_000);
    let mut runs = 0;
    while program.evaluate(&environment(), &mut budget).is_ok() {
        runs += 1;
    }
    assert_eq!(runs, 2);
}

/// Texts made of pieces of the language, which get past the lexer.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "1",
        "0",
        "2.5",
        "0x",
        "1e",
        "'a'",
        "\"\\u{",
        "`",
        "b'\\x00'",
        "true",
        "nil",
        "s",
        "n",
        "a",
        "m",
        "nope",
        "$env",
        "#",
        "#acc",
        "#index",
        ".",
        "?.",
        "..",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        ",",
        ":",
        ";",
        "?",
        "|",
        "||",
        "&&",
        "and",
        "or",
        "not",
        "!",
        "in",
        "matches",
        "contains",
        "startsWith",
        "==",
        "!=",
        "<",
        "<=",
        "+",
        "-",
        "*",
        "/",
        "%",
        "**",
        "??",
        "let x =",
        "if",
        "else",
        "map(",
        "filter(",
        "reduce(",
        "sortBy(",
        "groupBy(",
        "sum(",
        "len(",
        "date(",
        "duration(",
        "toJSON(",
        "split(",
        "replace(",
        "first(",
        "get(",
        "take(",
        "keys(",
        "'('",
        "'[a-'",
        "'\u{E9}'",
        "::",
        "/*",
        "//",
        "\n",
        "-1",
        "9223372036854775807",
    ]);
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.join(" "))
}

/// Expressions that parse, mostly.
fn expression() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(vec![
        "0",
        "1",
        "-1",
        "2.5",
        "1e308",
        "9223372036854775807",
        "''",
        "'abc'",
        "'\u{E9}\u{1F600}'",
        "true",
        "nil",
        "s",
        "n",
        "b",
        "a",
        "m",
        "nope",
        "#",
        "[]",
        "{}",
        "1..3",
        "'2024-02-29'",
        "'1h'",
        "timezone('UTC')",
        "date('2024-02-29')",
        "duration('1h')",
    ]);
    leaf.prop_map(str::to_owned)
        .prop_recursive(4, 40, 3, |inner| {
            let operators = prop::sample::select(vec![
                "+", "-", "*", "/", "%", "**", "==", "<", "in", "contains", "matches", "and", "or",
                "??", "..", "not in",
            ]);
            let one = prop::sample::select(vec![
                "len",
                "type",
                "int",
                "float",
                "string",
                "abs",
                "round",
                "trim",
                "upper",
                "toJSON",
                "fromJSON",
                "toBase64",
                "fromBase64",
                "date",
                "duration",
                "first",
                "last",
                "keys",
                "values",
                "toPairs",
                "fromPairs",
                "reverse",
                "uniq",
                "flatten",
                "sort",
                "bitnot",
                "join",
                "mean",
                "median",
                "max",
                "concat",
            ]);
            let two = prop::sample::select(vec![
                "split",
                "repeat",
                "get",
                "take",
                "indexOf",
                "replace",
                "trimPrefix",
                "bitshl",
                "bitushr",
                "date",
                "min",
                "map",
                "filter",
                "all",
                "sortBy",
                "groupBy",
                "reduce",
                "sum",
                "count",
                "findLast",
            ]);
            prop_oneof![
                (inner.clone(), operators, inner.clone())
                    .prop_map(|(a, operator, b)| format!("({a} {operator} {b})")),
                (one, inner.clone()).prop_map(|(name, a)| format!("{name}({a})")),
                (two, inner.clone(), inner.clone())
                    .prop_map(|(name, a, b)| format!("{name}({a}, {b})")),
                (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a})[{b}]")),
                (inner.clone(), inner.clone(), inner.clone())
                    .prop_map(|(a, b, c)| format!("({a})[{b}:{c}]")),
                (inner.clone(), inner.clone())
                    .prop_map(|(a, b)| format!("{{k: {a}, ({b}): {a}}}?.k")),
                (inner.clone(), inner.clone(), inner.clone())
                    .prop_map(|(a, b, c)| format!("({a} ? {b} : {c})")),
                (inner.clone(), inner).prop_map(|(a, b)| format!("({a}).Add({b})")),
            ]
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_500))]

    #[test]
    fn any_text_is_answered(text in "\\PC{0,60}") {
        let _answer = evaluate(&text).is_ok();
    }

    #[test]
    fn any_pieces_are_answered(text in pieces()) {
        let _answer = evaluate(&text).is_ok();
    }

    #[test]
    fn any_expression_is_answered(text in expression()) {
        if let Ok(value) = evaluate(&text) {
            let _written = (value.to_json().is_ok(), value.to_json_text().is_ok(), value.to_string());
        }
    }

    #[test]
    fn any_template_is_answered(text in pieces(), before in "\\PC{0,8}") {
        let template = format!("{before}${{{{{text}}}}}");
        let _answer = template::evaluate_string(&template, &environment(), &mut Budget::default()).is_ok();
    }

    #[test]
    fn what_was_written_as_json_is_read_back(text in expression()) {
        if let Ok(value) = evaluate(&text)
            && let Ok(written) = value.to_json_text()
        {
            let read: serde_json::Value = serde_json::from_str(&written).expect("valid JSON");
            let again = Value::from(read).to_json_text().expect("plain data");
            if !written.contains("e+") && written.len() < 15 {
                prop_assert_eq!(again, written);
            }
        }
    }
}
