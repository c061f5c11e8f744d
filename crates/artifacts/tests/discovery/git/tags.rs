//! Discovers what the tags of a real repository name.

use artifacts::git;
use artifacts::{Cost, Spent};
use jiff::Timestamp;
use resources::subscription::CommitSelectionStrategy;
use resources::{DiscoveredCommits, GitSubscription};
use testkit::servers::{Access, GitServer};

use super::{Change, discover, host, repositories, subscription};
use crate::{caller, told};

pub(super) const REPOSITORY: &str = "acme/deploy";

pub(super) fn tagged(
    host: &GitServer,
    change: impl FnOnce(&mut GitSubscription),
) -> GitSubscription {
    let mut subscription = subscription(host.url(REPOSITORY));
    subscription.commit_selection_strategy = CommitSelectionStrategy::SemVer;
    change(&mut subscription);
    subscription
}

pub(super) fn names(found: &DiscoveredCommits) -> Vec<&str> {
    found.commits.iter().map(|it| it.tag.as_str()).collect()
}

pub(super) fn git(host: &GitServer, arguments: &[&str]) -> String {
    let printed = host.git(REPOSITORY, arguments).expect("git does it");
    printed.trim().to_owned()
}

pub(super) fn tag(host: &GitServer, name: &str, what: &str) {
    git(host, &["tag", name, what]);
}

/// Writes an object as it is and makes a tag of it; gives its id.
pub(super) fn object(host: &GitServer, name: &str, kind: &str, text: &str) -> String {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), text).expect("written");
    let path = file.path().to_str().expect("a path");
    let id = git(
        host,
        &["hash-object", "--literally", "-t", kind, "-w", path],
    );
    git(host, &["update-ref", &format!("refs/tags/{name}"), &id]);
    id
}

/// Makes a tag with a message, of a second.
pub(super) fn annotate(host: &GitServer, name: &str, what: &str, second: i64) -> String {
    let commit = git(host, &["rev-parse", what]);
    let text = format!(
        "object {commit}\ntype commit\ntag {name}\ntagger Eve <eve@acme.test> {second} +0200\n\nRelease {name}\n\nMore.\n"
    );
    object(host, name, "tag", &text)
}

/// Asks once; also gives what it cost.
pub(super) async fn spend(
    repositories: &git::Repositories,
    subscription: &GitSubscription,
    previous: Option<&DiscoveredCommits>,
) -> (DiscoveredCommits, Spent) {
    let cost = Cost::default();
    let caller = caller("acme", None, &cost);
    let now = Timestamp::UNIX_EPOCH;
    let found = git::discover(repositories, caller, subscription, previous, now).await;
    (found.expect("commits"), cost.spent())
}

pub(super) fn git_children(spent: &Spent) -> u64 {
    spent.git.values().sum()
}

