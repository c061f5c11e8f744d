//! What it costs to choose Freight among ten thousand.

use domain::availability::{self, FreightIndex as _};
use jiff::Timestamp;
use resources::{
    CurrentStage, Freight, FreightOrigin, FreightRequest, FreightSources, Stage, VerifiedStage,
};

use super::*;

const COUNT: usize = 10_000;

fn at(seconds: usize) -> Timestamp {
    Timestamp::from_second(i64::try_from(seconds).expect("a small number")).expect("a small number")
}

/// Freight of which every thousandth piece was verified in uat.
fn filled() -> FreightIndex {
    let index = FreightIndex::new();
    for number in 0..COUNT {
        let mut freight = Freight {
            origin: FreightOrigin::warehouse("main"),
            alias: format!("alias-{number}"),
            ..Freight::default()
        };
        freight.metadata.name = Some(format!("f{number:05}"));
        freight.metadata.namespace = Some("acme".to_owned());
        freight.metadata.resource_version = Some((number + 1).to_string());
        freight.discovered_at = Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(at(
            number,
        )));
        if number % 1_000 == 0 {
            let status = freight.status.get_or_insert_default();
            status
                .verified_in
                .insert("uat".to_owned(), VerifiedStage::default());
            status
                .currently_in
                .insert("uat".to_owned(), CurrentStage::default());
        }
        index.0.observe(freight);
    }
    index
}

fn stage() -> Stage {
    let mut stage = Stage::default();
    stage.metadata.name = Some("prod".to_owned());
    stage.metadata.namespace = Some("acme".to_owned());
    stage
}

#[track_caller]
fn check(index: &FreightIndex, sources: FreightSources, chosen: &str, most_read: u64) {
    let request = FreightRequest {
        origin: FreightOrigin::warehouse("main"),
        sources,
    };
    let before = index.0.entries_read();
    let choice = availability::choose(index, &stage(), &request, at(2 * COUNT));
    assert_eq!(choice.freight.as_ref().map(|it| it.name()), Some(chosen));
    let read = index.0.entries_read() - before;
    assert!(read <= most_read, "{read} pieces of Freight were read");
}

#[test]
fn choosing_among_ten_thousand_reads_no_further_than_it_has_to() {
    let index = filled();
    let direct = FreightSources {
        direct: true,
        ..FreightSources::default()
    };
    check(&index, direct, "f09999", 1);
    let upstream = FreightSources {
        stages: vec!["uat".to_owned()],
        ..FreightSources::default()
    };
    check(&index, upstream, "f09000", 1);
}

#[test]
fn an_alias_among_ten_thousand_is_one_entry() {
    let index = filled();
    let before = index.0.entries_read();
    let mut found = Vec::new();
    index.walk("acme", Row::Alias("alias-42"), &mut |it| {
        found.push(it.name().to_owned());
        ControlFlow::Continue(())
    });
    assert_eq!(found, ["f00042"]);
    assert_eq!(index.0.entries_read() - before, 1);
}
