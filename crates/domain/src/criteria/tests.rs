//! Criteria over what was found, case by case.

use resources::{DiscoveredChart, DiscoveredCommits, DiscoveredImage};

use super::*;

fn found() -> DiscoveredArtifacts {
    let image = DiscoveredImageReference {
        tag: "v1.2.0".to_owned(),
        digest: "sha256:1".to_owned(),
        annotations: [("team".to_owned(), "web".to_owned())].into(),
        created_at: Some(Time(Timestamp::UNIX_EPOCH)),
    };
    let commit = DiscoveredCommit {
        id: "abc".to_owned(),
        tag: "v1.2.0".to_owned(),
        ..DiscoveredCommit::default()
    };
    DiscoveredArtifacts {
        git: vec![DiscoveredCommits {
            repo_url: "https://example.com/repo.git".to_owned(),
            commits: vec![commit],
            ..DiscoveredCommits::default()
        }],
        images: vec![DiscoveredImage {
            repo_url: "docker.io/library/nginx".to_owned(),
            references: vec![image],
            ..DiscoveredImage::default()
        }],
        charts: vec![DiscoveredChart {
            repo_url: "https://charts.example.com".to_owned(),
            name: "web".to_owned(),
            versions: vec!["2.0.0".to_owned()],
            ..DiscoveredChart::default()
        }],
        ..DiscoveredArtifacts::default()
    }
}

#[track_caller]
fn check(expression: &str, expected: Option<bool>) {
    let criteria = FreightCreationCriteria {
        expression: expression.to_owned(),
    };
    let answer = satisfied(Some(&criteria), &found(), Timestamp::UNIX_EPOCH);
    assert_eq!(
        answer.as_ref().ok().copied(),
        expected,
        "{expression}: {answer:?}"
    );
}

#[test]
fn without_criteria_everything_is_good() {
    assert!(
        satisfied(None, &found(), Timestamp::UNIX_EPOCH).expect("there is nothing to go wrong")
    );
    check("  ", Some(true));
}

#[test]
fn artifacts_are_compared_with_each_other() {
    check(
        "imageFrom('nginx').Tag == commitFrom('https://example.com/repo').Tag",
        Some(true),
    );
    check("imageFrom('nginx').Tag == 'v1.3.0'", Some(false));
    check(
        "chartFrom('https://charts.example.com', 'web').Version startsWith '2.'",
        Some(true),
    );
    check("imageFrom('nginx').Annotations.team == 'web'", Some(true));
    check("imageFrom('nginx').CreatedAt.Year() == 1970", Some(true));
}

#[test]
fn what_was_not_found_is_nil() {
    check("imageFrom('redis') == nil", Some(true));
    check("imageFrom('redis')?.Tag == nil", Some(true));
    check("imageFrom('redis').Tag == 'v1'", None);
    check("artifactFrom('other') == nil", Some(true));
}

#[test]
fn words_and_numbers_that_go_takes_for_booleans_are_taken() {
    check("'True'", Some(true));
    check("0", Some(false));
    check("'yes'", None);
    check("2", None);
}

#[test]
fn what_cannot_be_evaluated_is_an_error() {
    check("imageFrom(", None);
    check("unknownFrom('x')", None);
    check("imageFrom()", None);
}
