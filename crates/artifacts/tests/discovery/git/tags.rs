//! Discovers what the tags of a real repository name.

use artifacts::git::{self, Error};
use artifacts::{Cost, Spent};
use jiff::Timestamp;
use resources::subscription::CommitSelectionStrategy;
use resources::{DiscoveredCommits, GitSubscription};
use testkit::servers::{Access, GitServer};

use super::{Change, discover, host, repositories, subscription};
use crate::{caller, told};

const REPOSITORY: &str = "acme/deploy";

fn tagged(host: &GitServer, change: impl FnOnce(&mut GitSubscription)) -> GitSubscription {
    let mut subscription = subscription(host.url(REPOSITORY));
    subscription.commit_selection_strategy = CommitSelectionStrategy::SemVer;
    change(&mut subscription);
    subscription
}

fn names(found: &DiscoveredCommits) -> Vec<&str> {
    found.commits.iter().map(|it| it.tag.as_str()).collect()
}

fn git(host: &GitServer, arguments: &[&str]) -> String {
    let printed = host.git(REPOSITORY, arguments).expect("git does it");
    printed.trim().to_owned()
}

fn tag(host: &GitServer, name: &str, what: &str) {
    git(host, &["tag", name, what]);
}

/// Writes an object as it is and makes a tag of it; gives its id.
fn object(host: &GitServer, name: &str, kind: &str, text: &str) -> String {
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
fn annotate(host: &GitServer, name: &str, what: &str, second: i64) -> String {
    let commit = git(host, &["rev-parse", what]);
    let text = format!(
        "object {commit}\ntype commit\ntag {name}\ntagger Eve <eve@acme.test> {second} +0200\n\nRelease {name}\n\nMore.\n"
    );
    object(host, name, "tag", &text)
}

/// Asks once; also gives what it cost.
async fn spend(
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

fn git_children(spent: &Spent) -> u64 {
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
async fn odd_tags_do_not_fail_the_others() {
    let host = host(Access::Open);
    let folder = tempfile::tempdir().expect("a folder");
    let repositories = repositories(folder.path());
    // The history is there before, so that the server takes what the odd tags name for known.
    let branch = subscription(host.url(REPOSITORY));
    discover(&repositories, &branch, None, None)
        .await
        .expect("commits");
    annotate(&host, "v1.0.0", "main~2", 1_770_000_000);
    tag(&host, "v1.0.1", "main");
    tag(&host, "v9.0.0", "main:README.md");
    tag(&host, "v9.0.1", "main^{tree}");
    let blob = git(&host, &["rev-parse", "main:docs/x.md"]);
    let of_blob = format!("object {blob}\ntype blob\ntag v9.0.2\ntagger E <e@x> 1 +0000\n\nhi\n");
    object(&host, "v9.0.2", "tag", &of_blob);
    let inner = annotate(&host, "v1.0.2", "main~1", 1_770_000_000);
    let nested =
        format!("object {inner}\ntype tag\ntag v1.0.3\ntagger E <e@x> 1770000009 +0000\n\nAgain\n");
    object(&host, "v1.0.3", "tag", &nested);
    let missing = format!(
        "object {}\ntype commit\ntag v9.0.3\ntagger E <e@x> 1 +0000\n\nhi\n",
        "1".repeat(40)
    );
    object(&host, "v9.0.3", "tag", &missing);
    let head = git(&host, &["rev-parse", "main"]);
    let nobody = format!("object {head}\ntype commit\ntag v1.0.4\n\nBy nobody\n");
    object(&host, "v1.0.4", "tag", &nobody);
    let odd_date = format!("object {head}\ntype commit\ntag v1.0.5\ntagger nonsense\n\nhi\n");
    object(&host, "v1.0.5", "tag", &odd_date);

    let all = tagged(&host, |_| {});
    let (found, spent) = spend(&repositories, &all, None).await;
    assert_eq!(
        names(&found),
        ["v1.0.5", "v1.0.4", "v1.0.3", "v1.0.2", "v1.0.1", "v1.0.0"]
    );
    assert_eq!(found.commits[2].id, git(&host, &["rev-parse", "main~1"]));
    assert!(git_children(&spent) < 15, "{spent:?}");
    let cost = Cost::default();
    let caller = caller("acme", None, &cost);
    let selected = git::select(&repositories, caller, &all, Timestamp::UNIX_EPOCH);
    let ruled_out = selected.await.expect("commits").ruled_out;
    let ruled_out: Vec<String> = ruled_out
        .iter()
        .map(|it| format!("{}: {}", it.tags.join(" "), it.rule))
        .collect();
    let expected = [
        "v9.0.2 v9.0.0: it names a blob, not a commit",
        "v9.0.1: it names a tree, not a commit",
        "v9.0.3: the server could not give it",
    ];
    assert_eq!(ruled_out, expected);
    // It is known what cannot be had: with one tag more there is one fetch more.
    annotate(&host, "v1.1.0", "main", 1_770_000_000);
    assert_eq!(git_children(&spend(&repositories, &all, None).await.1), 1);

    let broken = tagged(&host, |it| it.allow_tags_regexes = vec!["^v9".to_owned()]);
    let error = discover(&repositories, &broken, None, None)
        .await
        .expect_err("none is a commit");
    assert!(
        matches!(error, Error::NoCommit { .. }) && error.hint().contains("ls-remote"),
        "{error}"
    );
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
async fn tags_too_many_for_a_status_are_known_by_their_digest() {
    let host = host(Access::Open);
    let head = git(&host, &["rev-parse", "main"]);
    let packed: String = (0..1_200)
        .map(|patch| format!("{head} refs/tags/v1.0.{patch:04}\n"))
        .collect();
    std::fs::write(host.path(REPOSITORY).join("packed-refs"), packed).expect("written");
    let folder = tempfile::tempdir().expect("a folder");
    let lexical = tagged(&host, |it| {
        it.commit_selection_strategy = CommitSelectionStrategy::Lexical
    });
    let first_process = repositories(folder.path());
    let (first, spent) = spend(&first_process, &lexical, None).await;
    assert_eq!((names(&first)[0], first.commits.len()), ("v1.0.1199", 20));
    assert_eq!(
        (first.observed_refs.as_ref(), git_children(&spent)),
        (None, 1)
    );
    let (second, spent) = spend(&first_process, &lexical, Some(&first)).await;
    assert_eq!(
        (spent.total(), git_children(&spent), spent.remembered),
        (1, 0, 1)
    );
    assert_eq!(second, first);
    // For rules written otherwise, and after a restart, they are looked at again, yet not fetched.
    let fewer = tagged(&host, |it| {
        it.commit_selection_strategy = CommitSelectionStrategy::Lexical;
        it.discovery_limit = 3;
    });
    let (found, spent) = spend(&first_process, &fewer, Some(&first)).await;
    assert_eq!(
        (found.commits.len(), git_children(&spent), spent.remembered),
        (3, 0, 0)
    );
    drop(first_process);
    let (third, spent) = spend(&repositories(folder.path()), &lexical, Some(&first)).await;
    assert_eq!(
        (third, git_children(&spent), spent.remembered),
        (first, 0, 0)
    );
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
