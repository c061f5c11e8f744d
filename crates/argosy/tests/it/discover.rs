//! `argosy discover`: dry runs against a real registry, a real Git host and a real repository of charts.

use std::process::{Command, Output};

use serde_json::Value;
use testkit::servers::{Access, ChartRepository, GitServer, Image, PASSWORD, Registry, USER};
use testkit::{Pushed, fill};

use crate::binary;

fn discover(arguments: &[&str]) -> Output {
    Command::new(binary())
        .arg("discover")
        .args(arguments)
        .env("ARGOSY_DISCOVER_PASSWORD", PASSWORD)
        .output()
        .expect("the binary was built")
}

fn printed(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Gives the report, and the values of one field of what was taken.
fn report(arguments: &[&str], field: &str) -> (Value, Vec<String>) {
    let output = discover(&[arguments, &["-o", "json"]].concat());
    assert!(output.status.success(), "{}", said(&output));
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let taken = report["taken"].as_array().expect("a list").iter();
    let values = taken.map(|it| it[field].as_str().unwrap_or_default().to_owned());
    let values = values.collect();
    (report, values)
}

#[tokio::test(flavor = "multi_thread")]
async fn images_are_shown_with_what_is_ruled_out_and_what_it_cost() {
    let registry = Registry::start(Access::Open).unwrap();
    let images = ["1.0.0", "1.1.0", "2.0.0", "latest"].map(|tag| Pushed {
        tag: tag.to_owned(),
        created: "2026-01-02T03:04:05Z".to_owned(),
        ..Pushed::default()
    });
    fill(&registry.host(), "acme/web", images.into())
        .await
        .unwrap();
    let repository = registry.repository("acme/web");
    let arguments = ["image", &repository, "--constraint", "^1"];
    let (report, tags) = report(&arguments, "tag");
    assert_eq!(tags, ["1.1.0", "1.0.0"]);
    assert_eq!(report["subscription"]["constraint"], "^1");
    let rules = report["ruledOut"].as_array().expect("a list");
    let rules: Vec<_> = rules.iter().map(|it| (&it["rule"], &it["count"])).collect();
    assert!(
        rules.contains(&(&"constraint does not allow it".into(), &1.into())),
        "{rules:?}"
    );
    // One probe for TLS, one page of tags, and two requests for each image.
    assert_eq!(report["cost"]["requests"], 6);

    let table = printed(&discover(&arguments));
    for expected in [
        "TAG",
        "DIGEST",
        "1.1.0",
        "sha256:",
        "2.0.0",
        "latest",
        "It cost 6 requests",
    ] {
        assert!(table.contains(expected), "{expected}: {table}");
    }
    assert!(
        !table.contains('\u{1b}'),
        "colours are for terminals: {table}"
    );

    let nothing = discover(&["image", &repository, "--constraint", "^9"]);
    assert_eq!(nothing.status.code(), Some(3));
    assert!(printed(&nothing).contains("Nothing fits."));
    let broken = discover(&["image", &repository, "--constraint", ">>1"]);
    assert_eq!(broken.status.code(), Some(1));
    assert!(
        said(&broken).contains("constraint") && said(&broken).contains("next: "),
        "{}",
        said(&broken)
    );
}

#[test]
fn a_login_is_taken_from_the_environment_and_never_shown() {
    let registry = Registry::start(Access::Password).unwrap();
    registry.push(&Image::new("acme/web", "1.0.0")).unwrap();
    let repository = registry.repository("acme/web");
    let (_, tags) = report(&["image", &repository, "--username", USER], "tag");
    assert_eq!(tags, ["1.0.0"]);
    let refused = discover(&["image", &repository, "--username", "somebody-else"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(said(&refused).contains("401"), "{}", said(&refused));
    assert!(!said(&refused).contains(PASSWORD));
}

#[test]
fn commits_and_tags_are_shown() {
    let host = GitServer::start(Access::Open).unwrap();
    host.create("deploy", &[("apps/web.yaml", "image: 1\n")])
        .unwrap();
    host.commit("deploy", &[("docs/x.md", "hello\n")], "Write it down")
        .unwrap();
    let url = host.url("deploy");
    let (report, subjects) = report(&["git", &url, "--include-path", "apps"], "subject");
    assert_eq!(subjects.len(), 1);
    assert_ne!(subjects[0], "Write it down");
    let ruled_out = report["ruledOut"].to_string();
    assert!(ruled_out.contains("\"count\":1"), "{ruled_out}");
    assert_eq!(report["cost"]["git"], 1);
    let none = discover(&["git", &url, "--strategy", "semver"]);
    assert_eq!(none.status.code(), Some(3), "{}", said(&none));
    let missing = discover(&["git", &url, "--branch", "gone"]);
    assert!(
        said(&missing).contains("git ls-remote"),
        "{}",
        said(&missing)
    );
}

#[test]
fn versions_of_charts_are_shown() {
    let repository = ChartRepository::start(Access::Open).unwrap();
    let index = "apiVersion: v1\nentries:\n  web:\n  - {name: web, version: 1.0.0}\n  - {name: web, version: 2.0.0}\n";
    repository.publish(index).unwrap();
    let url = repository.url();
    let (_, versions) = report(
        &["chart", &url, "--name", "web", "--constraint", "<2"],
        "version",
    );
    assert_eq!(versions, ["1.0.0"]);
    let absent = discover(&["chart", &url, "--name", "api"]);
    assert_eq!(absent.status.code(), Some(3));
    assert!(
        printed(&absent).contains("NoChartVersions: the index has no chart"),
        "{}",
        printed(&absent)
    );
}
