//! Every strategy and field of an image subscription.

use super::*;

fn subscription(change: impl FnOnce(&mut ImageSubscription)) -> ImageSubscription {
    let mut subscription = ImageSubscription {
        repo_url: "acme/web".to_owned(),
        ..ImageSubscription::default()
    };
    change(&mut subscription);
    subscription
}

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|it| (*it).to_owned()).collect()
}

fn image(tag: &str) -> Look {
    Look::Found(Image {
        digest: format!("sha256:{tag}"),
        ..Image::default()
    })
}

/// Runs the machine to its end with `look`; gives what was taken and how many looks it took.
fn run(
    subscription: &ImageSubscription,
    tags: &[&str],
    look: impl Fn(&str) -> Look,
) -> (Selected, usize) {
    let rules = ImageRules::parse(subscription).expect("rules that can be followed");
    let selection = rules.select(owned(tags));
    let mut seen = Seen::new();
    loop {
        match selection.next(&seen) {
            Next::Selected(selected) => return (selected, seen.len()),
            Next::Fetch(wanted) => {
                assert!(
                    !wanted.is_empty() && wanted.iter().all(|tag| !seen.contains_key(tag)),
                    "{wanted:?}"
                );
                seen.extend(wanted.into_iter().map(|tag| (tag.clone(), look(&tag))));
            }
        }
    }
}

#[track_caller]
fn check(subscription: &ImageSubscription, tags: &[&str], expected: &[&str]) {
    let (selected, _) = run(subscription, tags, image);
    let taken: Vec<&str> = selected.taken.iter().map(|it| it.tag.as_str()).collect();
    assert_eq!(taken, expected);
}

#[test]
fn the_highest_versions_are_taken_first() {
    let all = [
        "1.0.0",
        "latest",
        "v1.10.0",
        "1.2.0",
        "1.2",
        "2.0.0-rc.1",
        "01.3.0",
        "1.2.0+b",
    ];
    check(
        &subscription(|_| {}),
        &all,
        &["2.0.0-rc.1", "v1.10.0", "1.2.0+b", "1.2.0", "1.0.0"],
    );
    check(
        &subscription(|it| it.strict_semvers = false),
        &all,
        &[
            "2.0.0-rc.1",
            "v1.10.0",
            "01.3.0",
            "1.2.0+b",
            "1.2.0",
            "1.2",
            "1.0.0",
        ],
    );
    check(
        &subscription(|it| it.constraint = "^1.2".to_owned()),
        &all,
        &["v1.10.0", "1.2.0+b", "1.2.0"],
    );
    check(
        &subscription(|it| it.constraint = "<1.2.0 || >=2-0".to_owned()),
        &all,
        &["2.0.0-rc.1", "1.0.0"],
    );
    check(
        &subscription(|it| it.discovery_limit = 2),
        &all,
        &["2.0.0-rc.1", "v1.10.0"],
    );
    check(
        &subscription(|it| it.allow_tags_regexes = owned(&["^1", "^v"])),
        &all,
        &["v1.10.0", "1.2.0+b", "1.2.0", "1.0.0"],
    );
    check(
        &subscription(|it| it.ignore_tags_regexes = owned(&["rc", r"\+"])),
        &all,
        &["v1.10.0", "1.2.0", "1.0.0"],
    );
}

#[test]
fn other_strategies_order_by_name_by_digest_and_by_time() {
    let strategy = |strategy| subscription(|it| it.image_selection_strategy = strategy);
    let all = ["a", "c", "B", "b"];
    check(
        &strategy(ImageSelectionStrategy::Lexical),
        &all,
        &["c", "b", "a", "B"],
    );
    check(
        &subscription(|it| {
            it.image_selection_strategy = ImageSelectionStrategy::Lexical;
            it.allow_tags_regexes = owned(&["[ab]"]);
            it.discovery_limit = 1;
        }),
        &all,
        &["b"],
    );

    let digest = subscription(|it| {
        it.image_selection_strategy = ImageSelectionStrategy::Digest;
        it.constraint = "latest".to_owned();
        it.ignore_tags_regexes = owned(&["latest"]);
    });
    check(&digest, &[], &["latest"]);
    assert_eq!(run(&digest, &[], |_| Look::Gone).0.taken, []);

    let at = |second| Timestamp::from_second(second).expect("a time");
    let built = |tag: &str| {
        let created_at = match tag {
            "a" => Some(at(30)),
            "b" | "c" => Some(at(20)),
            _ => None,
        };
        Look::Found(Image {
            created_at,
            ..Image::default()
        })
    };
    let newest = strategy(ImageSelectionStrategy::NewestBuild);
    let (selected, looks) = run(&newest, &["b", "d", "c", "a"], built);
    assert_eq!(
        selected
            .taken
            .iter()
            .map(|it| it.tag.as_str())
            .collect::<Vec<_>>(),
        ["a", "c", "b", "d"]
    );
    assert_eq!(looks, 4);
}

