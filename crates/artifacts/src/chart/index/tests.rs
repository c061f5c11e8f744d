//! Indexes as Helm (3.22: `helm repo index`, without and with `--json`) and others write them, and what no index should be.

use std::fmt::Write as _;

use proptest::prelude::*;

use super::*;

fn versions(text: &str, chart: &str) -> Result<Option<Vec<String>>, IndexError> {
    let index = read(text.as_bytes(), chart)?;
    let versions = index.versions(chart);
    Ok(versions.map(|it| it.map(str::to_owned).collect()))
}

#[track_caller]
fn check(text: &str, expected: &[&str]) {
    let found = versions(text, "web").expect("an index");
    assert_eq!(
        found.as_deref(),
        Some(expected)
            .map(|it| it.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>())
            .as_deref(),
        "{text}"
    );
}

#[track_caller]
fn check_refused(text: &str, expected: &str) {
    let error = read(text.as_bytes(), "web").expect_err("no index");
    assert!(error.to_string().contains(expected), "{error} for {text:?}");
}

#[test]
fn what_helm_writes_is_read_as_yaml_and_as_json() {
    for text in [include_str!("helm.yaml"), include_str!("helm.json")] {
        let index = read(text.as_bytes(), "web").expect("an index");
        let of = |chart| {
            let versions = index.versions(chart);
            versions.expect("it is listed").collect::<Vec<_>>()
        };
        assert_eq!(of("web"), ["2.0.0-rc.1", "1.10.0+build.5", "1.9.0"]);
        assert_eq!(of("worker"), ["v0.3"]);
        assert!(index.versions("version").is_none());
        assert_eq!((index.chart_count(), index.scope()), (2, Scope::All));
    }
}

#[test]
fn versions_are_read_wherever_they_stand_in_an_entry() {
    check(
        "entries:\n  web:\n  - {name: web, version: 1.0.0}\n  - version: \"1.1.0\"\n    dependencies:\n    - {name: db, version: 9.9.9}\n    annotations:\n      version: 8.8.8\n    created: now\n",
        &["1.0.0", "1.1.0"],
    );
    // A version that reads as a number stays as it is written.
    check(
        "entries: {web: [{version: 1.10}, {version: 1}]}",
        &["1.10", "1"],
    );
    check(
        r#"{"apiVersion":"v1","entries":{"web":[{"version":"1.0.0"},{"version":"0.9.0"}]}}"#,
        &["1.0.0", "0.9.0"],
    );
    check(
        "\u{feff}# made by hand\n---\nentries:\n  'web': [{version: 1.0.0}]\n...\n---\nentries: {web: [{version: 2.0.0}]}\n",
        &["1.0.0"],
    );
    check(
        "entries:\n  web:\n  - version: |-\n      1.0.0\n      2.0.0\n",
        &["1.0.0\u{fffd}2.0.0"],
    );
}

#[test]
fn what_has_no_version_is_passed_over() {
    for (text, expected) in [
        (
            "entries: {web: [{name: web}, {version: }, {version: ~}, {version: [1]}, {version: {a: b}}, web, [a], {version: 1.0.0}]}",
            &["1.0.0"][..],
        ),
        ("entries: {web: [], api: [{version: 1.0.0}]}", &[]),
        ("entries: {web: , api: [{version: 1.0.0}]}", &[]),
        (
            "entries: {? [a, b] : c, ? {d: e} : [f], web: [{version: 1.0.0, ? [x] : y}]}",
            &["1.0.0"],
        ),
    ] {
        check(text, expected);
    }
    for text in [
        "entries: {}",
        "entries:",
        "apiVersion: v1",
        "apiVersion: v1\nentries: null",
        "entries: {webb: [{version: 1.0.0}]}",
    ] {
        assert_eq!(versions(text, "web").expect("an index"), None, "{text}");
    }
}

#[test]
fn what_is_no_index_is_refused() {
    for (text, expected) in [
        ("", "it is empty"),
        ("404 page not found", "it is no map"),
        (
            "<!DOCTYPE html>\n<html><body>Sign in</body></html>",
            "it is no map",
        ),
        ("- entries", "it is no map"),
        ("errors: []", "it has no entries"),
        ("entries: [web]", "its entries are no map"),
        ("entries: {web: {version: 1.0.0}}", "are no list"),
        ("entries: {web: [", "is not YAML"),
        ("entries:\n\tweb: []", "is not YAML"),
        ("a: &a [{version: 1.0.0}]\nentries: {web: *a}", "line 2"),
        ("a: &a {version: 1.0.0}\nentries: {web: [*a]}", "alias"),
        (
            "a: &a {version: 1.0.0}\nentries: {web: [<<: *a]}",
            "merge key",
        ),
        ("a: &a 1.0.0\nentries: {web: [{version: *a}]}", "alias"),
        ("entries: *nowhere", "is not YAML"),
    ] {
        check_refused(text, expected);
    }
    let error = read(&b"entries: {web: [{version: \xff}]}"[..], "web").expect_err("no text");
    assert!(error.to_string().contains("UTF-8"), "{error}");
}

