//! Discovers commits on a real Git host, and asks servers that no real host can be made into.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use artifacts::child::Launcher;
use artifacts::egress::Policy;
use artifacts::git::{self, Error, Repositories};
use artifacts::{Cost, Limits};
use credentials::Login;
use jiff::Timestamp;
use resources::subscription::CommitSelectionStrategy;
use resources::{DiscoveredCommits, GitSubscription};
use secret::Secret;
use testkit::servers::{Access, GitServer, PASSWORD, SshServer, USER};
use testkit::tools;

use crate::scripted::{Server, answer, ok};
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
        folder.to_owned(),
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
    std::fs::write(mirror.join("mirror.git/config"), "[broken").expect("damaged");
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

#[tokio::test]
async fn a_server_of_the_old_kind_is_understood() {
    // It knows no ls-refs and lists all refs in its greeting, in the old way.
    const ID: &str = "0123456789abcdef0123456789abcdef01234567";
    let server = Server::start(|sent, _| {
        if sent.method == "POST" {
            return answer(400, &[], "what?");
        }
        let line = |text: &str| format!("{:04x}{text}\n", text.len() + 5);
        let head = line(&format!("{ID} HEAD\0symref=HEAD:refs/heads/main"));
        ok(format!(
            "{}0000{head}{}0000",
            line("# service=git-upload-pack"),
            line(&format!("{ID} refs/heads/main"))
        ))
    })
    .await;
    let folder = tempfile::tempdir().expect("a folder");
    let mut subscription = subscription(format!("http://{}/app.git", server.host));
    subscription.branch = "main".to_owned();
    let refs = resources::ObservedRefs {
        branch_head: ID.to_owned(),
        tags: Vec::new(),
    };
    let previous = DiscoveredCommits {
        repo_url: subscription.repo_url.clone(),
        observed_refs: Some(refs),
        ..DiscoveredCommits::default()
    };
    let found = discover(
        &repositories(folder.path()),
        &subscription,
        None,
        Some(&previous),
    )
    .await
    .expect("nothing new");
    assert_eq!(found, previous);
    assert_eq!(server.sent().len(), 2);
}

#[tokio::test]
async fn a_redirect_is_followed_under_the_policy() {
    let host = host(Access::Open);
    let real = host.url("acme/deploy");
    let front = Server::start(move |sent, _| {
        let rest = sent.target.strip_prefix("/old.git").unwrap_or_default();
        answer(301, &[("location", &format!("{real}{rest}"))], "")
    })
    .await;
    let folder = tempfile::tempdir().expect("a folder");
    let login = Login::Basic {
        username: "me".to_owned(),
        password: Secret::from("hunter2-hunter2"),
    };
    let moved = subscription(format!("http://{}/old.git", front.host));
    let found = discover(&repositories(folder.path()), &moved, Some(&login), None)
        .await
        .expect("commits");
    assert_eq!(found.commits.len(), 5);

    for (location, why) in [
        ("https://169.254.169.254/x/info/refs", "metadata"),
        ("http://evil.test/x/info/refs", "plain http"),
    ] {
        let front = Server::start(move |_, _| answer(302, &[("location", location)], "")).await;
        let subscription = subscription(format!("http://{}/old.git", front.host));
        let error = discover(&repositories(folder.path()), &subscription, None, None)
            .await
            .expect_err(location);
        assert!(told(&error).contains(why), "{}", told(&error));
    }
}

