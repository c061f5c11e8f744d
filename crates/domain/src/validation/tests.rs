//! Each rule by an example.

use resources::{
    ClusterConfig, Freight, ProjectConfig, Promotion, PromotionRequest, PromotionTask, Stage,
    Warehouse,
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use jiff::Timestamp;

use super::*;
use crate::CacheByTagPolicy;

fn read<T: DeserializeOwned>(object: Value) -> T {
    serde_json::from_value(object).expect("the object has the right shape")
}

#[track_caller]
fn check(causes: &[Cause], expected: &[(&str, &str)]) {
    let written: Vec<_> = causes
        .iter()
        .map(|it| (it.field.as_str(), it.message.as_str()))
        .collect();
    assert_eq!(written.len(), expected.len(), "{written:#?}");
    for ((field, message), (expected_field, part)) in written.iter().zip(expected) {
        assert_eq!(field, expected_field, "{message}");
        assert!(
            message.contains(part),
            "{field}: {message:?} lacks {part:?}"
        );
    }
}

fn subscriptions(subscriptions: &Value) -> Vec<Cause> {
    let object: Warehouse =
        read(json!({ "metadata": { "name": "web" }, "spec": { "subscriptions": subscriptions } }));
    warehouse(&object, CacheByTagPolicy::default())
}

#[test]
fn a_sound_warehouse_has_no_fault() {
    let sound = json!([
        { "git": { "repoURL": "https://github.com/acme/web.git", "branch": "release/1.x" }, "name": "source" },
        { "git": { "repoURL": "git@github.com:acme/api.git", "commitSelectionStrategy": "SemVer", "semverConstraint": "^1.0" } },
        { "image": { "repoURL": "ghcr.io/acme/web", "constraint": ">=1.0.0 <2", "platform": "linux/arm64/v8" } },
        { "image": { "repoURL": "nginx", "imageSelectionStrategy": "Digest", "constraint": "latest", "discoveryLimit": 0 } },
        { "chart": { "repoURL": "oci://ghcr.io/acme/chart" } },
        { "chart": { "repoURL": "https://charts.example.com", "name": "web" } },
        { "chart": { "repoURL": "https://charts.example.com", "name": "api", "semverConstraint": null } },
    ]);
    check(&subscriptions(&sound), &[]);
}

#[test]
fn the_operator_may_require_that_tags_are_cached() {
    let object: Warehouse = read(
        json!({ "metadata": { "name": "web" }, "spec": { "subscriptions": [
        { "image": { "repoURL": "ghcr.io/acme/web", "cacheByTag": true } },
        { "image": { "repoURL": "ghcr.io/acme/api" } },
        { "image": { "repoURL": "nginx", "imageSelectionStrategy": "Digest", "constraint": "latest" } },
    ] } }),
    );
    let expected = [(
        "spec.subscriptions[1].image.cacheByTag",
        "the operator requires it; set cacheByTag: true",
    )];
    check(&warehouse(&object, CacheByTagPolicy::Require), &expected);
    check(&warehouse(&object, CacheByTagPolicy::Force), &[]);
}

#[test]
fn every_fault_of_a_warehouse_is_told_at_once() {
    let faulty = json!([
        { "git": { "repoURL": "not a url", "branch": "-x", "semverConstraint": "nope", "discoveryLimit": 101 } },
        { "image": { "repoURL": "https://ghcr.io/acme/web", "imageSelectionStrategy": "Digest", "platform": "linux" } },
        { "chart": { "repoURL": "oci://ghcr.io/acme/chart", "name": "web" } },
        { "chart": { "repoURL": "https://charts.example.com" }, "name": "Not_A_Label" },
        { "pypi": { "config": {} }, "name": "x" },
        { "git": {}, "image": {} },
        "text",
        { "image": { "repoURL": "nginx", "imageSelectionStrategy": "Best" } },
        { "git": { "repoURL": "" } },
    ]);
    let expected = [
        (
            "spec.subscriptions[0].git.repoURL",
            "valid Git repository URL",
        ),
        ("spec.subscriptions[0].git.branch", "valid branch name"),
        ("spec.subscriptions[0].git.semverConstraint", "nope"),
        (
            "spec.subscriptions[0].git.discoveryLimit",
            "between 1 and 100",
        ),
        (
            "spec.subscriptions[1].image.repoURL",
            "valid image repository URL",
        ),
        ("spec.subscriptions[1].image.constraint", "tag to follow"),
        ("spec.subscriptions[1].image.platform", "<os>/<arch>"),
        ("spec.subscriptions[2].chart.name", "must be empty"),
        ("spec.subscriptions[3].chart.name", "must be non-empty"),
        ("spec.subscriptions[3].name", "lower-case letters"),
        ("spec.subscriptions[4].pypi", "no such kind"),
        ("spec.subscriptions[5]", "exactly one field"),
        ("spec.subscriptions[6]", "must be an object"),
        ("spec.subscriptions[7]", "unknown variant"),
        ("spec.subscriptions[8].git.repoURL", "Required value"),
    ];
    check(&subscriptions(&faulty), &expected);
}

#[test]
fn a_repository_is_subscribed_to_once() {
    let twice = json!([
        { "git": { "repoURL": "https://github.com/acme/web" }, "name": "a" },
        { "git": { "repoURL": "https://GitHub.com/acme/web.git" }, "name": "a" },
        { "image": { "repoURL": "nginx" } },
        { "image": { "repoURL": "docker.io/library/nginx" } },
    ]);
    let expected = [
        (
            "spec.subscriptions[1].git",
            "already a subscription for it at spec.subscriptions[0]",
        ),
        (
            "spec.subscriptions[1].name",
            "already used at spec.subscriptions[0].name",
        ),
        (
            "spec.subscriptions[3].image",
            "already a subscription for it at spec.subscriptions[2]",
        ),
    ];
    check(&subscriptions(&twice), &expected);
}

#[test]
fn a_stage_asks_once_for_each_origin_and_names_its_steps_apart() {
    let faulty: Stage = read(json!({ "spec": {
        "requestedFreight": [
            { "origin": { "kind": "Warehouse", "name": "web" }, "sources": { "direct": true, "autoPromotionOptions": { "selectionPolicy": "MatchUpstream" } } },
            { "origin": { "kind": "Warehouse", "name": "web" }, "sources": { "stages": ["test"] } },
        ],
        "promotionTemplate": { "spec": { "steps": [
            { "uses": "git-clone", "as": "clone" },
            { "uses": "copy", "as": "clone" },
            { "uses": "copy", "as": "step-12" },
            { "uses": "copy", "as": "step-x" },
            { "task": { "name": "build" }, "as": "task-1", "if": "${{ true }}", "config": {} },
        ] } },
    } }));
    let steps = "spec.promotionTemplate.spec.steps";
    let expected = [
        (
            "spec.requestedFreight[0].sources.autoPromotionOptions.selectionPolicy",
            "straight from its origin",
        ),
        (
            "spec.requestedFreight[0].sources.autoPromotionOptions.selectionPolicy",
            "exactly one upstream",
        ),
        (
            "spec.requestedFreight[1].origin",
            "already requested at spec.requestedFreight[0]",
        ),
        (
            &format!("{steps}[1].as"),
            "duplicates that of spec.promotionTemplate.spec.steps[0]",
        ),
        (&format!("{steps}[2].as"), "reserved"),
        (&format!("{steps}[4].as"), "reserved"),
        (&format!("{steps}[4].if"), "Forbidden"),
        (&format!("{steps}[4].config"), "Forbidden"),
    ];
    check(&stage(&faulty), &expected);
    let known = |kind: &str| kind == "git-clone";
    let unknown = unknown_steps(steps, faulty.steps(), known);
    assert_eq!(unknown.first(), Some(&(format!("{steps}[1].uses"), "copy")));
    assert_eq!(unknown.len(), 3);
}

#[test]
fn a_task_names_its_steps_apart() {
    let faulty: PromotionTask =
        read(json!({ "spec": { "steps": [{ "uses": "copy", "as": "task-3" }] } }));
    check(&task(&faulty.spec), &[("spec.steps[0].as", "reserved")]);
}

fn web() -> Warehouse {
    read(
        json!({ "metadata": { "name": "web" }, "spec": { "subscriptions": [
        { "git": { "repoURL": "https://github.com/acme/web" } },
        { "image": { "repoURL": "ghcr.io/acme/web" } },
        { "chart": { "repoURL": "https://charts.example.com", "name": "web" } },
    ] } }),
    )
}

fn freight() -> Value {
    json!({
        "origin": { "kind": "Warehouse", "name": "web" },
        "commits": [{ "repoURL": "https://github.com/acme/web.git", "id": "1" }],
        "images": [{ "repoURL": "ghcr.io/acme/web", "tag": "1" }],
        "charts": [{ "repoURL": "https://charts.example.com", "name": "web", "version": "1" }],
    })
}

#[test]
fn freight_holds_what_its_warehouse_subscribes_to() {
    check(&freight_contents(&read(freight()), Some(&web())), &[]);
    let mut wrong = freight();
    wrong["images"] = json!([{ "repoURL": "ghcr.io/acme/api" }]);
    wrong["commits"] = json!([freight()["commits"][0], freight()["commits"][0]]);
    wrong["charts"] = json!([]);
    let expected = [
        ("images[0]", "no subscription for it"),
        ("charts", "there are none"),
        ("commits", "there are several"),
        ("images", "there are none"),
    ];
    check(&freight_contents(&read(wrong), Some(&web())), &expected);
    let empty: Freight = read(json!({ "origin": { "kind": "Warehouse", "name": "web" } }));
    let expected = [("", "at least one"), ("origin.name", "does not exist")];
    check(&freight_contents(&empty, None), &expected);
}

#[test]
fn freight_never_changes() {
    let old: Freight = read(freight());
    let mut new = old.clone();
    new.alias = "other".to_owned();
    check(&freight_change(&old, &new), &[]);
    new.commits[0].id = "2".to_owned();
    new.origin.name = "api".to_owned();
    let expected = [("origin", "immutable"), ("commits", "immutable")];
    check(&freight_change(&old, &new), &expected);
}

#[test]
fn a_promotion_takes_freight_that_is_available() {
    let stage: Stage = read(
        json!({ "metadata": { "name": "uat", "namespace": "demo" }, "spec": { "requestedFreight": [
        { "origin": { "kind": "Warehouse", "name": "web" }, "sources": { "stages": ["test"] } },
    ] } }),
    );
    let promotion_of = |freight: &str| -> Promotion {
        read(
            json!({ "metadata": { "namespace": "demo" }, "spec": { "stage": "uat", "freight": freight, "steps": [] } }),
        )
    };
    let mut found = freight();
    found["metadata"] = json!({ "name": "f1", "namespace": "demo" });
    let found: Freight = read(found);
    let causes = |promotion_: &Promotion, stage: &Stage, freight: Option<&Freight>| {
        promotion(&PromotionFacts {
            promotion: promotion_,
            stage,
            freight,
            now: Timestamp::UNIX_EPOCH,
        })
    };
    check(
        &causes(&promotion_of("f1"), &stage, Some(&found)),
        &[(
            "spec.freight",
            "kubectl -n demo patch freight f1 --subresource=status --type=merge -p '{\"status\":{\"approvedFor\":{\"uat\":{}}}}'",
        )],
    );
    check(
        &causes(&promotion_of("f2"), &stage, None),
        &[("spec.freight", "no such Freight")],
    );
    check(
        &causes(&promotion_of(""), &stage, None),
        &[("spec", "exactly one")],
    );
    let mut verified = found.clone();
    verified.status = Some(read(json!({ "verifiedIn": { "test": {} } })));
    check(&causes(&promotion_of("f1"), &stage, Some(&verified)), &[]);
    let mut with_target = promotion_of("f1");
    with_target.spec.target = "eu".to_owned();
    let mut aware = stage.clone();
    aware.spec.targets = Some(read(json!({ "selectors": [] })));
    let expected = [
        ("spec.target", "only a PromotionRequest"),
        ("spec.stage", "create a PromotionRequest"),
    ];
    check(&causes(&with_target, &aware, Some(&verified)), &expected);
    let owner = json!([{ "apiVersion": "kargo.akuity.io/v1alpha1", "kind": "PromotionRequest", "name": "r", "uid": "u", "controller": true }]);
    with_target.metadata.owner_references = Some(read(owner));
    check(&causes(&with_target, &aware, Some(&verified)), &[]);
    let mut changed = with_target.clone();
    changed.spec.freight = "f2".to_owned();
    check(
        &promotion_change(&with_target, &changed),
        &[("spec", "immutable")],
    );
}

#[test]
fn a_promotion_request_names_targets_that_exist() {
    let request: PromotionRequest = read(json!({ "spec": {
        "stage": "prod", "freight": "f", "targets": [{ "name": "eu" }, { "name": "eu" }, { "name": "us" }],
    } }));
    let targets = ["eu".to_owned()].into();
    let expected = [
        ("spec.stage", "no such Stage"),
        ("spec.targets[1].name", "Duplicate value"),
        ("spec.targets[2].name", "no such Target"),
    ];
    check(&promotion_request(&request, None, &targets), &expected);
}

#[test]
fn policies_are_for_different_stages_and_receivers_of_one_kind() {
    let faulty: ProjectConfig = read(json!({
        "metadata": { "name": "other", "namespace": "demo" },
        "spec": {
            "promotionPolicies": [
                { "stage": "test" },
                { "stageSelector": { "name": "test" } },
                { "stageSelector": { "name": "test", "matchLabels": { "a": "b" } } },
                { "stageSelector": { "name": "regex:(" } },
                { "stageSelector": { "name": "like:x" } },
                { "stageSelector": {} },
            ],
            "webhookReceivers": [
                { "name": "a", "harbor": { "secretRef": { "name": "s" } }, "github": { "secretRef": { "name": "s" } } },
                { "name": "a" },
                { "name": "b", "generic": { "secretRef": { "name": "s" }, "actions": [
                    { "action": "Refresh", "targetSelectionCriteria": [{ "kind": "Warehouse" }] },
                ] } },
            ],
        },
    }));
    let expected = [
        ("metadata.name", "must be that of the project"),
        (
            "spec.promotionPolicies[1].stageSelector.name",
            "already a policy",
        ),
        (
            "spec.promotionPolicies[3].stageSelector.name",
            "failed to read the pattern",
        ),
        (
            "spec.promotionPolicies[4].stageSelector.name",
            "unknown pattern prefix",
        ),
        (
            "spec.webhookReceivers[0]",
            "one kind, not of 2: github, harbor",
        ),
        ("spec.webhookReceivers[1].name", "already a receiver"),
        ("spec.webhookReceivers[1]", "says who calls"),
        (
            "spec.webhookReceivers[2].generic.actions[0].targetSelectionCriteria[0]",
            "at least one",
        ),
    ];
    check(&project_config(&faulty), &expected);
    let cluster: ClusterConfig = read(json!({ "metadata": { "name": "other" }, "spec": {} }));
    check(
        &cluster_config(&cluster),
        &[("metadata.name", "must be \"cluster\"")],
    );
}
