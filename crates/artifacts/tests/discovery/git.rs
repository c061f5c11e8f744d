//! Discovers commits on real Git hosts, and asks servers that no real host can be made into.

mod histories;
mod hosts;
mod known_hosts;
mod many_tags;
mod mirrors;
mod monorepo;
mod odd_tags;
mod redirects;
mod tags;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use artifacts::child::Launcher;
use artifacts::egress::Policy;
use artifacts::git::{self, Error, Mirrors, Repositories};
use artifacts::{Cost, Limits};
use credentials::Login;
use jiff::Timestamp;
use resources::{DiscoveredCommits, GitSubscription};
use secret::Secret;
use testkit::servers::{Access, GitServer, PASSWORD, USER};

use crate::{caller, told};

/// Writes one field of a subscription.
type Change = fn(&mut GitSubscription);

fn repositories(folder: &Path) -> Repositories {
    let limits = Limits {
        pauses: (Duration::from_millis(1), Duration::from_millis(5)),
        ..Limits::default()
    };
    Repositories::new(
        Launcher::direct(),
        Arc::new(Policy::new().with_loopback()),
        limits,
        Mirrors::new(folder.to_owned(), Mirrors::DISK),
    )
}

fn subscription(repo_url: String) -> GitSubscription {
    GitSubscription {
        repo_url,
        ..GitSubscription::default()
    }
}

async fn discover(
    repositories: &Repositories,
    subscription: &GitSubscription,
    login: Option<&Login>,
    previous: Option<&DiscoveredCommits>,
) -> Result<DiscoveredCommits, Error> {
    let now: Timestamp = "2026-06-01T00:00:00Z".parse().expect("a time");
    let cost = Cost::default();
    let caller = caller("acme", login, &cost);
    git::discover(repositories, caller, subscription, previous, now).await
}

fn subjects(found: &DiscoveredCommits) -> Vec<&str> {
    found.commits.iter().map(|it| it.subject.as_str()).collect()
}

/// Discovery runs in tasks, so its futures have to be able to move between threads.
#[test]
fn discovery_can_run_in_a_task() {
    fn sends<T: Send>(_: &T) {}
    let repositories = repositories(Path::new("unused"));
    let subscription = GitSubscription::default();
    sends(&discover(&repositories, &subscription, None, None));
}

/// A host with one repository whose commits touch different folders.
fn host(access: Access) -> GitServer {
    let host = GitServer::start(access).expect("a Git host");
    host.create("acme/deploy", &[("README.md", "hello")])
        .expect("a repository");
    for (path, message) in [
        ("apps/web/a.yaml", "Web one"),
        ("apps/api/a.yaml", "Api one"),
        ("docs/x.md", "Docs"),
        ("apps/web/b.yaml", "Web two"),
    ] {
        host.commit("acme/deploy", &[(path, message)], message)
            .expect("a commit");
    }
    host
}

