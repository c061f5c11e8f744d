//! Git hosts of all sorts: old ones, ones that have moved, over TLS and SSH, and some that are none.

use std::sync::Arc;

use artifacts::child::Launcher;
use artifacts::egress::Policy;
use artifacts::git::{self, Mirrors, Repositories};
use artifacts::{Cost, Limits};
use credentials::Login;
use jiff::Timestamp;
use resources::DiscoveredCommits;
use resources::subscription::CommitSelectionStrategy;
use secret::Secret;
use testkit::servers::{Access, SshServer};
use testkit::tools;

use super::{discover, host, repositories, subjects, subscription};
use crate::scripted::{Server, TlsFront, answer, ok};
use crate::{caller, check_told, told};

/// How errors name what a Git host is asked for first.
const REFS: &str = "for its branches and tags";

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

    for (location, why, next) in [
        (
            "https://169.254.169.254/x/info/refs",
            "metadata",
            "no setting opens this address",
        ),
        (
            "http://evil.test/x/info/refs",
            "plain http",
            "serve evil.test over https",
        ),
    ] {
        let front = Server::start(move |_, _| answer(302, &[("location", location)], "")).await;
        let subscription = subscription(format!("http://{}/old.git", front.host));
        let error = discover(&repositories(folder.path()), &subscription, None, None)
            .await
            .expect_err(location);
        assert!(told(&error).contains(why), "{}", told(&error));
        check_told(&error, &subscription.repo_url, REFS, next);
    }
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_taken_where_the_subscription_says_so() {
    let host = host(Access::Open);
    host.git("acme/deploy", &["tag", "v1.0.0", "main"])
        .expect("a tag");
    let front = TlsFront::start(host.port()).await;
    let folder = tempfile::tempdir().expect("a folder");
    let repositories = repositories(folder.path());
    let mut subscription = subscription(format!("https://{}/acme/deploy.git", front.host));
    for strategy in [
        CommitSelectionStrategy::NewestFromBranch,
        CommitSelectionStrategy::SemVer,
    ] {
        subscription.commit_selection_strategy = strategy;
        subscription.insecure_skip_tls_verify = false;
        let error = discover(&repositories, &subscription, None, None).await;
        let error = error.expect_err("nobody vouches");
        assert!(told(&error).contains("certificate"), "{}", told(&error));
        check_told(&error, &subscription.repo_url, REFS, "SSL_CERT_FILE");
        subscription.insecure_skip_tls_verify = true;
        let found = discover(&repositories, &subscription, None, None).await;
        assert_eq!(subjects(&found.expect("commits"))[0], "Web two");
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
    let closed = Repositories::new(
        Launcher::direct(),
        Arc::new(Policy::new()),
        Limits::default(),
        Mirrors::new(folder.path().to_owned(), Mirrors::DISK),
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

    let mut odd = subscription("https://github.com/acme/app".to_owned());
    odd.branch = "a..b".to_owned();
    let error = discover(&repositories, &odd, None, None)
        .await
        .expect_err("no branch");
    assert!(
        error.to_string().contains(r#""a..b" cannot be a branch"#),
        "{error}"
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
    let mirrors = Mirrors::new(folder.path().join("mirrors"), Mirrors::DISK);
    let repositories = Repositories::new(launcher, policy, Limits::default(), mirrors);
    let subscription = subscription(host.url("acme/deploy"));
    let login = |key: String| Login::SshKey(Secret::from(key));

    let key = login(host.private_key().expect("a key"));
    let found = discover(&repositories, &subscription, Some(&key), None).await;
    assert_eq!(subjects(&found.expect("commits")), ["Start"]);

    host.git("acme/deploy", &["tag", "-a", "-m", "One", "v1.0.0", "main"])
        .expect("a tag");
    host.git("acme/deploy", &["tag", "v1.1.0", "main"])
        .expect("a tag");
    let tagged = resources::GitSubscription {
        commit_selection_strategy: CommitSelectionStrategy::SemVer,
        include_paths: vec!["README.md".to_owned()],
        ..subscription.clone()
    };
    let cost = Cost::default();
    let caller = caller("acme", Some(&key), &cost);
    let found = git::discover(&repositories, caller, &tagged, None, Timestamp::UNIX_EPOCH).await;
    let found = found.expect("commits");
    let tags: Vec<&str> = found.commits.iter().map(|it| it.tag.as_str()).collect();
    assert_eq!(tags, ["v1.1.0", "v1.0.0"]);
    // One child asked, another fetched; asked again, one says that nothing changed.
    let spent = || {
        (
            cost.spent().git.values().sum::<u64>(),
            cost.spent().remembered,
        )
    };
    assert_eq!(spent(), (2, 0));
    let again = git::discover(
        &repositories,
        caller,
        &tagged,
        Some(&found),
        Timestamp::UNIX_EPOCH,
    );
    assert_eq!(again.await.expect("nothing new"), found);
    assert_eq!(spent(), (3, 1));

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
    let mirrors = Mirrors::new(folder.path().join("mirrors"), Mirrors::DISK);
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
    // Whatever git asks, ssh looks nothing up: it goes where the policy has seen that it may.
    for call in log.lines().filter(|it| it.contains("git-upload-pack")) {
        let is_held = call.contains("HostName=127.0.0.1") || call.contains("HostName=::1");
        let is_known = call.contains("HostKeyAlias=localhost ");
        assert!(is_held && is_known, "{call}");
    }
}
