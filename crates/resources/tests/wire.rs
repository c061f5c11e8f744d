//! What the kinds look like as JSON.

use kube_core::Resource;
use resources::subscription::{
    CommitSelectionStrategy, ImageSelectionStrategy, Source, Subscription,
};
use resources::{
    ChartSubscription, GitSubscription, ImageSubscription, Project, PromotionPhase,
    RawSubscription, Stage, Warehouse,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

fn check<T: Serialize + DeserializeOwned>(object: &Value) {
    let parsed: T = T::deserialize(object).expect("the object parses");
    assert_eq!(
        serde_json::to_value(&parsed).expect("the object is written"),
        *object
    );
}

#[test]
fn a_stage_is_written_as_it_was_read() {
    check::<Stage>(&json!({
        "apiVersion": "kargo.akuity.io/v1alpha1",
        "kind": "Stage",
        "metadata": { "name": "test", "namespace": "demo" },
        "spec": {
            "requestedFreight": [{
                "origin": { "kind": "Warehouse", "name": "web" },
                "sources": { "stages": ["dev"], "requiredSoakTime": "1h30m0s", "availabilityStrategy": "All" },
            }],
            "promotionTemplate": { "spec": { "steps": [
                { "uses": "git-clone", "as": "clone", "if": "${{ true }}", "config": { "checkout": [1, null] } },
                { "task": { "name": "promote" }, "vars": [{ "name": "image", "value": "x" }] },
            ] } },
        },
        "status": { "currentPromotion": { "name": "p", "status": { "phase": "Running" } }, "health": { "status": "Strange" } },
    }));
}

#[test]
fn an_object_without_status_has_none() {
    check::<Project>(
        &json!({ "apiVersion": "kargo.akuity.io/v1alpha1", "kind": "Project", "metadata": { "name": "demo" } }),
    );
}

#[test]
fn a_warehouse_keeps_subscriptions_as_they_were_written() {
    check::<Warehouse>(&json!({
        "apiVersion": "kargo.akuity.io/v1alpha1",
        "kind": "Warehouse",
        "metadata": { "name": "web" },
        "spec": {
            "interval": "5m0s",
            "freightCreationPolicy": "Manual",
            "subscriptions": [{ "image": { "repoURL": "nginx", "unknown": [null, 1] } }, { "pypi": { "config": {} }, "name": "x" }],
        },
    }));
}

#[test]
fn short_and_endless_lengths_of_time_pass_the_schema() {
    let sources: resources::FreightSources =
        serde_json::from_value(json!({ "requiredSoakTime": "0.25s" })).expect("it parses");
    let written = serde_json::to_value(sources).expect("it is written");
    assert_eq!(written, json!({ "requiredSoakTime": "0.25s" }));
    let spec: resources::WarehouseSpec =
        serde_json::from_value(json!({ "interval": "99999999999h" })).expect("it parses");
    assert_eq!(spec.interval.as_nanos(), i64::MAX);
    assert!(
        serde_json::from_value::<resources::WarehouseSpec>(json!({ "interval": "soon" })).is_err()
    );
}

#[test]
fn an_empty_phase_is_none() {
    let status: resources::PromotionStatus =
        serde_json::from_value(json!({ "phase": "" })).expect("it parses");
    assert_eq!(status.phase, None);
    let phase = PromotionPhase::deserialize(json!("Succeeded")).expect("it parses");
    assert!(phase.is_terminal());
}

#[test]
fn objects_know_where_they_live() {
    assert_eq!(
        Stage::url_path(&(), Some("demo")),
        "/apis/kargo.akuity.io/v1alpha1/namespaces/demo/stages"
    );
}

/// Reads a subscription of this kind.
fn subscription(kind: &str, fields: &Value) -> Source {
    let raw = RawSubscription(json!({"name": "front", kind: fields}));
    let Subscription { name, source } = raw.parse().expect("a subscription");
    assert_eq!(name, "front");
    source
}

/// Taken apart without `..`, so that a field that is added has to be read here, too.
#[test]
fn every_field_of_an_image_subscription_is_read_by_its_name() {
    let read = subscription(
        "image",
        &json!({
            "repoURL": "ghcr.io/acme/web", "imageSelectionStrategy": "NewestBuild", "strictSemvers": false,
            "constraint": "^1", "allowTagsRegexes": ["a"], "ignoreTagsRegexes": ["b"], "allowTags": "c",
            "ignoreTags": ["d"], "platform": "linux/arm64", "insecureSkipTLSVerify": true, "discoveryLimit": 3,
            "cacheByTag": true,
        }),
    );
    let Source::Image(ImageSubscription {
        repo_url,
        image_selection_strategy,
        strict_semvers,
        constraint,
        allow_tags_regexes,
        ignore_tags_regexes,
        allow_tags,
        ignore_tags,
        platform,
        insecure_skip_tls_verify,
        discovery_limit,
        cache_by_tag,
    }) = read
    else {
        panic!("{read:?}");
    };
    assert_eq!((&*repo_url, &*constraint), ("ghcr.io/acme/web", "^1"));
    assert_eq!(
        image_selection_strategy,
        ImageSelectionStrategy::NewestBuild
    );
    assert_eq!(
        (allow_tags_regexes, ignore_tags_regexes),
        (vec!["a".to_owned()], vec!["b".to_owned()])
    );
    assert_eq!((&*allow_tags, ignore_tags), ("c", vec!["d".to_owned()]));
    assert_eq!((&*platform, discovery_limit), ("linux/arm64", 3));
    assert!(!strict_semvers && insecure_skip_tls_verify && cache_by_tag);
}

#[test]
fn every_field_of_a_git_subscription_is_read_by_its_name() {
    let read = subscription(
        "git",
        &json!({
            "repoURL": "https://git.example.com/acme.git", "commitSelectionStrategy": "NewestTag", "branch": "main",
            "strictSemvers": false, "semverConstraint": "^1", "allowTagsRegexes": ["a"], "ignoreTagsRegexes": ["b"],
            "allowTags": "c", "ignoreTags": ["d"], "expressionFilter": "true", "insecureSkipTLSVerify": true,
            "blobless": true, "includePaths": ["e"], "excludePaths": ["f"], "discoveryLimit": 3,
            "since": "2026-01-01T00:00:00Z",
        }),
    );
    let Source::Git(GitSubscription {
        repo_url,
        commit_selection_strategy,
        branch,
        strict_semvers,
        semver_constraint,
        allow_tags_regexes,
        ignore_tags_regexes,
        allow_tags,
        ignore_tags,
        expression_filter,
        insecure_skip_tls_verify,
        blobless,
        include_paths,
        exclude_paths,
        discovery_limit,
        since,
    }) = read
    else {
        panic!("{read:?}");
    };
    assert_eq!(
        (&*repo_url, &*branch),
        ("https://git.example.com/acme.git", "main")
    );
    assert_eq!(
        commit_selection_strategy,
        CommitSelectionStrategy::NewestTag
    );
    assert_eq!((&*semver_constraint, &*expression_filter), ("^1", "true"));
    assert_eq!(
        (allow_tags_regexes, ignore_tags_regexes),
        (vec!["a".to_owned()], vec!["b".to_owned()])
    );
    assert_eq!((&*allow_tags, ignore_tags), ("c", vec!["d".to_owned()]));
    assert_eq!(
        (include_paths, exclude_paths),
        (vec!["e".to_owned()], vec!["f".to_owned()])
    );
    assert_eq!((discovery_limit, &*since), (3, "2026-01-01T00:00:00Z"));
    assert!(!strict_semvers && insecure_skip_tls_verify && blobless);
}

#[test]
fn every_field_of_a_chart_subscription_is_read_by_its_name() {
    let read = subscription(
        "chart",
        &json!({
            "repoURL": "https://charts.example.com", "name": "web", "semverConstraint": "^1",
            "insecureSkipTLSVerify": true, "discoveryLimit": 3,
        }),
    );
    let Source::Chart(ChartSubscription {
        repo_url,
        name,
        semver_constraint,
        insecure_skip_tls_verify,
        discovery_limit,
    }) = read
    else {
        panic!("{read:?}");
    };
    assert_eq!(
        (&*repo_url, &*name, &*semver_constraint),
        ("https://charts.example.com", "web", "^1")
    );
    assert!(insecure_skip_tls_verify && discovery_limit == 3);
}
