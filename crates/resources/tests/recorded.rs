//! Names, ids and spellings agree with the original, row by row; see `fixtures/NOTICE`.

use std::fs;
use std::path::Path;

use resources::promotion::{self, Promotion};
use resources::{FreightCollection, FreightReference, duration, freight::Freight, names, url};
use serde::Deserialize;
use serde_json::Value;
use ulid::Ulid;

#[derive(Deserialize)]
struct Row {
    #[serde(rename = "in")]
    question: Value,
    #[serde(rename = "out")]
    answer: Option<String>,
    #[serde(default)]
    ulid: String,
}

/// Asks every question of a file; at least 200 must be there.
fn check(file: &str, ask: impl Fn(&Row) -> Option<String>) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(file);
    let text = fs::read_to_string(path).expect("the fixture is readable");
    let rows: Vec<Row> = text
        .lines()
        .map(|it| serde_json::from_str(it).expect("the row is JSON"))
        .collect();
    assert!(rows.len() >= 200, "{file} has {} rows", rows.len());
    let wrong: Vec<String> = rows
        .iter()
        .filter_map(|row| {
            let answer = ask(row);
            (answer != row.answer).then(|| {
                format!(
                    "{}\n  is    {answer:?}\n  wants {:?}",
                    row.question, row.answer
                )
            })
        })
        .collect();
    let shown = wrong
        .iter()
        .take(20)
        .map(String::as_str)
        .collect::<Vec<_>>();
    assert!(
        wrong.is_empty(),
        "{} of {} wrong\n{}",
        wrong.len(),
        rows.len(),
        shown.join("\n")
    );
}

fn parse<'a, T: Deserialize<'a>>(row: &'a Row) -> T {
    T::deserialize(&row.question).expect("the question has the right shape")
}

#[test]
fn git_repositories_are_spelled_alike() {
    check("normalize_git.jsonl", |row| {
        Some(url::normalize_git(parse(row)))
    });
}

#[test]
fn image_repositories_are_spelled_alike() {
    check("normalize_image.jsonl", |row| {
        Some(url::normalize_image(parse(row)))
    });
}

#[test]
fn chart_repositories_are_spelled_alike() {
    check("normalize_chart.jsonl", |row| {
        Some(url::normalize_chart(parse(row)))
    });
}

#[test]
fn freight_has_the_same_name() {
    check("freight_name.jsonl", |row| {
        Some(parse::<Freight>(row).generate_name())
    });
}

#[test]
fn collections_have_the_same_id() {
    check("collection_id.jsonl", |row| {
        let mut collection = FreightCollection::default();
        for freight in parse::<Vec<FreightReference>>(row) {
            collection.update_or_push(freight);
        }
        if collection.items.is_empty() {
            collection = FreightCollection::of([]);
        }
        Some(collection.id)
    });
}

#[test]
fn promotions_have_the_same_name() {
    check("promotion_name.jsonl", |row| {
        let ulid = Ulid::from_string(&row.ulid).unwrap_or_default();
        let name = match parse::<Vec<&str>>(row)[..] {
            [stage, freight] => promotion::name(stage, ulid, freight),
            [stage, target, freight] => promotion::target_name(stage, target, ulid, freight),
            _ => panic!("two or three names"),
        };
        Some(name)
    });
}

#[test]
fn long_names_are_shortened_alike() {
    check("hash_shorten.jsonl", |row| {
        let (name, max) = parse::<(&str, usize)>(row);
        Some(names::hash_shorten(name, max))
    });
}

#[test]
fn lengths_of_time_are_read_and_written_alike() {
    check("duration.jsonl", |row| {
        duration::parse(parse(row)).ok().map(|it| it.to_string())
    });
}

#[test]
fn promotions_sort_by_name_as_they_were_created() {
    let first = promotion::name("test", Ulid::from_parts(1, u128::MAX), "abcdef012");
    let second = promotion::name("test", Ulid::from_parts(2, 0), "0123456789");
    assert!(first < second);
    assert_eq!(Promotion::default().name(), "");
}