#[tokio::test]
async fn each_field_about_tags_says_which_are_taken() {
    let host = host(Access::Open);
    for (number, name) in ["1.0.0", "v1.2.0", "2.0.0-rc.1", "2.0", "zeta", "nightly-1"]
        .iter()
        .enumerate()
    {
        annotate(
            &host,
            name,
            "main",
            1_770_000_000 - i64::try_from(number).expect("a number"),
        );
    }
    let folder = tempfile::tempdir().expect("a folder");
    let repositories = repositories(folder.path());
    let cases: [(Change, &[&str]); 12] = [
        (|_| {}, &["2.0.0-rc.1", "v1.2.0", "1.0.0"]),
        (
            |it| it.strict_semvers = false,
            &["2.0", "2.0.0-rc.1", "v1.2.0", "1.0.0"],
        ),
        (|it| it.semver_constraint = "^1.1.0".to_owned(), &["v1.2.0"]),
        (|it| it.discovery_limit = 1, &["2.0.0-rc.1"]),
        (
            |it| it.allow_tags_regexes = vec!["^v".to_owned()],
            &["v1.2.0"],
        ),
        (
            |it| it.ignore_tags_regexes = vec!["-rc".to_owned()],
            &["v1.2.0", "1.0.0"],
        ),
        (
            |it| it.commit_selection_strategy = CommitSelectionStrategy::Lexical,
            &["zeta", "v1.2.0", "nightly-1", "2.0.0-rc.1", "2.0", "1.0.0"],
        ),
        (
            |it| it.commit_selection_strategy = CommitSelectionStrategy::NewestTag,
            &["1.0.0", "v1.2.0", "2.0.0-rc.1", "2.0", "zeta", "nightly-1"],
        ),
        (
            |it| {
                it.commit_selection_strategy = CommitSelectionStrategy::NewestTag;
                it.allow_tags_regexes = vec!["^2".to_owned()];
                it.discovery_limit = 1;
            },
            &["2.0.0-rc.1"],
        ),
        // What is for branches only is not looked at.
        (
            |it| it.branch = "nowhere".to_owned(),
            &["2.0.0-rc.1", "v1.2.0", "1.0.0"],
        ),
        (
            |it| it.since = "2999-01-01T00:00:00Z".to_owned(),
            &["2.0.0-rc.1", "v1.2.0", "1.0.0"],
        ),
        // A mirror is without contents whatever is written.
        (|it| it.blobless = true, &["2.0.0-rc.1", "v1.2.0", "1.0.0"]),
    ];
    for (change, expected) in cases {
        let subscription = tagged(&host, change);
        let found = discover(&repositories, &subscription, None, None)
            .await
            .expect("commits");
        assert_eq!(names(&found), expected, "{subscription:?}");
    }
    let cases: [(Change, &str); 2] = [
        (|it| it.allow_tags = "^v".to_owned(), "use allowTagsRegexes"),
        (
            |it| it.ignore_tags = vec!["v1".to_owned()],
            "use ignoreTagsRegexes",
        ),
    ];
    for (change, why) in cases {
        let subscription = tagged(&host, change);
        let error = discover(&repositories, &subscription, None, None)
            .await
            .expect_err(why);
        assert!(told(&error).contains(why), "{}", told(&error));
    }
}

#[tokio::test]
async fn tags_of_both_kinds_say_what_they_name() {
    let host = host(Access::Open);
    tag(&host, "v1.0.0", "main~1");
    annotate(&host, "v2.0.0", "main", 1_770_000_000);
    let folder = tempfile::tempdir().expect("a folder");
    let repositories = repositories(folder.path());
    let found = discover(&repositories, &tagged(&host, |_| {}), None, None)
        .await
        .expect("commits");
    assert_eq!(names(&found), ["v2.0.0", "v1.0.0"]);
    let line = |revision: &str| {
        git(
            &host,
            &[
                "log",
                "-1",
                "--format=%H|%s|%an <%ae>|%cn <%ce>|%ct",
                revision,
            ],
        )
    };
    for (commit, revision) in found.commits.iter().zip(["main", "main~1"]) {
        let date = commit.creator_date.as_ref().expect("a date").0.as_second();
        let date = if commit.tag == "v2.0.0" {
            assert_eq!(date, 1_770_000_000, "the tag's own");
            line(revision)
                .rsplit('|')
                .next()
                .map(str::to_owned)
                .expect("a date")
        } else {
            date.to_string()
        };
        let found = [
            &commit.id,
            &commit.subject,
            &commit.author,
            &commit.committer,
        ]
        .map(String::as_str);
        assert_eq!(format!("{}|{date}", found.join("|")), line(revision));
        assert_eq!(commit.branch, "");
    }
    for (filter, expected) in [
        ("tag == 'v2.0.0'", &["v2.0.0"][..]),
        ("tagger == 'Eve <eve@acme.test>'", &["v2.0.0"]),
        ("annotation == 'Release v2.0.0'", &["v2.0.0"]),
        ("tagger == ''", &["v1.0.0"]),
        ("subject == 'Docs'", &["v1.0.0"]),
        ("creatorDate.Unix() == 1770000000", &["v2.0.0"]),
        (
            "author == 'Somebody <somebody@example.com>'",
            &["v2.0.0", "v1.0.0"],
        ),
        ("committer contains 'nobody'", &[]),
        (
            &format!("id == '{}'", git(&host, &["rev-parse", "main~1"])),
            &["v1.0.0"],
        ),
    ] {
        let subscription = tagged(&host, |it| it.expression_filter = filter.to_owned());
        let found = discover(&repositories, &subscription, None, None)
            .await
            .expect("commits");
        assert_eq!(names(&found), expected, "{filter}");
    }
}

