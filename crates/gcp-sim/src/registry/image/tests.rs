//! Tags and manifests of one image, pushed and made on demand.

use std::collections::BTreeSet;

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};

use super::super::generated::{Generate, Generated};
use super::*;

const NOW: Timestamp = Timestamp::constant(1_800_000_000, 0);

fn with_made(tags: u32) -> Image {
    let plan: Generate = serde_json::from_value(serde_json::json!({"tags": tags})).unwrap();
    Image::generated(Generated::new("acme/apps/web", plan))
}

fn push(image: &mut Image, content: &str, tag: Option<&str>, now: Timestamp) -> Digest {
    let bytes = Bytes::from(format!(
        r#"{{"mediaType":"{IMAGE}","annotations":{{"content":"{content}"}}}}"#
    ));
    let digest = Digest::of(&bytes);
    let stored = Stored {
        manifest: Manifest::parse(&bytes, None).unwrap(),
        bytes,
        built: None,
        platform: None,
        uploaded: now,
        updated: now,
        tags: BTreeSet::new(),
    };
    image.push(digest, stored, tag);
    digest
}

fn tags(image: &Image) -> Vec<String> {
    image
        .tags_after("", usize::MAX)
        .tags
        .into_iter()
        .map(|(tag, _)| tag)
        .collect()
}

#[test]
fn a_tag_moves_to_what_was_pushed_last() {
    let mut image = Image::default();
    let old = push(&mut image, "old", Some("latest"), NOW);
    let later = NOW + SignedDuration::from_mins(1);
    let new = push(&mut image, "new", Some("latest"), later);
    assert_eq!(image.find_tag("latest"), Some(new));
    let version = image.find_version(old).unwrap();
    assert_eq!(
        (version.tags.len(), version.uploaded, version.updated),
        (0, NOW, later)
    );
    assert_eq!(image.find("latest").unwrap().digest, new);
    assert_eq!(image.find(&old.to_string()).unwrap().digest, old);
}

#[test]
fn pushing_again_keeps_the_time_of_the_first_upload() {
    let mut image = Image::default();
    let digest = push(&mut image, "same", Some("v1"), NOW);
    push(
        &mut image,
        "same",
        Some("v2"),
        NOW + SignedDuration::from_mins(1),
    );
    let version = image.find_version(digest).unwrap();
    assert_eq!(version.uploaded, NOW);
    assert_eq!(version.tags, ["v1", "v2"]);
}

#[test]
fn pushed_tags_stand_among_made_ones_in_the_order_of_names() {
    let mut image = with_made(3);
    push(&mut image, "between", Some("1.1000.1000-rc"), NOW);
    push(&mut image, "last", Some("latest"), NOW);
    assert_eq!(
        tags(&image),
        [
            "1.1000.1000",
            "1.1000.1000-rc",
            "1.1000.1001",
            "1.1000.1002",
            "latest"
        ]
    );
    let page = image.tags_after("1.1000.1000-rc", 2);
    assert!(page.more);
    assert_eq!(page.tags[1].0, "1.1000.1002");
    assert!(!image.tags_after("1.1000.1002", 1).more);
}

#[test]
fn a_made_tag_that_is_pushed_over_is_listed_once() {
    let mut image = with_made(3);
    let made = image.find_tag("1.1000.1001").unwrap();
    let pushed = push(&mut image, "other", Some("1.1000.1001"), NOW);
    assert_eq!(image.find_tag("1.1000.1001"), Some(pushed));
    assert_eq!(tags(&image).len(), 3);
    assert!(
        image.find_version(made).unwrap().tags.is_empty(),
        "its manifest is still there, without a tag"
    );
    assert_eq!(image.places().len(), 4);
}

#[test]
fn a_second_tag_for_a_made_image_joins_the_first() {
    let mut image = with_made(3);
    let made = image.find_tag("1.1000.1001").unwrap();
    assert!(image.move_tag("stable", made, NOW));
    assert_eq!(
        image.find_version(made).unwrap().tags,
        ["1.1000.1001", "stable"]
    );
    assert!(!image.move_tag("stable", Digest::of(b"other"), NOW));
}

#[test]
fn what_is_deleted_is_gone() {
    let mut image = with_made(1);
    let made = image.find_tag("1.1000.1000").unwrap();
    assert!(image.delete_tag("1.1000.1000", NOW));
    assert!(!image.delete_tag("1.1000.1000", NOW));
    assert!(!image.is_empty(), "the manifest outlives its tag");
    assert!(image.delete(made));
    assert!(image.is_empty());
    assert!(image.find(&made.to_string()).is_none());
}

#[test]
fn versions_are_in_the_order_of_their_uploads() {
    let mut image = with_made(2);
    let oldest = push(&mut image, "before", None, Timestamp::UNIX_EPOCH);
    let newest = push(&mut image, "after", None, NOW);
    let digests: Vec<Digest> = image
        .places()
        .into_iter()
        .filter_map(|(place, ..)| image.version(place))
        .map(|version| version.digest)
        .collect();
    assert_eq!((digests[0], digests[3]), (oldest, newest));
}

#[test]
fn manifests_without_tags_come_with_the_last_page() {
    let mut image = Image::default();
    let untagged = push(&mut image, "untagged", None, NOW);
    push(&mut image, "a", Some("a"), NOW);
    push(&mut image, "b", Some("b"), NOW);
    assert!(
        !image
            .versions_of(&image.tags_after("", 1))
            .contains_key(&untagged)
    );
    assert!(
        image
            .versions_of(&image.tags_after("a", 1))
            .contains_key(&untagged)
    );
}

#[test]
fn pages_in_the_order_of_a_time_have_what_was_pushed_and_what_is_made() {
    let mut image = with_made(5);
    let uploaded = |number: u32| image.generated.as_ref().unwrap().uploaded(number);
    let (between, last) = (uploaded(2) + SignedDuration::from_secs(1), uploaded(4));
    let pushed = push(&mut image, "between", None, between);
    // The tag of the second is moved after all others were uploaded, which changes two versions.
    let second = image.make(1).unwrap();
    let later = last + SignedDuration::from_hours(1);
    image.move_tag(&second.tag, pushed, later);
    let page =
        |by, is_newest_first, start, size| image.page_of_places(by, is_newest_first, start, size);
    let all = page(By::Upload, false, 0, 10);
    let expected = [
        Place::Made(0),
        Place::Stored(second.digest),
        Place::Made(2),
        Place::Stored(pushed),
        Place::Made(3),
        Place::Made(4),
    ];
    assert_eq!(all, (expected.to_vec(), false));
    let (newest, more) = page(By::Upload, true, 1, 3);
    assert_eq!(
        (newest, more),
        ([expected[4], expected[3], expected[2]].to_vec(), true)
    );
    let (changed, more) = page(By::Change, true, 0, 3);
    assert_eq!(
        (changed, more),
        ([expected[3], expected[1], expected[5]].to_vec(), true)
    );
}
