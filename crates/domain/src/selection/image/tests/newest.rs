//! The newest build where a list tells times, and what is remarked of it.

use super::*;

const SECOND: fn(i64) -> Timestamp = |second| {
    // Of an age with images: 2026.
    Timestamp::from_second(1_767_225_600 + second).expect("a time")
};

fn listed(tag: &str, built: Option<i64>, uploaded: i64) -> Listed {
    Listed {
        tag: tag.to_owned(),
        digest: Some(format!("sha256:{tag}")),
        built_at: built.map(SECOND),
        uploaded_at: Some(SECOND(uploaded)),
        media_type: None,
    }
}

fn rules(limit: i64, by: NewestBuildBy) -> ImageRules {
    let subscription = subscription(|it| {
        it.image_selection_strategy = ImageSelectionStrategy::NewestBuild;
        it.discovery_limit = limit;
    });
    let rules = ImageRules::parse(&subscription).expect("rules that can be followed");
    rules.with_newest_build_by(by)
}

/// Says that images say of themselves what is listed of them.
fn as_listed(page: &[Listed]) -> impl Fn(&str) -> Look + use<> {
    let times: BTreeMap<String, Option<Timestamp>> = page
        .iter()
        .map(|it| (it.tag.clone(), it.built_at))
        .collect();
    move |tag| {
        Look::Found(Image {
            created_at: times.get(tag).copied().flatten(),
            ..Image::default()
        })
    }
}

fn select(rules: &ImageRules, page: Vec<Listed>, look: impl Fn(&str) -> Look) -> (Selected, usize) {
    run_over(rules, &mut vec![(page, Rest::Nothing)].into_iter(), look)
}

#[test]
fn only_as_many_of_the_newest_are_looked_at_as_are_taken() {
    let page: Vec<Listed> = (0..1_000)
        .map(|it| listed(&format!("t{}", it * 7 % 1_000), Some(it * 7 % 1_000), 2_000))
        .collect();
    let look = as_listed(&page);
    let (selected, looks) = select(&rules(3, NewestBuildBy::Built), page, look);
    assert_eq!(
        (tags_of(&selected), looks),
        (vec!["t999", "t998", "t997"], 3)
    );
    assert_eq!(selected.remarks, []);
    assert_eq!(selected.taken[0].uploaded_at, Some(SECOND(2_000)));
}

#[test]
fn those_that_do_not_fit_are_made_up_for_by_the_next() {
    let page: Vec<Listed> = (0..100)
        .map(|it| listed(&it.to_string(), Some(it), it))
        .collect();
    let looks_fine = as_listed(&page);
    let look = |tag: &str| match tag {
        "99" | "97" => Look::Gone,
        "98" => Look::Unusable("it is a chart".to_owned()),
        tag => looks_fine(tag),
    };
    let (selected, looks) = select(&rules(3, NewestBuildBy::Built), page.clone(), look);
    assert_eq!((tags_of(&selected), looks), (vec!["96", "95", "94"], 6));

    let mut for_arm = subscription(|it| {
        it.image_selection_strategy = ImageSelectionStrategy::NewestBuild;
        it.platform = "linux/arm64".to_owned();
        it.discovery_limit = 2;
    });
    for_arm.discovery_limit = 2;
    let rules = ImageRules::parse(&for_arm).expect("rules");
    let (selected, looks) = select(&rules, page, |tag| {
        let is_arm = tag.ends_with('0');
        let platform = if is_arm { "linux/arm64" } else { "linux/amd64" };
        Look::Found(Image {
            platforms: vec![PlatformImage {
                platform: platform.parse().expect("a platform"),
                ..PlatformImage::default()
            }],
            created_at: Some(SECOND(tag.parse().expect("a number"))),
            ..Image::default()
        })
    });
    assert_eq!((tags_of(&selected), looks), (vec!["90", "80"], 20));
}

#[test]
fn a_list_with_the_newest_first_is_left_when_nothing_newer_can_come() {
    // Uploads go down by one; builds lie ten seconds before.
    let page = |from: i64| {
        let rows =
            (0..10).map(|it| listed(&(from - it).to_string(), Some(from - it - 10), from - it));
        (
            rows.collect::<Vec<_>>(),
            Rest::UploadedUntil(SECOND(from - 9)),
        )
    };
    let all = [page(1_000), page(990), page(980), page(970)];
    let look = |tag: &str| {
        let uploaded: i64 = tag.parse().expect("a number");
        Look::Found(Image {
            created_at: Some(SECOND(uploaded - 10)),
            ..Image::default()
        })
    };
    let mut pages = all.clone().into_iter();
    let (selected, looks) = run_over(&rules(3, NewestBuildBy::Built), &mut pages, look);
    assert_eq!((tags_of(&selected), looks), (vec!["1000", "999", "998"], 3));
    // The third was built at 988; the second page ends at 981, before which nothing newer was uploaded.
    assert_eq!(pages.count(), 2);

    let mut pages = all.clone().into_iter();
    run_over(&rules(3, NewestBuildBy::Uploaded), &mut pages, look);
    assert_eq!(
        pages.count(),
        3,
        "uploads are in the very order of the list"
    );

    // An old upload that was built last does not hide behind the order of uploads: it cannot be.
    let mut odd = all.clone();
    odd[3].0[0].built_at = Some(SECOND(5_000));
    let (selected, _) = run_over(&rules(3, NewestBuildBy::Built), &mut odd.into_iter(), look);
    assert_eq!(tags_of(&selected), ["1000", "999", "998"]);
}

