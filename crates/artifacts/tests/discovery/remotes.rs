//! What a person is told, and told to do next, when git cannot work with a repository.

use std::path::Path;

use artifacts::child::{Launcher, Trouble};
use artifacts::work_tree::{
    Blobs, Error, Identity, Origin, Repository, Revision, Target, WorkTree,
};
use artifacts::{child, work_tree};
use credentials::Login;
use testkit::servers::{Access, GitServer, PASSWORD, USER};

use crate::scripted::{Server, ok};
use crate::told;

fn login(password: &str) -> Login {
    Login::Basic {
        username: USER.to_owned(),
        password: password.to_owned().into(),
    }
}

async fn clone(
    launcher: &Launcher,
    work_dir: &Path,
    url: &str,
    login: Option<Login>,
) -> Result<Repository, Error> {
    let identity = Identity {
        name: "Argosy".to_owned(),
        email: "argosy@example.com".to_owned(),
        signing: None,
    };
    let origin = Origin {
        url: url.to_owned(),
        moved_to: None,
        insecure_skip_tls_verify: false,
        identity,
    };
    Repository::clone(launcher, work_dir, "0", origin, login, Blobs::All).await
}

fn trouble(error: &Error) -> Option<Trouble> {
    match error {
        work_tree::Error::Child(child::Error::Remote { trouble, .. }) => Some(*trouble),
        _ => None,
    }
}

/// Clones what cannot be cloned: the error names `shown` and nothing secret, and `next` is what to do.
#[track_caller]
fn check(error: &Error, expected: Trouble, shown: &str, next: &str) {
    let (text, hint) = (told(error), error.hint());
    assert_eq!(trouble(error), Some(expected), "{text}");
    assert!(text.contains(&format!("repository {shown:?}")), "{text}");
    assert!(!text.contains("hunter2"), "{text}");
    assert!(!text.contains('\n'), "{text}");
    assert!(hint.contains(next), "{hint}");
}

async fn refused(url: &str, login: Option<Login>) -> Error {
    let folder = tempfile::tempdir().expect("a folder");
    let cloned = clone(&Launcher::direct(), folder.path(), url, login).await;
    cloned.expect_err("it cannot be cloned")
}

#[tokio::test]
async fn a_host_whose_name_leads_nowhere_is_told() {
    let error = refused("https://me:hunter2@nowhere.invalid/app.git", None).await;
    let shown = "https://nowhere.invalid/app.git";
    let next = "DNS: git ls-remote https://nowhere.invalid/app.git";
    check(&error, Trouble::NameNotResolved, shown, next);
    let error = refused("ssh://git@nowhere.invalid/app.git", None).await;
    let shown = "ssh://git@nowhere.invalid/app.git";
    let next = "git ls-remote ssh://git@nowhere.invalid/app.git";
    check(&error, Trouble::NameNotResolved, shown, next);
}

#[tokio::test]
async fn a_port_that_nobody_listens_on_is_told() {
    for url in [
        "http://127.0.0.1:1/app.git",
        "https://127.0.0.1:1/app.git",
        "ssh://git@127.0.0.1:1/app.git",
    ] {
        let error = refused(url, None).await;
        check(&error, Trouble::HostUnreachable, url, "firewall");
    }
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_told() {
    let server = Server::start_tls(|_, _| ok("")).await;
    let url = format!("https://{}/app.git", server.host);
    let error = refused(&url, None).await;
    check(
        &error,
        Trouble::CertificateNotTrusted,
        &url,
        "--ca-file FILE",
    );
}

#[tokio::test]
async fn a_login_that_is_missing_or_refused_is_told() {
    let host = GitServer::start(Access::Password).expect("a Git host");
    host.create("app", &[("README", "hello")])
        .expect("a repository");
    let url = host.url("app");
    let error = refused(&url, None).await;
    let next =
        "kargo.akuity.io/cred-type=git in the project's namespace, holding username, password";
    check(&error, Trouble::LoginMissing, &url, next);
    let error = refused(&url, Some(login("hunter2"))).await;
    let next = format!("the Secret for {url} is current");
    check(&error, Trouble::LoginRefused, &url, &next);
}

#[tokio::test]
async fn a_repository_that_is_not_there_is_told() {
    let host = GitServer::start(Access::Open).expect("a Git host");
    let url = host.url("gone");
    let error = refused(&url, None).await;
    check(&error, Trouble::RepositoryNotFound, &url, "correct repoURL");
}

#[tokio::test]
async fn a_branch_that_is_not_there_is_told_without_the_login_of_the_url() {
    let host = GitServer::start(Access::Open).expect("a Git host");
    host.create("app", &[("README", "hello")])
        .expect("a repository");
    let folder = tempfile::tempdir().expect("a folder");
    let url = host.url("app").replace("://", "://me:hunter2@");
    let launcher = Launcher::direct();
    let repository = clone(&launcher, folder.path(), &url, None)
        .await
        .expect("a clone");
    let tree = folder.path().join("tree");
    let error = repository
        .check_out(&tree, Revision::Branch("gone"), &[])
        .await
        .expect_err("no such branch");
    assert_eq!(
        told(&error),
        format!("{:?} has no branch \"gone\"", host.url("app"))
    );
    assert!(
        error
            .hint()
            .ends_with(&format!("git ls-remote {}", host.url("app"))),
        "{}",
        error.hint()
    );
}

#[tokio::test]
async fn a_push_to_a_host_that_has_gone_is_told() {
    let host = GitServer::start(Access::Password).expect("a Git host");
    host.create("app", &[("README", "hello")])
        .expect("a repository");
    let folder = tempfile::tempdir().expect("a folder");
    let url = host.url("app");
    let launcher = Launcher::direct();
    let repository = clone(&launcher, folder.path(), &url, Some(login(PASSWORD)))
        .await
        .expect("a clone");
    let path = folder.path().join("tree");
    let tree = repository
        .check_out(&path, Revision::Branch("main"), &[])
        .await
        .expect("a work tree");
    let target = Target::Branch("main".to_owned());
    drop(tree);
    let stale = WorkTree::open(&launcher, folder.path(), &path, Some(login("hunter2")))
        .expect("the work tree");
    let error = stale.push(&target, false).await.expect_err("refused");
    check(&error, Trouble::LoginRefused, &url, "may read and push");
    drop(host);
    let error = stale.push(&target, false).await.expect_err("nobody there");
    check(&error, Trouble::HostUnreachable, &url, "git ls-remote");
}