#[test]
fn only_as_many_images_are_looked_at_as_needed() {
    let tags: Vec<String> = (0..1000).map(|patch| format!("1.0.{patch}")).collect();
    let tags: Vec<&str> = tags.iter().map(String::as_str).collect();
    let twenty = subscription(|_| {});
    assert_eq!(run(&twenty, &tags, image).1, 20);
    // Two of the first twenty do not fit, so two more are looked at.
    let some = |tag: &str| {
        if matches!(tag, "1.0.999" | "1.0.990") {
            Look::Gone
        } else {
            image(tag)
        }
    };
    let (selected, looks) = run(&twenty, &tags, some);
    assert_eq!(
        (selected.taken.len(), looks, selected.taken[0].tag.as_str()),
        (20, 22, "1.0.998")
    );
}

#[test]
fn a_platform_is_matched_exactly() {
    let with = |platforms: &[&str]| {
        let platforms = platforms.iter().map(|it| PlatformImage {
            platform: it.parse().expect("a platform"),
            annotations: BTreeMap::from([("of".to_owned(), (*it).to_owned())]),
        });
        let annotations = BTreeMap::from([
            ("of".to_owned(), "index".to_owned()),
            ("kept".to_owned(), "yes".to_owned()),
        ]);
        Look::Found(Image {
            platforms: platforms.collect(),
            annotations,
            ..Image::default()
        })
    };
    let look = |tag: &str| match tag {
        "1.0.0" => with(&["linux/amd64", "linux/arm64"]),
        "2.0.0" => with(&["linux/arm64/v8"]),
        _ => with(&["windows/amd64"]),
    };
    let arm = subscription(|it| it.platform = "linux/arm64".to_owned());
    let (selected, _) = run(&arm, &["1.0.0", "2.0.0", "3.0.0"], look);
    assert_eq!(selected.taken.len(), 1);
    assert_eq!(
        (
            selected.taken[0].annotations["of"].as_str(),
            selected.taken[0].annotations["kept"].as_str()
        ),
        ("linux/arm64", "yes")
    );
    assert_eq!(
        selected
            .ruled_out
            .iter()
            .filter(|it| it.rule == Rule::Platform)
            .count(),
        2
    );
    let any = run(&subscription(|_| {}), &["1.0.0"], look).0;
    assert_eq!(any.taken[0].annotations["of"], "index");
}

#[test]
fn every_tag_that_is_left_out_says_why() {
    let rules = subscription(|it| {
        it.constraint = "1.x".to_owned();
        it.allow_tags_regexes = owned(&["[0-9x]"]);
        it.ignore_tags_regexes = owned(&["-dev$"]);
    });
    let look = |tag: &str| {
        if tag == "1.0.1" {
            Look::Unusable("it is a chart".to_owned())
        } else {
            image(tag)
        }
    };
    let (selected, _) = run(
        &rules,
        &["1.0.0", "1.0.1", "1.0.0-dev", "main", "x", "1.2", "2.0.0"],
        look,
    );
    let why: BTreeMap<&str, String> = selected
        .ruled_out
        .iter()
        .map(|it| (it.tag.as_str(), it.rule.to_string()))
        .collect();
    assert_eq!(why["1.0.0-dev"], r#"ignoreTagsRegexes has "-dev$""#);
    assert_eq!(why["main"], "allowTagsRegexes has nothing for it");
    assert_eq!(why["x"], "it is no semantic version");
    assert_eq!(why["1.2"], "it is no strict semantic version");
    assert_eq!(why["2.0.0"], "constraint does not allow it");
    assert_eq!(why["1.0.1"], "it is a chart");
    assert_eq!(selected.taken.len(), 1);
}

#[test]
fn rules_that_cannot_be_followed_name_their_field() {
    type Change = fn(&mut ImageSubscription);
    let cases: [(Change, &str); 6] = [
        (|it| it.constraint = ">>1".to_owned(), "constraint"),
        (
            |it| it.allow_tags_regexes = owned(&["("]),
            "allowTagsRegexes",
        ),
        (
            |it| it.ignore_tags_regexes = owned(&["("]),
            "ignoreTagsRegexes",
        ),
        (|it| it.platform = "linux".to_owned(), "platform"),
        (
            |it| it.image_selection_strategy = ImageSelectionStrategy::Digest,
            "constraint",
        ),
        (|it| it.allow_tags = "v.*".to_owned(), "allowTagsRegexes"),
    ];
    for (change, field) in cases {
        let error = ImageRules::parse(&subscription(change)).expect_err(field);
        assert!(error.to_string().contains(field), "{error}");
    }
}