#[tokio::test]
async fn a_tag_counts_by_what_its_own_commit_changes() {
    let host = host(Access::Open);
    // The commits from the oldest: Start, Web one, Api one, Docs, Web two.
    for (name, revision) in [
        ("1.0.1", "main~3"),
        ("1.0.2", "main~2"),
        ("1.0.3", "main~1"),
        ("1.0.4", "main"),
        ("1.0.0", "main~4"),
    ] {
        tag(&host, name, revision);
    }
    let cases: [(Change, &[&str]); 4] = [
        (
            |it| it.include_paths = vec!["apps/web".to_owned()],
            &["1.0.4", "1.0.1"],
        ),
        (
            |it| it.exclude_paths = vec!["apps".to_owned()],
            &["1.0.3", "1.0.0"],
        ),
        (
            |it| {
                it.include_paths = vec!["apps".to_owned()];
                it.discovery_limit = 1;
                it.expression_filter = "tag < '1.0.4'".to_owned();
            },
            &["1.0.2"],
        ),
        (
            |it| it.include_paths = vec!["glob:*/*/a.yaml".to_owned()],
            &["1.0.2", "1.0.1"],
        ),
    ];
    for (change, expected) in cases {
        // A mirror of its own, so that nothing is there by chance.
        let folder = tempfile::tempdir().expect("a folder");
        let subscription = tagged(&host, change);
        let found = discover(&repositories(folder.path()), &subscription, None, None).await;
        assert_eq!(
            names(&found.expect("commits")),
            expected,
            "{subscription:?}"
        );
    }
}

#[tokio::test]
async fn the_same_tags_are_known_for_one_request() {
    let host = host(Access::Open);
    annotate(&host, "v1.0.0", "main~2", 1_770_000_000);
    let folder = tempfile::tempdir().expect("a folder");
    let repositories = repositories(folder.path());
    let subscription = tagged(&host, |it| it.ignore_tags_regexes = vec!["rc".to_owned()]);
    let (first, spent) = spend(&repositories, &subscription, None).await;
    assert_eq!(
        (spent.total(), git_children(&spent), spent.remembered),
        (1, 1, 0)
    );
    let observed = first.observed_refs.as_ref().expect("refs");
    assert_eq!(
        (observed.tags.len(), observed.tags[0].name.as_str()),
        (1, "v1.0.0")
    );

    // What does not match plays no part.
    tag(&host, "v2.0.0-rc.1", "main");
    let (second, spent) = spend(&repositories, &subscription, Some(&first)).await;
    assert_eq!(
        (spent.total(), git_children(&spent), spent.remembered),
        (1, 0, 1)
    );
    assert_eq!(second, first);

    // A tag that moves to a message of its own is another, though it names the same commit.
    annotate(&host, "v1.0.0", "main~2", 1_770_000_001);
    let (third, spent) = spend(&repositories, &subscription, Some(&second)).await;
    assert_eq!((spent.total(), git_children(&spent)), (1, 1));
    assert_ne!(third, second);
    // One that only names a commit that is here needs no fetch, nor does one that goes.
    tag(&host, "v1.1.0", "main~2");
    let (fourth, spent) = spend(&repositories, &subscription, Some(&third)).await;
    assert_eq!(
        (names(&fourth), git_children(&spent)),
        (vec!["v1.1.0", "v1.0.0"], 0)
    );
    git(&host, &["tag", "-d", "v1.1.0"]);
    let (fifth, spent) = spend(&repositories, &subscription, Some(&fourth)).await;
    assert_eq!((names(&fifth), git_children(&spent)), (vec!["v1.0.0"], 0));
}

#[tokio::test]
async fn a_repository_without_matching_tags_has_nothing_and_no_mirror() {
    let host = host(Access::Open);
    let folder = tempfile::tempdir().expect("a folder");
    let repositories = repositories(folder.path());
    let subscription = tagged(&host, |_| {});
    let (first, spent) = spend(&repositories, &subscription, None).await;
    assert_eq!(
        (first.commits.len(), spent.total(), git_children(&spent)),
        (0, 1, 0)
    );
    let (second, spent) = spend(&repositories, &subscription, Some(&first)).await;
    assert_eq!((second, spent.remembered), (first, 1));
    let left = std::fs::read_dir(folder.path())
        .expect("the mirrors")
        .count();
    assert_eq!(left, 0);
}