#[test]
fn times_that_cannot_be_give_way_to_the_time_of_upload() {
    let mut page = vec![
        listed("missing", None, 50),
        listed("future", Some(500), 40),
        listed("fine", Some(20), 30),
        listed("old", Some(5), 60),
    ];
    let epoch = Listed {
        built_at: Some(Timestamp::UNIX_EPOCH),
        ..listed("epoch", None, 55)
    };
    page.push(epoch);
    let look = as_listed(&page);
    let (selected, looks) = select(&rules(4, NewestBuildBy::Built), page.clone(), look);
    assert_eq!(tags_of(&selected), ["epoch", "missing", "future", "fine"]);
    assert_eq!(looks, 4);
    assert_eq!(
        selected.taken[0].created_at,
        Some(Timestamp::UNIX_EPOCH),
        "as the image says"
    );
    assert_eq!(
        selected.remarks,
        [Remark::UploadTimeUsed { count: 3, of: 4 }]
    );

    let look = as_listed(&page);
    let (selected, _) = select(&rules(2, NewestBuildBy::Uploaded), page, look);
    assert_eq!(tags_of(&selected), ["old", "epoch"]);
    assert_eq!(selected.remarks, [], "it was asked for");
}

#[test]
fn builds_of_one_time_are_told_apart_by_their_upload() {
    let page = vec![
        listed("a", Some(10), 30),
        listed("b", Some(10), 20),
        listed("c", Some(10), 40),
        listed("d", Some(5), 50),
    ];
    let look = as_listed(&page);
    let (selected, _) = select(&rules(4, NewestBuildBy::Built), page, look);
    assert_eq!(tags_of(&selected), ["c", "a", "b", "d"]);
    let remark = Remark::BuildTimesEqual {
        count: 3,
        time: SECOND(10),
    };
    assert!(remark.to_string().contains("uploaded last"), "{remark}");
    assert_eq!(selected.remarks, [remark]);
}

#[test]
fn another_order_by_what_images_say_is_remarked() {
    let page: Vec<Listed> = (0..10)
        .map(|it| listed(&it.to_string(), Some(it * 10), it * 10 + 5))
        .collect();
    // Annotations say that 9 is older than the list has it, older even than 7, which is not looked at.
    let look = |tag: &str| {
        let second = if tag == "9" { 65 } else { 80 };
        Look::Found(Image {
            created_at: Some(SECOND(second)),
            ..Image::default()
        })
    };
    let (selected, looks) = select(&rules(2, NewestBuildBy::Built), page.clone(), look);
    assert_eq!((tags_of(&selected), looks), (vec!["8", "9"], 2));
    assert_eq!(
        selected.remarks,
        [Remark::PrecedenceMayDiffer {
            tag: "9".to_owned(),
            unseen: "7".to_owned()
        }]
    );
    // Where every image is looked at there is nothing to say, and so where none is off by as much.
    let (selected, _) = select(&rules(10, NewestBuildBy::Built), page.clone(), look);
    assert_eq!(
        selected
            .remarks
            .iter()
            .filter(|it| it.reason() == "PrecedenceMayDiffer")
            .count(),
        0
    );
    let (selected, _) = select(&rules(2, NewestBuildBy::Built), page, |tag| {
        let second = tag.parse::<i64>().expect("a number") * 10;
        Look::Found(Image {
            created_at: Some(SECOND(second - 3)),
            ..Image::default()
        })
    });
    assert_eq!(selected.remarks, []);
}

#[test]
fn a_list_without_times_of_upload_says_so_to_who_wants_them() {
    let subscription = subscription(|it| {
        it.image_selection_strategy = ImageSelectionStrategy::NewestBuild;
    });
    let rules = ImageRules::parse(&subscription).expect("rules");
    let rules = rules.with_newest_build_by(NewestBuildBy::Uploaded);
    let page = vec![Listed {
        tag: "a".to_owned(),
        ..Listed::default()
    }];
    let (selected, _) = select(&rules, page, image);
    assert_eq!(selected.remarks, [Remark::UploadTimeUnknown]);
}

#[test]
fn a_tag_on_two_pages_is_looked_at_once() {
    // The list was built newest first, and meanwhile the tag moved.
    let pages = vec![
        (
            vec![listed("a", Some(90), 100), listed("b", Some(80), 85)],
            Rest::UploadedUntil(SECOND(85)),
        ),
        (
            vec![listed("a", Some(70), 75), listed("c", Some(60), 65)],
            Rest::Nothing,
        ),
    ];
    let rules = rules(3, NewestBuildBy::Built);
    let (selected, looks) = run_over(&rules, &mut pages.into_iter(), image);
    assert_eq!(looks, 3);
    assert_eq!(selected.taken.len(), 3);
}

#[test]
fn the_annotation_is_one_of_two_words() {
    assert_eq!("built".parse(), Ok(NewestBuildBy::Built));
    assert_eq!("uploaded".parse(), Ok(NewestBuildBy::Uploaded));
    let error = "Uploaded"
        .parse::<NewestBuildBy>()
        .expect_err("no word of ours");
    assert_eq!(
        error.to_string(),
        r#"annotation argosy.dev/newest-build-by is "Uploaded", and has to be built or uploaded"#
    );
}
