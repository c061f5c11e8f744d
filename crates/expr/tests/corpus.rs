//! The recorded answers of the reference implementation, compared with ours, JSON text included.
//!
//! `fixtures/differences.tsv` lists the rows that differ, each with a reason: an expression, ours, why. The list must be
//! exact, so that any change of behaviour shows.

use std::collections::BTreeMap;

use expr::{Budget, Evaluation, Program, Value, template};
use serde_json::Value as Json;

/// The reference's own corpus; times and durations; expressions made at random, most of which a compiler can refuse.
const RECORDS: [&str; 3] = [
    include_str!("fixtures/expr.tsv"),
    include_str!("fixtures/times.tsv"),
    include_str!("fixtures/types.tsv"),
];

#[test]
fn expressions_answer_as_the_reference_does() {
    let environment = environment();
    let mut differences = Vec::new();
    let mut rows = 0;
    for line in RECORDS.iter().flat_map(|record| record.lines()) {
        let (expression, answer) = line
            .split_once("\t=> ")
            .expect("a recorded line has an answer");
        rows += 1;
        let ours = answer_to(expression, &environment);
        let theirs = if answer.starts_with("COMPILE_ERR") || answer.starts_with("RUN_ERR") {
            "error"
        } else {
            answer
        };
        // Go's newer releases write U+FFFD as an escape.
        if ours != theirs.replace("\\ufffd", "\u{FFFD}") {
            differences.push(format!("{expression}\t{ours}"));
        }
    }
    let known: Vec<String> = include_str!("fixtures/differences.tsv")
        .lines()
        .map(|line| {
            line.rsplit_once('\t')
                .expect("a known difference has a reason")
                .0
                .to_owned()
        })
        .collect();
    assert_eq!(
        differences.join("\n"),
        known.join("\n"),
        "{} of {rows} rows differ",
        differences.len()
    );
}

#[test]
fn templates_answer_as_the_reference_does() {
    let environment: BTreeMap<String, Value> = members()
        .into_iter()
        .map(|(name, value)| (name, Value::from(value)))
        .collect();
    for line in include_str!("fixtures/templates.tsv").lines() {
        let (template, answer) = line
            .rsplit_once("\t=> ")
            .expect("a recorded line has an answer");
        let template: String =
            serde_json::from_str(template).expect("a template is written as JSON");
        let ours = match template::evaluate_string(&template, &environment, &mut Budget::default())
        {
            Ok(Evaluation::Done(value)) => {
                value.to_json_text().unwrap_or_else(|_| value.to_string())
            }
            Ok(Evaluation::Pending(_)) => "pending".to_owned(),
            Err(_) => "error".to_owned(),
        };
        assert_eq!(ours, answer, "{template:?}");
    }
}

/// The environment of the record, in which whole numbers are integers.
fn environment() -> BTreeMap<String, Value> {
    members()
        .into_iter()
        .map(|(name, value)| (name, with_integers(value)))
        .collect()
}

fn members() -> serde_json::Map<String, Json> {
    serde_json::from_str(include_str!("fixtures/expr-env.json"))
        .expect("the environment is a JSON object")
}

fn with_integers(json: Json) -> Value {
    match json {
        Json::Number(number) if number.is_i64() => {
            Value::Int(number.as_i64().expect("a whole number"))
        }
        Json::Array(items) => items.into_iter().map(with_integers).collect(),
        Json::Object(members) => members
            .into_iter()
            .map(|(name, value)| (name, with_integers(value)))
            .collect(),
        other => Value::from(other),
    }
}

/// Answers as the record does: JSON, or where there is none the printed value, or `error`.
fn answer_to(expression: &str, environment: &BTreeMap<String, Value>) -> String {
    let mut budget = Budget::default();
    match Program::parse(expression).and_then(|program| program.evaluate(environment, &mut budget))
    {
        Ok(Evaluation::Done(value)) => value.to_json_text().unwrap_or_else(|_| value.to_string()),
        Ok(Evaluation::Pending(_)) => "pending".to_owned(),
        Err(_) => "error".to_owned(),
    }
}