#[test]
fn an_index_that_attacks_is_refused_before_it_takes_memory() {
    let bounds = Bounds {
        value: 1_000,
        anchors: 10,
        ..BOUNDS
    };
    let anchors = |count: usize| {
        let many: Vec<String> = (0..count).map(|it| format!("&a{it} y")).collect();
        format!("entries: {{}}\nx: [{}]", many.join(", "))
    };
    for (text, expected) in [
        (format!("x: \"{}\"", "y".repeat(2_100)), "a value longer"),
        (format!("x: |\n  {}", "y".repeat(2_100)), "a value longer"),
        (" ".repeat(2_100), "a value longer"),
        (format!("x: y\n{}", "# z\n".repeat(600)), "a value longer"),
        (format!("x: {}", "[".repeat(100)), "more levels"),
        (format!("x:\n {}", "- ".repeat(100)), "more levels"),
        (anchors(11), "more anchors"),
    ] {
        let error = read_within(bounds, text.as_bytes(), "web").expect_err("no index");
        assert!(error.to_string().contains(expected), "{error} for {text}");
    }
    read_within(bounds, anchors(10).as_bytes(), "web").expect("an index with some anchors");
    let long = format!("entries: {{}}\nx: {}", "y".repeat(980));
    read_within(bounds, long.as_bytes(), "web").expect("an index with a long value");
}

#[test]
fn aliases_are_not_followed_so_they_cannot_grow() {
    let mut laughs = "l0: &l0 [ha, ha]\n".to_owned();
    for level in 1..60 {
        let before = format!("*l{}", level - 1);
        writeln!(laughs, "l{level}: &l{level} [{before}, {before}, {before}]").expect("written");
    }
    check(&(laughs + "entries: {web: [{version: 1.0.0}]}"), &["1.0.0"]);
}

#[test]
fn of_more_charts_than_can_be_kept_one_is() {
    let bounds = Bounds {
        kept: 5_000,
        ..BOUNDS
    };
    let mut text = "entries:\n".to_owned();
    for chart in 0..100 {
        writeln!(text, "  chart{chart}: [{{version: 1.0.{chart}}}]").expect("written");
    }
    for (chart, expected) in [("chart7", "1.0.7"), ("chart99", "1.0.99")] {
        let index = read_within(bounds, text.as_bytes(), chart).expect("an index");
        let found: Vec<_> = index.versions(chart).expect("it is listed").collect();
        assert_eq!(
            (found, index.scope(), index.chart_count()),
            (vec![expected], Scope::One, 1)
        );
        assert!(index.bytes() < 200, "{}", index.bytes());
    }
    let many = "{version: 1.0.0-0123456789},".repeat(300);
    let text = format!("entries: {{web: [{many}]}}");
    let error = read_within(bounds, text.as_bytes(), "web").expect_err("too many");
    assert_eq!(
        error.to_string(),
        "the index has more than 5000 bytes of versions of chart \"web\""
    );
    // Those of another chart do not stand in the way.
    let text = format!("entries: {{web: [{{version: 1.0.0}}], api: [{many}]}}");
    let index = read_within(bounds, text.as_bytes(), "web").expect("an index");
    assert_eq!(index.versions("web").map(Iterator::count), Some(1));
}

/// Gives what it holds one byte at a time.
struct Drops<'a>(&'a [u8]);

impl io::Read for Drops<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some((first, rest)) = self.0.split_first() else {
            return Ok(0);
        };
        self.0 = rest;
        buffer[0] = *first;
        Ok(1)
    }
}

#[test]
fn characters_may_be_torn_between_pieces() {
    let text = "entries: {wéb—𝄞: [{version: 1.0.0}]}";
    let index = read(Drops(text.as_bytes()), "wéb—𝄞").expect("an index");
    assert_eq!(index.chart_count(), 1);
    assert!(index.versions("wéb—𝄞").is_some());
    let torn = &text.as_bytes()[..text.find('𝄞').expect("it is there") + 2];
    read(Drops(torn), "web").expect_err("a character without its end");
}

proptest! {
    #[test]
    fn no_bytes_make_reading_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        read(&bytes[..], "web").ok();
    }

    #[test]
    fn no_text_that_looks_like_an_index_makes_reading_panic(
        pieces in proptest::collection::vec(
            prop_oneof![
                Just("entries:"), Just("web:"), Just("version:"), Just("- "), Just("\n"), Just("\n  "), Just("\n    "), Just("{"), Just("}"),
                Just("["), Just("]"), Just(","), Just("1.0.0"), Just("&a "), Just("*a"), Just("<<:"), Just("|\n"), Just("? "), Just(": "), Just("!!str "),
                Just("\""), Just("'"), Just("#"), Just("---\n"), Just("...\n"), Just("%TAG ! x\n"), Just("é"), Just("\t"), Just("\r"), Just("\0"),
            ],
            0..60,
        ),
    ) {
        let text = pieces.concat();
        let whole = read(text.as_bytes(), "web");
        let torn = read(Drops(text.as_bytes()), "web");
        prop_assert_eq!(whole.ok(), torn.ok());
    }
}
