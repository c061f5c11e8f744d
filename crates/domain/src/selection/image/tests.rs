//! Every strategy and field of an image subscription.

mod newest;

use std::collections::HashSet;

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

/// Runs the machine to its end over plain tags with `look`; gives what was taken and how many looks it took.
fn run(
    subscription: &ImageSubscription,
    tags: &[&str],
    look: impl Fn(&str) -> Look,
) -> (Selected, usize) {
    let rules = ImageRules::parse(subscription).expect("rules that can be followed");
    let listed = tags.iter().map(|tag| Listed {
        tag: (*tag).to_owned(),
        ..Listed::default()
    });
    let mut pages = vec![(listed.collect(), Rest::Nothing)].into_iter();
    run_over(&rules, &mut pages, look)
}

/// The same over pages, of which no more are taken than needed.
fn run_over(
    rules: &ImageRules,
    pages: &mut impl Iterator<Item = (Vec<Listed>, Rest)>,
    look: impl Fn(&str) -> Look,
) -> (Selected, usize) {
    let mut selection = rules.start();
    let mut seen = HashSet::new();
    loop {
        match selection.next_step() {
            Next::Selected(selected) => return (selected, seen.len()),
            Next::TooMany { count } => panic!("{count} are not too many"),
            Next::List => {
                let (listed, rest) = pages.next().expect("one more page");
                for it in listed {
                    selection.offer(it);
                }
                selection.page_ended(rest);
            }
            Next::Fetch(wanted) => {
                assert!(!wanted.is_empty());
                for Wanted { tag, digest: _ } in wanted {
                    assert!(seen.insert(tag.clone()), "{tag} was looked at before");
                    selection.saw(&tag, look(&tag));
                }
            }
        }
    }
}

fn tags_of(selected: &Selected) -> Vec<&str> {
    selected.taken.iter().map(|it| it.tag.as_str()).collect()
}

#[track_caller]
fn check(subscription: &ImageSubscription, tags: &[&str], expected: &[&str]) {
    let (selected, _) = run(subscription, tags, image);
    assert_eq!(tags_of(&selected), expected);
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
    assert_eq!(tags_of(&selected), ["a", "c", "b", "d"]);
    assert_eq!(selected.remarks, []);
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
    let [other] = &selected.ruled_out[..] else {
        panic!("{:?}", selected.ruled_out);
    };
    assert_eq!((&other.rule, other.count), (&Rule::Platform, 2));
    assert_eq!(other.tags, ["3.0.0", "2.0.0"]);
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
        .flat_map(|it| {
            it.tags
                .iter()
                .map(|tag| (tag.as_str(), it.rule.to_string()))
        })
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
    let cases: [(Change, &str); 7] = [
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
        (|it| it.ignore_tags = owned(&["dev"]), "ignoreTagsRegexes"),
    ];
    for (change, field) in cases {
        let error = ImageRules::parse(&subscription(change)).expect_err(field);
        assert!(error.to_string().contains(field), "{error}");
    }
}

#[test]
fn too_many_tags_to_look_at_are_counted() {
    let tags: Vec<String> = (0..=LOOKS_BOUND).map(|it| format!("t{it:06}")).collect();
    let count = |change: fn(&mut ImageSubscription), look: fn(&str) -> Look| {
        let rules = ImageRules::parse(&subscription(change)).expect("rules");
        let mut selection = rules.start();
        let listed = tags.iter().map(|tag| Listed {
            tag: tag.clone(),
            ..Listed::default()
        });
        listed.for_each(|it| selection.offer(it));
        selection.page_ended(Rest::Nothing);
        loop {
            match selection.next_step() {
                Next::TooMany { count } => return Some(count),
                Next::Selected(_) | Next::List => return None,
                Next::Fetch(wanted) => wanted
                    .iter()
                    .for_each(|it| selection.saw(&it.tag, look(&it.tag))),
            }
        }
    };
    let newest: fn(&mut ImageSubscription) =
        |it| it.image_selection_strategy = ImageSelectionStrategy::NewestBuild;
    let lexical: fn(&mut ImageSubscription) =
        |it| it.image_selection_strategy = ImageSelectionStrategy::Lexical;
    assert_eq!(count(newest, image), Some(LOOKS_BOUND + 1));
    assert_eq!(count(lexical, image), None);
    // None of the first fifty thousand is there any more.
    assert_eq!(count(lexical, |_| Look::Gone), Some(LOOKS_BOUND + 1));
}

#[test]
fn what_the_list_says_is_no_image_is_not_looked_at() {
    let rules = ImageRules::parse(&subscription(|_| {})).expect("rules");
    let listed = |tag: &str, media_type: &str| Listed {
        tag: tag.to_owned(),
        media_type: Some(media_type.to_owned()),
        digest: Some(format!("sha256:{tag}")),
        ..Listed::default()
    };
    let page = vec![
        listed(
            "1.0.0",
            "application/vnd.docker.distribution.manifest.v1+prettyjws",
        ),
        listed("1.1.0", "application/vnd.oci.image.manifest.v1+json"),
        listed("1.2.0", ""),
    ];
    let mut pages = vec![(page, Rest::Nothing)].into_iter();
    let (selected, looks) = run_over(&rules, &mut pages, image);
    assert_eq!((tags_of(&selected), looks), (vec!["1.2.0", "1.1.0"], 2));
    let why = selected.ruled_out[0].rule.to_string();
    assert!(why.contains("manifest.v1+prettyjws") && why.ends_with("is not that of an image"));
}
