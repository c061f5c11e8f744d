//! Servers that will not be reached a moment later either: how often they are asked before that is said.

use std::sync::Arc;
use std::time::Duration;

use artifacts::chart::{self, Repositories};
use artifacts::child::Launcher;
use artifacts::egress::Policy;
use artifacts::git::{self, Mirrors};
use artifacts::image;
use artifacts::registry::Registries;
use artifacts::{Cost, Limits};
use jiff::Timestamp;
use resources::{ChartSubscription, GitSubscription, ImageSubscription};

use crate::scripted::{Server, ok};
use crate::{ASKED, caller, told};

/// A host without an address, whoever is asked: the name is reserved for that.
const NOWHERE: &str = "nowhere.invalid";

fn policy() -> Arc<Policy> {
    Arc::new(Policy::new().with_loopback())
}

fn limits() -> Limits {
    Limits {
        pauses: (Duration::from_millis(1), Duration::from_millis(5)),
        ..Limits::default()
    }
}

/// Fails to find an image; gives what is said and how many requests there were.
async fn image(repo_url: String) -> (String, u64) {
    let subscription = ImageSubscription {
        repo_url,
        ..ImageSubscription::default()
    };
    let (cost, registries) = (Cost::default(), Registries::new(policy(), limits()));
    let asking = caller("acme", None, &cost);
    let found = image::discover(&registries, asking, &subscription, ASKED).await;
    (told(&found.expect_err("no image")), cost.spent().total())
}

/// The same for a chart.
async fn chart(repo_url: String) -> (String, u64) {
    let name = if repo_url.starts_with("oci:") {
        ""
    } else {
        "web"
    };
    let subscription = ChartSubscription {
        repo_url,
        name: name.to_owned(),
        ..ChartSubscription::default()
    };
    let repositories = Repositories::new(policy(), limits());
    let (cost, registries) = (Cost::default(), Registries::new(policy(), limits()));
    let asking = caller("acme", None, &cost);
    let found = chart::discover(&repositories, &registries, asking, &subscription).await;
    (told(&found.expect_err("no chart")), cost.spent().total())
}

/// The same for a commit.
async fn commit(repo_url: String) -> (String, u64) {
    let subscription = GitSubscription {
        repo_url,
        ..GitSubscription::default()
    };
    let folder = tempfile::tempdir().expect("a folder");
    let mirrors = Mirrors::new(folder.path().to_owned(), Mirrors::DISK);
    let repositories = git::Repositories::new(Launcher::direct(), policy(), limits(), mirrors);
    let cost = Cost::default();
    let asking = caller("acme", None, &cost);
    let now = Timestamp::UNIX_EPOCH;
    let found = git::discover(&repositories, asking, &subscription, None, now).await;
    (told(&found.expect_err("no commit")), cost.spent().total())
}

#[track_caller]
fn check((said, requests): (String, u64), why: &str, expected: u64) {
    assert!(said.contains(why), "{said}");
    assert_eq!(requests, expected, "{said}");
}

#[tokio::test]
async fn a_certificate_that_does_not_do_is_looked_at_once() {
    let server = Server::start_tls(|_, _| ok("")).await;
    let host = &server.host;
    // What a registry on this machine speaks is found out by a request of its own.
    check(image(format!("{host}/web")).await, "ertificate", 2);
    check(chart(format!("oci://{host}/web")).await, "ertificate", 2);
    check(chart(format!("https://{host}")).await, "ertificate", 1);
    check(
        commit(format!("https://{host}/app.git")).await,
        "ertificate",
        1,
    );
}

#[tokio::test]
async fn a_name_that_is_not_found_is_looked_up_twice() {
    let why = "failed to look up \"nowhere.invalid\"";
    check(image(format!("{NOWHERE}/web")).await, why, 2);
    check(chart(format!("oci://{NOWHERE}/web")).await, why, 2);
    check(chart(format!("https://{NOWHERE}")).await, why, 2);
    // Where git is to go is looked up before anything is asked.
    check(commit(format!("https://{NOWHERE}/app.git")).await, why, 0);
    check(commit(format!("git@{NOWHERE}:app.git")).await, why, 0);
}
