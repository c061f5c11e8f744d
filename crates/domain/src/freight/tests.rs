//! Freight from artifacts, and what Freight says about Stages.

use resources::{
    DiscoveredChart, DiscoveredCommit, DiscoveredCommits, DiscoveredImage, DiscoveredImageReference,
};

use super::*;

fn warehouse() -> Warehouse {
    let mut warehouse = Warehouse::default();
    warehouse.metadata.name = Some("main".to_owned());
    warehouse.metadata.namespace = Some("acme".to_owned());
    warehouse
}

fn image(tags: &[&str]) -> DiscoveredImage {
    let reference = |tag: &&str| DiscoveredImageReference {
        tag: (*tag).to_owned(),
        digest: "sha256:1".to_owned(),
        ..DiscoveredImageReference::default()
    };
    DiscoveredImage {
        repo_url: "example.com/web".to_owned(),
        references: tags.iter().map(reference).collect(),
        ..DiscoveredImage::default()
    }
}

#[test]
fn the_first_of_every_subscription_is_taken() {
    let found = DiscoveredArtifacts {
        git: vec![DiscoveredCommits {
            repo_url: "https://example.com/repo".to_owned(),
            commits: vec![DiscoveredCommit {
                id: "abc".to_owned(),
                subject: "say hello".to_owned(),
                ..DiscoveredCommit::default()
            }],
            ..DiscoveredCommits::default()
        }],
        images: vec![image(&["1.1.0", "1.0.0"])],
        charts: vec![DiscoveredChart {
            name: "web".to_owned(),
            versions: vec!["2.0.0".to_owned()],
            ..DiscoveredChart::default()
        }],
        ..DiscoveredArtifacts::default()
    };
    let freight = build(&warehouse(), &found).expect("nothing lacks");
    assert_eq!(
        (
            freight.images[0].tag.as_str(),
            freight.commits[0].message.as_str()
        ),
        ("1.1.0", "say hello")
    );
    assert_eq!(freight.charts[0].version, "2.0.0");
    assert_eq!(freight.origin, FreightOrigin::warehouse("main"));
    assert_eq!(
        freight.name(),
        freight.generate_name(),
        "the name counts in the origin"
    );
    assert_eq!(freight.namespace(), "acme");
}

#[test]
fn what_lacks_is_named() {
    let with = |images| DiscoveredArtifacts {
        images,
        ..DiscoveredArtifacts::default()
    };
    assert_eq!(build(&warehouse(), &with(vec![])), Err(Lack::Artifacts));
    assert_eq!(
        build(&warehouse(), &with(vec![image(&["1"]), image(&[])])),
        Err(Lack::Images)
    );
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).expect("a small number of seconds")
}

fn entered(seconds: i64) -> FreightChange {
    FreightChange::Entered {
        freight: String::new(),
        at: at(seconds),
    }
}

fn left(seconds: i64) -> FreightChange {
    FreightChange::Left {
        freight: String::new(),
        at: at(seconds),
    }
}

fn verified(seconds: i64) -> FreightChange {
    FreightChange::Verified {
        freight: String::new(),
        at: at(seconds),
    }
}

#[track_caller]
fn check(
    changes: &[FreightChange],
    since: Option<i64>,
    verified_at: Option<i64>,
    longest_seconds: Option<i64>,
) {
    let status = changes.iter().fold(FreightStatus::default(), |it, change| {
        changed(it, "test", change)
    });
    assert_eq!(
        status.currently_in.get("test").map(|it| it.since.clone()),
        since.map(|it| Some(Time(at(it))))
    );
    let verified = status.verified_in.get("test");
    assert_eq!(
        verified.map(|it| it.verified_at.clone()),
        verified_at.map(|it| Some(Time(at(it))))
    );
    let longest = verified
        .and_then(|it| it.longest_completed_soak)
        .map(|it| it.as_nanos() / 1_000_000_000);
    assert_eq!(longest, longest_seconds);
}

#[test]
fn what_is_said_already_stays() {
    check(
        &[entered(1), entered(5), verified(6), verified(9)],
        Some(1),
        Some(6),
        None,
    );
}

#[test]
fn the_longest_stay_of_verified_freight_is_kept() {
    check(
        &[entered(1), verified(2), left(11)],
        None,
        Some(2),
        Some(10),
    );
    check(
        &[entered(1), verified(2), left(11), entered(20), left(25)],
        None,
        Some(2),
        Some(10),
    );
    check(
        &[entered(1), verified(2), left(11), entered(20), left(50)],
        None,
        Some(2),
        Some(30),
    );
    check(&[entered(1), left(11)], None, None, None);
}

#[test]
fn a_stage_that_goes_is_forgotten_altogether() {
    let status = [entered(1), verified(2)]
        .iter()
        .fold(FreightStatus::default(), |it, change| {
            changed(it, "test", change)
        });
    assert_eq!(forgotten(status, "test"), FreightStatus::default());
}