#[tokio::test]
async fn the_newest_commits_of_a_branch_are_taken() {
    let folder = tempfile::tempdir().expect("a folder");
    let (host, repositories) = (host(Access::Open), repositories(folder.path()));
    let mut subscription = subscription(host.url("acme/deploy"));
    let found = discover(&repositories, &subscription, None, None)
        .await
        .expect("commits");
    assert_eq!(
        subjects(&found)[..4],
        ["Web two", "Docs", "Api one", "Web one"]
    );
    assert_eq!(found.commits.len(), 5);
    let head = host
        .git("acme/deploy", &["rev-parse", "main"])
        .expect("the head");
    assert_eq!(
        (
            found.commits[0].id.as_str(),
            found.commits[0].branch.as_str()
        ),
        (head.trim(), "")
    );
    assert_eq!(
        found
            .observed_refs
            .as_ref()
            .map(|it| it.branch_head.as_str()),
        Some(head.trim())
    );
    let line = host
        .git(
            "acme/deploy",
            &["log", "-1", "--format=%an <%ae>|%cn <%ce>|%cI", "main"],
        )
        .expect("the line");
    let time = found.commits[0].creator_date.as_ref().expect("a time").0;
    let (people, date) = line.trim().rsplit_once('|').expect("three fields");
    assert_eq!(
        format!("{}|{}", found.commits[0].author, found.commits[0].committer),
        people
    );
    assert_eq!(date.parse::<Timestamp>().expect("a time"), time);

    subscription.branch = "main".to_owned();
    subscription.discovery_limit = 2;
    let found = discover(&repositories, &subscription, None, None)
        .await
        .expect("commits");
    assert_eq!(
        (subjects(&found), found.commits[0].branch.as_str()),
        (vec!["Web two", "Docs"], "main")
    );

    subscription.branch = "gone".to_owned();
    let error = discover(&repositories, &subscription, None, None)
        .await
        .expect_err("no branch");
    assert!(
        error.to_string().contains(r#"has no branch "gone""#) && error.hint().contains("ls-remote"),
        "{error}"
    );
}

#[tokio::test]
async fn commits_are_passed_over_by_path_expression_and_time() {
    let folder = tempfile::tempdir().expect("a folder");
    let (host, repositories) = (host(Access::Open), repositories(folder.path()));
    let cases: [(Change, &[&str]); 8] = [
        (
            |it| it.include_paths = vec!["apps/web".to_owned()],
            &["Web two", "Web one"],
        ),
        (
            |it| it.exclude_paths = vec!["apps".to_owned(), "README.md".to_owned()],
            &["Docs"],
        ),
        (
            |it| it.include_paths = vec!["glob:apps/*/a.yaml".to_owned()],
            &["Api one", "Web one"],
        ),
        (
            |it| it.include_paths = vec![r"regex:\.md$".to_owned()],
            &["Docs", "Start"],
        ),
        (
            |it| it.expression_filter = "subject contains 'one'".to_owned(),
            &["Api one", "Web one"],
        ),
        (
            |it| {
                it.include_paths = vec!["apps/web".to_owned()];
                it.discovery_limit = 1;
            },
            &["Web two"],
        ),
        (
            |it| {
                it.expression_filter = "subject == 'Web one'".to_owned();
                it.discovery_limit = 1;
            },
            &["Web one"],
        ),
        (|it| it.since = "2999-01-01T00:00:00Z".to_owned(), &[]),
    ];
    for (change, expected) in cases {
        let mut subscription = subscription(host.url("acme/deploy"));
        change(&mut subscription);
        let found = discover(&repositories, &subscription, None, None)
            .await
            .expect("commits");
        assert_eq!(subjects(&found), expected);
    }
}

#[tokio::test]
async fn a_branch_that_did_not_move_is_not_fetched_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let (host, repositories) = (host(Access::Open), repositories(folder.path()));
    let subscription = subscription(host.url("acme/deploy"));
    let first = discover(&repositories, &subscription, None, None)
        .await
        .expect("commits");
    for scope in std::fs::read_dir(folder.path()).expect("the mirrors") {
        std::fs::remove_dir_all(scope.expect("a mirror").path()).expect("it is gone");
    }
    let second = discover(&repositories, &subscription, None, Some(&first))
        .await
        .expect("commits");
    assert_eq!(first, second);
    assert_eq!(
        std::fs::read_dir(folder.path())
            .expect("the mirrors")
            .count(),
        0,
        "nothing was fetched"
    );

    host.commit("acme/deploy", &[("x", "y")], "Newer")
        .expect("a commit");
    let third = discover(&repositories, &subscription, None, Some(&second))
        .await
        .expect("commits");
    assert_eq!(subjects(&third)[..2], ["Newer", "Web two"]);

    // History that was rewritten, and a mirror that was damaged.
    host.git(
        "acme/deploy",
        &["update-ref", "refs/heads/main", &first.commits[1].id],
    )
    .expect("rewritten");
    let fourth = discover(&repositories, &subscription, None, Some(&third))
        .await
        .expect("commits");
    assert_eq!(subjects(&fourth)[0], "Docs");
    let mirror = std::fs::read_dir(folder.path())
        .expect("the mirrors")
        .next()
        .expect("a mirror")
        .expect("a mirror")
        .path();
    std::fs::write(mirror.join("history.git/config"), "[broken").expect("damaged");
    let fifth = discover(&repositories, &subscription, None, None)
        .await
        .expect("commits");
    assert_eq!(subjects(&fifth)[0], "Docs");
}

#[tokio::test]
async fn a_password_is_needed_and_never_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let (host, repositories) = (host(Access::Password), repositories(folder.path()));
    let url = host.url("acme/deploy");
    let subscription = subscription(url.replace("http://", "http://someone:else-password@"));
    let login = |password: &str| Login::Basic {
        username: USER.to_owned(),
        password: Secret::from(password),
    };
    let found = discover(&repositories, &subscription, Some(&login(PASSWORD)), None)
        .await
        .expect("commits");
    assert_eq!(found.commits.len(), 5);
    for login in [None, Some(login("wrong-password"))] {
        let error = discover(&repositories, &subscription, login.as_ref(), None)
            .await
            .expect_err("not let in");
        let told = format!("{} {}", told(&error), error.hint());
        assert!(told.contains("401"), "{told}");
        assert!(
            !told.contains("-password") && !told.contains(PASSWORD),
            "{told}"
        );
    }
    // Another project with no login is not served from the first one's mirror.
    let other = git::discover(
        &repositories,
        caller("other", None, &Cost::default()),
        &subscription,
        None,
        Timestamp::UNIX_EPOCH,
    )
    .await;
    assert!(other.is_err());
}
