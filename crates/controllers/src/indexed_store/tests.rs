//! The store: what it finds, what that costs, and how it keeps up.

use std::sync::Mutex;

use resources::{CurrentStage, Freight, FreightOrigin, Promotion, VerifiedStage};

use super::*;

fn freight(number: usize, warehouse: &str) -> Freight {
    let mut freight = Freight {
        origin: FreightOrigin::warehouse(warehouse),
        ..Freight::default()
    };
    freight.metadata.name = Some(format!("f{number:05}"));
    freight.metadata.namespace = Some("acme".to_owned());
    freight.metadata.uid = Some(format!("uid-{number}"));
    freight.metadata.resource_version = Some((number + 1).to_string());
    let discovered = jiff::Timestamp::from_second(i64::try_from(number).expect("a small number"))
        .expect("a small number");
    freight.discovered_at = Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(
        discovered,
    ));
    freight
}

fn verified(mut freight: Freight, stage: &str) -> Freight {
    let status = freight.status.get_or_insert_default();
    status
        .verified_in
        .insert(stage.to_owned(), VerifiedStage::default());
    status
        .currently_in
        .insert(stage.to_owned(), CurrentStage::default());
    freight
}

fn at_revision(mut freight: Freight, revision: u64) -> Freight {
    freight.metadata.resource_version = Some(revision.to_string());
    freight
}

fn names(found: &[Arc<Freight>]) -> Vec<&str> {
    found.iter().map(|it| it.name()).collect()
}

#[test]
fn lookups_among_ten_thousand_touch_only_what_they_find() {
    let store = IndexedStore::new();
    for number in 0..10_000 {
        let it = freight(number, if number % 1_000 == 0 { "rare" } else { "main" });
        store.take_in(if number % 2_500 == 0 {
            verified(it, "uat")
        } else {
            it
        });
    }
    let cost = |look: &dyn Fn()| {
        let before = store.entries_read();
        look();
        store.entries_read() - before
    };
    assert_eq!(
        cost(&|| assert_eq!(store.find(By::Warehouse, "acme", "rare").len(), 10)),
        10
    );
    assert_eq!(
        cost(&|| assert_eq!(store.find(By::VerifiedIn, "acme", "uat").len(), 4)),
        4
    );
    assert_eq!(
        cost(&|| assert!(store.find(By::VerifiedIn, "acme", "prod").is_empty())),
        0
    );
    assert_eq!(
        cost(&|| assert!(store.find(By::Warehouse, "other", "main").is_empty())),
        0
    );
    let newest = || {
        store.walk_back(By::Warehouse, "acme", "main", |it| {
            ControlFlow::Break(it.name().to_owned())
        })
    };
    assert_eq!(cost(&|| assert_eq!(newest().as_deref(), Some("f09999"))), 1);
    assert_eq!(
        cost(&|| assert!(store.get(&Key::new("acme", "f05000")).is_some())),
        1
    );
}

#[test]
fn an_update_among_ten_thousand_moves_one_entry() {
    let store = IndexedStore::new();
    for number in 0..10_000 {
        store.take_in(freight(number, "main"));
    }
    let before = store.entries_read();
    store.take_in(at_revision(verified(freight(42, "main"), "uat"), 20_000));
    assert_eq!(store.entries_read(), before);
    assert_eq!(
        names(&store.find(By::VerifiedIn, "acme", "uat")),
        ["f00042"]
    );
    store.take_in(at_revision(freight(42, "main"), 20_001));
    assert!(store.find(By::VerifiedIn, "acme", "uat").is_empty());
    assert_eq!(store.find(By::Warehouse, "acme", "main").len(), 10_000);
}

#[test]
fn freight_is_found_oldest_first_whatever_its_name() {
    let store = IndexedStore::new();
    let mut renamed = freight(1, "main");
    renamed.metadata.name = Some("zzz".to_owned());
    for it in [freight(3, "main"), renamed, freight(2, "main")] {
        store.take_in(it);
    }
    assert_eq!(
        names(&store.find(By::Warehouse, "acme", "main")),
        ["zzz", "f00002", "f00003"]
    );
}

#[test]
fn listeners_see_the_store_as_it_is_after_the_change() {
    let store = Arc::new(IndexedStore::new());
    let log = Arc::new(Mutex::new(Vec::new()));
    let (seen, within) = (Arc::clone(&log), Arc::downgrade(&store));
    store.listen(move |key, change: Change<'_, Freight>| {
        let found = within
            .upgrade()
            .map_or(0, |it| it.find(By::Warehouse, "acme", "main").len());
        seen.lock().expect("nobody panicked").push((
            key.to_string(),
            change.before.is_some(),
            change.after.is_some(),
            found,
        ));
    });
    store.take_in(freight(1, "main"));
    store.take_in(at_revision(freight(1, "main"), 9));
    store.remove(&at_revision(freight(1, "main"), 10));
    let key = || "acme/f00001".to_owned();
    let expected = [
        (key(), false, true, 1),
        (key(), true, true, 1),
        (key(), true, false, 0),
    ];
    assert_eq!(*log.lock().expect("nobody panicked"), expected);
}

#[test]
fn a_loop_reads_its_own_writes_and_the_stream_never_goes_back() {
    let store = IndexedStore::new();
    store.take_in(freight(1, "main"));
    store.observe(at_revision(verified(freight(1, "main"), "uat"), 7));
    assert_eq!(store.find(By::VerifiedIn, "acme", "uat").len(), 1);
    store.take_in(at_revision(freight(1, "main"), 5));
    assert_eq!(
        store.find(By::VerifiedIn, "acme", "uat").len(),
        1,
        "an older event changes nothing"
    );
    store.take_in(at_revision(freight(1, "main"), 8));
    assert!(store.find(By::VerifiedIn, "acme", "uat").is_empty());
}

#[test]
fn an_answer_that_the_stream_overtook_is_not_taken_in() {
    let store = IndexedStore::new();
    let created = at_revision(freight(1, "main"), 5);
    store.take_in(created.clone());
    store.remove(&at_revision(freight(1, "main"), 6));
    store.observe(created);
    assert_eq!(store.len(), 0, "it was deleted meanwhile");
}

#[test]
fn what_a_new_listing_lacks_is_gone() {
    let store = IndexedStore::new();
    for number in 1..=3 {
        store.take_in(freight(number, "main"));
    }
    store.keep_only(&[Key::new("acme", "f00002")].into());
    assert_eq!(
        names(&store.find(By::Warehouse, "acme", "main")),
        ["f00002"]
    );
}

#[test]
fn what_no_loop_reads_is_not_remembered() {
    let store = IndexedStore::new();
    let mut promotion = Promotion::default();
    promotion.metadata.name = Some("p".to_owned());
    promotion.metadata.resource_version = Some("1".to_owned());
    promotion.metadata.managed_fields = Some(vec![
        k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry::default(),
    ]);
    promotion.spec.steps = vec![resources::PromotionStep::default()];
    store.take_in(promotion);
    let known = store.get(&Key::new("", "p")).expect("it was taken in");
    assert!(known.spec.steps.is_empty() && known.metadata.managed_fields.is_none());
}