#[tokio::test]
async fn what_cannot_be_followed_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let repositories = repositories(folder.path());
    for (repo_url, why) in [
        ("file://host/etc", "scheme is not https or ssh"),
        ("https://169.254.169.254/x.git", "metadata"),
        (
            "http://github.com/acme/app.git",
            "plain http is only for this machine",
        ),
        ("ssh://git@169.254.169.254/x.git", "metadata"),
        ("git@metadata.google.internal:x.git", "metadata"),
        ("ext::sh", "neither https:// nor ssh://"),
    ] {
        let error = discover(
            &repositories,
            &subscription(repo_url.to_owned()),
            None,
            None,
        )
        .await
        .expect_err(repo_url);
        assert!(
            told(&error).contains(why) && !error.hint().is_empty(),
            "{}",
            told(&error)
        );
    }
    let mut tags = subscription("https://github.com/acme/app".to_owned());
    tags.commit_selection_strategy = CommitSelectionStrategy::SemVer;
    let error = discover(&repositories, &tags, None, None)
        .await
        .expect_err("not yet");
    assert!(
        error
            .to_string()
            .contains("commitSelectionStrategy SemVer is not supported yet"),
        "{error}"
    );

    let closed = Repositories::new(
        Launcher::direct(),
        Arc::new(Policy::new()),
        Limits::default(),
        folder.path().to_owned(),
    );
    let error = discover(
        &closed,
        &subscription("http://127.0.0.1:1/x.git".to_owned()),
        None,
        None,
    )
    .await
    .expect_err("closed");
    assert!(
        told(&error).contains("this machine") && error.hint().contains("argosy up"),
        "{}",
        told(&error)
    );

    let chatter = Server::start(|_, _| ok("<html>hello</html>")).await;
    let error = discover(
        &repositories,
        &subscription(format!("http://{}/x.git", chatter.host)),
        None,
        None,
    )
    .await
    .expect_err("no Git");
    assert!(told(&error).contains("smart protocol"), "{}", told(&error));
}

#[tokio::test]
async fn commits_are_discovered_on_a_host_that_speaks_ssh() {
    let folder = tempfile::tempdir().expect("a folder");
    let host = SshServer::start().expect("an SSH host");
    host.create("acme/deploy", &[("README.md", "hello")])
        .expect("a repository");
    let path = tools::search_path(None).expect("folders of programs");
    let policy = Arc::new(Policy::new().with_loopback());
    let launcher = Launcher::direct().with_search_path(path);
    let mirrors = folder.path().join("mirrors");
    let repositories = Repositories::new(launcher, policy, Limits::default(), mirrors);
    let subscription = subscription(host.url("acme/deploy"));
    let login = |key: String| Login::SshKey(Secret::from(key));

    let key = login(host.private_key().expect("a key"));
    let found = discover(&repositories, &subscription, Some(&key), None).await;
    assert_eq!(subjects(&found.expect("commits")), ["Start"]);

    let key = login(host.key_of_a_stranger().expect("a key"));
    let error = discover(&repositories, &subscription, Some(&key), None)
        .await
        .expect_err("refused");
    let reason = "Permission denied (publickey)";
    assert!(told(&error).contains(reason), "{}", told(&error));
}

/// Stands in for ssh where the port cannot be chosen, as in `git@host:path`: writes down what it was called with and the key, and runs the command right here.
const SSH: &str = r#"#!/bin/sh
echo "$@" >> "$TMPDIR/../../../ssh.log"
while [ $# -gt 1 ]; do
  if [ "$1" = -i ]; then ls -l "$2" >> "$TMPDIR/../../../ssh.log"; cat "$2" >> "$TMPDIR/../../../ssh.log"; fi
  shift
done
exec sh -c "$1"
"#;

#[tokio::test]
async fn commits_are_discovered_over_ssh_with_a_key() {
    use std::os::unix::fs::PermissionsExt as _;

    let folder = tempfile::tempdir().expect("a folder");
    let host = host(Access::Open);
    let programs = tempfile::tempdir().expect("a folder");
    let ssh = programs.path().join("ssh");
    std::fs::write(&ssh, SSH).expect("written");
    std::fs::set_permissions(&ssh, std::fs::Permissions::from_mode(0o755)).expect("made a program");
    let path = format!("{}:/usr/local/bin:/usr/bin:/bin", programs.path().display());
    let policy = Arc::new(Policy::new().with_loopback());
    let launcher = Launcher::direct().with_search_path(path);
    let mirrors = folder.path().join("mirrors");
    let repositories = Repositories::new(launcher, policy, Limits::default(), mirrors);
    let login = Login::SshKey(Secret::from("a-private-key"));
    let path = host.path("acme/deploy");
    for repo_url in [
        format!("git@localhost:{}", path.display()),
        format!("ssh://git@localhost{}", path.display()),
    ] {
        let subscription = subscription(repo_url);
        let found = discover(&repositories, &subscription, Some(&login), None)
            .await
            .expect("commits");
        assert_eq!(subjects(&found)[..2], ["Web two", "Docs"]);
    }
    let log = std::fs::read_to_string(folder.path().join("mirrors/ssh.log")).expect("the log");
    assert!(
        log.contains("a-private-key") && log.contains("-rw-------"),
        "{log}"
    );
    assert!(
        log.contains("git-upload-pack") && log.contains("BatchMode=yes"),
        "{log}"
    );
}
