//! Pages of tags.

use serde_json::{Value, json};

use super::*;
use crate::registry::generated::{Generate, Generated};

fn contents(images: &[(&str, u32)]) -> Contents {
    let images = images.iter().map(|(name, tags)| {
        let plan: Generate = serde_json::from_value(json!({"tags": tags})).unwrap();
        (
            (*name).to_owned(),
            Image::generated(Generated::new(name, plan)),
        )
    });
    Contents {
        images: images.collect(),
        ..Contents::default()
    }
}

fn list(contents: &Contents, image: &str, query: Value) -> Option<(Value, Option<String>)> {
    let paging: Paging = serde_json::from_value(query).unwrap();
    let listing = Listing::of(contents, image, &format!("acme/apps/{image}"), &paging)?;
    Some((json!(listing), listing.next))
}

#[test]
fn a_listing_has_the_members_of_the_standard_and_of_google() {
    let (listing, next) = list(&contents(&[("web", 1)]), "web", json!({})).unwrap();
    let digest = listing["manifest"]
        .as_object()
        .unwrap()
        .keys()
        .next()
        .unwrap()
        .clone();
    let expected = json!({
        "child": [],
        "manifest": {digest: {
            "imageSizeBytes": "1318",
            "layerId": "",
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "tag": ["1.1000.1000"],
            "timeCreatedMs": "1704067200000",
            "timeUploadedMs": "1704067230000",
        }},
        "name": "acme/apps/web",
        "tags": ["1.1000.1000"],
    });
    assert_eq!((listing, next), (expected, None));
}

#[test]
fn pages_follow_links_until_the_last() {
    let contents = contents(&[("web", 5)]);
    let (first, next) = list(&contents, "web", json!({"n": 2})).unwrap();
    assert_eq!(first["tags"], json!(["1.1000.1000", "1.1000.1001"]));
    assert_eq!(first["manifest"].as_object().unwrap().len(), 2);
    assert_eq!(
        next.unwrap(),
        "</v2/acme/apps/web/tags/list?n=2&last=1%2E1000%2E1001>; rel=\"next\""
    );
    let (last, next) = list(&contents, "web", json!({"n": 2, "last": "1.1000.1003"})).unwrap();
    assert_eq!((last["tags"].clone(), next), (json!(["1.1000.1004"]), None));
}

#[test]
fn a_page_holds_a_thousand_tags_and_at_most_ten_thousand() {
    let contents = contents(&[("web", 10_001)]);
    let count = |query| {
        list(&contents, "web", query).unwrap().0["tags"]
            .as_array()
            .unwrap()
            .len()
    };
    assert_eq!(count(json!({})), 1000);
    assert_eq!(count(json!({"n": 99_999})), 10_000);
}

#[test]
fn a_page_of_a_million_tags_does_not_make_the_others() {
    let contents = contents(&[("web", 1_000_000)]);
    let (page, next) = list(&contents, "web", json!({"n": 3, "last": "1.1500.1500"})).unwrap();
    assert_eq!(page["tags"][0], "1.1500.1501");
    assert!(next.is_some());
}

#[test]
fn images_below_an_image_are_its_children() {
    let contents = contents(&[
        ("web", 1),
        ("web/front", 1),
        ("web/front/deep", 1),
        ("webs", 1),
    ]);
    let child =
        |image| list(&contents, image, json!({})).map(|(listing, _)| listing["child"].clone());
    assert_eq!(child("web"), Some(json!(["front"])));
    assert_eq!(child(""), Some(json!(["web", "webs"])));
    assert_eq!(child("web/front"), Some(json!(["deep"])));
    assert_eq!(child("other"), None);
}
