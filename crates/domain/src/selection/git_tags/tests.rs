//! Tests of the selection of Git tags.

use super::*;

fn rules(change: impl FnOnce(&mut GitSubscription)) -> GitTagRules {
    let mut subscription = GitSubscription {
        commit_selection_strategy: CommitSelectionStrategy::SemVer,
        ..GitSubscription::default()
    };
    change(&mut subscription);
    GitTagRules::parse(&subscription)
        .expect("usable rules")
        .expect("a strategy of tags")
}

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|it| (*it).to_owned()).collect()
}

fn select<'a>(rules: &'a GitTagRules, tags: &[&'a str]) -> GitTagSelection<'a> {
    let mut names = rules.start();
    for tag in tags {
        names.offer(tag);
    }
    names.selection()
}

fn now() -> Timestamp {
    "2026-02-04T00:00:00Z".parse().expect("a time")
}

/// A tag whose commit is named after it.
fn tagged(tag: &str, second: i64) -> TaggedCommit {
    let date = Timestamp::from_second(1_770_000_000 + second).expect("a time");
    TaggedCommit {
        commit: Commit {
            id: format!("id-of-{tag}"),
            date: Timestamp::UNIX_EPOCH,
            author: "Ann <ann@acme.test>".to_owned(),
            committer: "Bob <bob@acme.test>".to_owned(),
            subject: format!("Work for {tag}"),
        },
        date,
        tagger: "Eve <eve@acme.test>".to_owned(),
        annotation: format!("Release {tag}"),
    }
}

/// Runs a selection to its end; also gives how many tags were read, how many commits compared, and in how many rounds.
fn run(
    rules: &GitTagRules,
    tags: &[&str],
    look: impl Fn(&str) -> TagLook,
    changed: impl Fn(&str) -> Vec<String>,
) -> (SelectedTags, [usize; 3]) {
    let selection = select(rules, tags);
    let (mut seen, mut counts) = (SeenTags::default(), [0; 3]);
    loop {
        counts[2] += 1;
        match selection.next(&seen, now()).expect("a usable expression") {
            NextTags::Read(names) => {
                counts[0] += names.len();
                for name in names {
                    let look = look(&name);
                    assert!(
                        seen.tags.insert(name, look).is_none(),
                        "nothing is read twice"
                    );
                }
            }
            NextTags::Compare(ids) => {
                counts[1] += ids.len();
                for id in ids {
                    let changed = changed(&id).into();
                    assert!(
                        seen.changed.insert(id, changed).is_none(),
                        "nothing is compared twice"
                    );
                }
            }
            NextTags::Selected(selected) => return (selected, counts),
        }
    }
}

fn names(selected: &SelectedTags) -> Vec<&str> {
    selected.taken.iter().map(|(tag, _)| tag.as_str()).collect()
}

#[track_caller]
fn check(rules: &GitTagRules, tags: &[&str], expected: &[&str]) {
    let found = |tag: &str| TagLook::Found(tagged(tag, 0));
    let (selected, _) = run(rules, tags, found, |_| Vec::new());
    assert_eq!(names(&selected), expected, "{rules:?}");
}

#[test]
fn versions_are_taken_from_the_highest_down() {
    let tags = ["1.2.0", "v1.10.0", "1.9.0", "main", "2.0.0-rc.1", "1.2"];
    check(
        &rules(|_| {}),
        &tags,
        &["2.0.0-rc.1", "v1.10.0", "1.9.0", "1.2.0"],
    );
    let ranged = rules(|it| it.semver_constraint = "^1.2.0".to_owned());
    check(&ranged, &tags, &["v1.10.0", "1.9.0", "1.2.0"]);
    let lax = rules(|it| it.strict_semvers = false);
    check(&lax, &["1.2", "1", "1.2.0"], &["1.2.0", "1.2", "1"]);
    let one = rules(|it| it.discovery_limit = 1);
    check(&one, &tags, &["2.0.0-rc.1"]);
    // Equal versions go by the tag, the greater first.
    check(
        &rules(|_| {}),
        &["1.0.0+a", "v1.0.0", "1.0.0+b"],
        &["v1.0.0", "1.0.0+b", "1.0.0+a"],
    );
}

#[test]
fn tags_are_taken_from_the_end_of_the_alphabet() {
    let lexical = |change: fn(&mut GitSubscription)| {
        rules(|it| {
            it.commit_selection_strategy = CommitSelectionStrategy::Lexical;
            change(it);
        })
    };
    let tags = ["nightly-20260101", "nightly-20260203", "v9", "B", "a"];
    check(
        &lexical(|_| {}),
        &tags,
        &["v9", "nightly-20260203", "nightly-20260101", "a", "B"],
    );
    check(
        &lexical(|it| it.allow_tags_regexes = owned(&["^nightly-\\d{8}$"])),
        &tags,
        &["nightly-20260203", "nightly-20260101"],
    );
    check(
        &lexical(|it| it.ignore_tags_regexes = owned(&["0101$", "^[Ba]$"])),
        &tags,
        &["v9", "nightly-20260203"],
    );
}

#[test]
fn tags_are_taken_from_the_newest_back_and_equal_dates_by_name() {
    let newest = rules(|it| {
        it.commit_selection_strategy = CommitSelectionStrategy::NewestTag;
        it.discovery_limit = 3;
    });
    let look = |tag: &str| match tag {
        "old" => TagLook::Found(tagged(tag, 1)),
        "broken" => TagLook::Unusable("it names a tree".to_owned()),
        _ => TagLook::Found(tagged(tag, 2)),
    };
    let (selected, [read, ..]) = run(&newest, &["old", "c", "broken", "a", "b"], look, |_| {
        Vec::new()
    });
    assert_eq!((names(&selected), read), (vec!["a", "b", "c"], 5));
    let all = rules(|it| it.commit_selection_strategy = CommitSelectionStrategy::NewestTag);
    let (selected, _) = run(&all, &["old", "c", "broken"], look, |_| Vec::new());
    assert_eq!(names(&selected), ["c", "old"]);
    let out = &selected.ruled_out[0];
    assert_eq!(
        (out.rule.to_string().as_str(), out.count),
        ("it names a tree", 1)
    );
    assert_eq!(out.tags, ["broken"]);
}

#[test]
fn an_expression_sees_the_tag_and_its_commit() {
    for (filter, expected) in [
        ("tag == 'v1.0.0'", true),
        ("id == 'id-of-v1.0.0'", true),
        ("creatorDate.Year() == 2026", true),
        ("now() - creatorDate < duration('240h')", true),
        ("author contains 'ann@'", true),
        ("committer startsWith 'Bob'", true),
        ("subject == 'Work for v1.0.0'", true),
        ("tagger == 'Eve <eve@acme.test>'", true),
        ("annotation endsWith 'v1.0.0'", true),
        ("tag == 'v2.0.0'", false),
    ] {
        let rules = rules(|it| it.expression_filter = filter.to_owned());
        let expected: &[&str] = if expected { &["v1.0.0"] } else { &[] };
        check(&rules, &["v1.0.0"], expected);
    }
    let rules = rules(|it| it.expression_filter = "commitDate".to_owned());
    let selection = select(&rules, &["v1.0.0"]);
    let look = TagLook::Found(tagged("v1.0.0", 0));
    let seen = SeenTags {
        tags: HashMap::from([("v1.0.0".to_owned(), look)]),
        ..SeenTags::default()
    };
    let error = selection.next(&seen, now()).expect_err("no such variable");
    assert!(error.to_string().contains("expressionFilter"), "{error}");
}

#[test]
fn only_tags_that_pass_the_expression_are_compared() {
    let rules = rules(|it| {
        it.expression_filter = "tag != 'v1.0.3'".to_owned();
        it.include_paths = owned(&["web"]);
        it.exclude_paths = owned(&["web/docs"]);
    });
    let changed = |id: &str| {
        owned(match id {
            "id-of-v1.0.2" => &["web/docs/a.md"],
            _ => &["web/a.yaml"],
        })
    };
    let found = |tag: &str| TagLook::Found(tagged(tag, 0));
    let (selected, [_, compared, _]) = run(&rules, &["v1.0.1", "v1.0.2", "v1.0.3"], found, changed);
    assert_eq!((names(&selected), compared), (vec!["v1.0.1"], 2));
    let why: Vec<String> = selected
        .ruled_out
        .iter()
        .map(|it| it.rule.to_string())
        .collect();
    assert_eq!(
        why,
        [
            "expressionFilter is not true for it",
            "it changes no file that includePaths and excludePaths ask for"
        ]
    );
}

#[test]
fn only_as_many_tags_are_looked_at_as_needed() {
    let tags: Vec<String> = (0..5_000).map(|patch| format!("1.0.{patch}")).collect();
    let tags: Vec<&str> = tags.iter().map(String::as_str).collect();
    let found = |tag: &str| TagLook::Found(tagged(tag, 0));
    let none = |_: &str| Vec::new();
    assert_eq!(run(&rules(|_| {}), &tags, found, none).1, [20, 0, 2]);
    // One that is broken is made up for.
    let one_broken = |tag: &str| match tag {
        "1.0.4999" => TagLook::Unusable("it is broken".to_owned()),
        _ => found(tag),
    };
    let (selected, counts) = run(&rules(|_| {}), &tags, one_broken, none);
    assert_eq!((selected.taken.len(), counts), (20, [21, 0, 3]));
    // Where nothing passes, all are looked at, in few rounds.
    let rare = rules(|it| it.include_paths = owned(&["nowhere"]));
    let (selected, [read, compared, rounds]) = run(&rare, &tags, found, none);
    assert_eq!((selected.taken.len(), read, compared), (0, 5_000, 5_000));
    assert!(rounds < 30, "{rounds}");
}

#[test]
fn rules_that_cannot_be_followed_name_their_field() {
    type Change = fn(&mut GitSubscription);
    let cases: [(Change, &str); 8] = [
        (
            |it| it.semver_constraint = ">>1".to_owned(),
            "semverConstraint",
        ),
        (
            |it| it.allow_tags_regexes = owned(&["("]),
            "allowTagsRegexes",
        ),
        (
            |it| it.ignore_tags_regexes = owned(&["("]),
            "ignoreTagsRegexes",
        ),
        (
            |it| it.allow_tags = "v.*".to_owned(),
            "use allowTagsRegexes",
        ),
        (
            |it| it.ignore_tags = owned(&["v1"]),
            "use ignoreTagsRegexes",
        ),
        (
            |it| it.expression_filter = "tag +".to_owned(),
            "expressionFilter",
        ),
        (|it| it.include_paths = owned(&["glob:["]), "includePaths"),
        (|it| it.exclude_paths = owned(&["regex:("]), "excludePaths"),
    ];
    for (change, field) in cases {
        let mut subscription = GitSubscription {
            commit_selection_strategy: CommitSelectionStrategy::SemVer,
            ..GitSubscription::default()
        };
        change(&mut subscription);
        let error = GitTagRules::parse(&subscription).expect_err(field);
        assert!(error.to_string().contains(field), "{error}");
        subscription.commit_selection_strategy = CommitSelectionStrategy::NewestFromBranch;
        assert!(
            GitTagRules::parse(&subscription)
                .expect("it follows a branch")
                .is_none()
        );
    }
    // A range of versions is for one strategy only.
    let mut lexical = GitSubscription {
        commit_selection_strategy: CommitSelectionStrategy::Lexical,
        ..GitSubscription::default()
    };
    lexical.semver_constraint = ">>1".to_owned();
    assert!(GitTagRules::parse(&lexical).is_ok());
}

#[test]
fn of_any_number_of_tags_no_more_are_held_than_could_be_read() {
    let semver = rules(|it| it.discovery_limit = 1);
    let newest = rules(|it| it.commit_selection_strategy = CommitSelectionStrategy::NewestTag);
    let count = 2 * READS_BOUND + 10;
    // Neither the order of versions nor its reverse.
    let tags = (0..count).map(|it| format!("1.0.{}", it * 7 % count));
    let tags: Vec<String> = tags.collect();
    for (rules, expected) in [(&semver, 1), (&newest, READS_BOUND + 1)] {
        let mut names = rules.start();
        for tag in &tags {
            assert!(names.offer(tag));
            assert!(names.best.len() < 2 * READS_BOUND);
        }
        let selection = names.selection();
        assert_eq!(selection.candidates.len(), READS_BOUND + 1);
        let next = selection.next(&SeenTags::default(), now());
        let NextTags::Read(wanted) = next.expect("no expression") else {
            panic!("nothing was read so far");
        };
        // Whoever is to read more than can be read gives up.
        assert_eq!(wanted.len(), expected);
        if expected == 1 {
            assert_eq!(wanted[0], format!("1.0.{}", count - 1));
        }
    }
}
