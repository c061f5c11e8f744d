//! Searches and analyses of a small world.

use http::{HeaderMap, header};
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::*;
use crate::clock::Clock;
use crate::faults::Effect;
use crate::principal::Principal;
use crate::service::Service;

const WORLD: &str = r#"
organizations:
- {number: "1", displayName: acme.example, bindings: [
    {role: roles/cloudasset.viewer, members: ["user:auditor@acme.example"]},
    {role: roles/browser, members: ["group:all@acme.example"]}]}
folders: [{number: "100", displayName: production, parent: organizations/1}]
groups: {all@acme.example: ["user:ann@acme.example"]}
projects:
- id: acme
  number: 7
  parent: folders/100
  services: [cloudasset.googleapis.com, pubsub.googleapis.com]
  labels: {env: prod}
  bindings:
  - {role: roles/viewer, members: ["user:viewer@acme.example"]}
  - {role: roles/cloudasset.viewer, members: ["user:narrow@acme.example"]}
  serviceAccounts:
  - name: kargo-project-web
    displayName: Web
    keys: [{id: abc, created: 2026-01-01T00:00:00Z}]
    bindings: [{role: roles/iam.workloadIdentityUser, members: ["user:ann@acme.example"]}]
  repositories:
  - name: apps
    location: europe
    bindings:
    - {role: roles/artifactregistry.reader, members: ["serviceAccount:kargo-project-web@acme.iam.gserviceaccount.com"]}
    - role: roles/artifactregistry.writer
      members: ["user:late@acme.example"]
      condition: {title: until noon, expression: 'request.time < timestamp("2026-03-01T12:00:00Z")'}
  topics: [{name: gcr}]
  clusters: [{name: main, location: europe-west1}]
- {id: other, number: 8, bindings: [{role: roles/viewer, members: ["user:ann@acme.example"]}]}
"#;

const ACCOUNT: &str = "//iam.googleapis.com/projects/acme/serviceAccounts/kargo-project-web@acme.iam.gserviceaccount.com";
const APPS: &str =
    "//artifactregistry.googleapis.com/projects/acme/locations/europe/repositories/apps";
const PROJECT: &str = "//cloudresourcemanager.googleapis.com/projects/7";

fn google() -> Google {
    let world = World::from_yaml("world.yaml", WORLD).unwrap();
    let clock = Clock::standing_at("2026-03-01T10:00:00Z".parse().unwrap());
    Google::new(world, clock, 1)
}

fn ask_as(google: &Google, who: &str, path: &str, query: &[(&str, &str)]) -> Answer {
    let principal = Principal::user(&format!("{who}@acme.example"));
    let scopes = vec![CLOUD_PLATFORM.to_owned()];
    let token = google.issue(principal, scopes, SignedDuration::from_hours(1), Vec::new());
    let mut headers = HeaderMap::new();
    headers.insert(
        header::AUTHORIZATION,
        format!("Bearer {token}").parse().unwrap(),
    );
    let query: String = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(query)
        .finish();
    let call = Call::new(
        Service::CloudAsset,
        Method::GET,
        path,
        Some(&query),
        headers,
        bytes::Bytes::new(),
    );
    answer(google, &call)
}

#[track_caller]
fn ask(google: &Google, path: &str, query: &[(&str, &str)]) -> Value {
    ask_as(google, "auditor", path, query).unwrap()
}

fn each(answer: &Value, member: &str) -> Vec<String> {
    let results = answer["results"].as_array().cloned().unwrap_or_default();
    let texts = results
        .iter()
        .map(|it| it[member].as_str().unwrap_or_default().to_owned());
    texts.collect()
}

const POLICIES: &str = "/v1/organizations/1:searchAllIamPolicies";

#[test]
fn a_principal_is_found_in_every_policy_below_the_scope() {
    let google = google();
    let query = [("query", "policy:\"kargo-project-\"")];
    let found = ask(&google, POLICIES, &query);
    let expected = json!({"results": [{
        "resource": APPS, "assetType": "artifactregistry.googleapis.com/Repository",
        "project": "projects/7", "folders": ["folders/100"], "organization": "organizations/1",
        "policy": {"bindings": [{
            "role": "roles/artifactregistry.reader",
            "members": ["serviceAccount:kargo-project-web@acme.iam.gserviceaccount.com"],
        }]},
    }]});
    assert_eq!(found, expected);
    let ann = ask(&google, POLICIES, &[("query", "policy:ann@acme.example")]);
    assert_eq!(
        each(&ann, "resource"),
        [ACCOUNT],
        "projects outside are not seen"
    );
}

#[test]
fn bindings_are_found_by_permission_type_and_resource() {
    let google = google();
    let permission = "artifactregistry.repositories.uploadArtifacts";
    let query = format!("policy.role.permissions:{permission}");
    let found = ask(&google, POLICIES, &[("query", &query)]);
    assert_eq!(each(&found, "resource"), [APPS]);
    let explained = &found["results"][0]["explanation"]["matchedPermissions"];
    assert_eq!(
        explained["roles/artifactregistry.writer"]["permissions"],
        json!([permission])
    );
    let groups = ask(&google, POLICIES, &[("query", "memberTypes:group")]);
    assert_eq!(
        each(&groups, "resource"),
        ["//cloudresourcemanager.googleapis.com/organizations/1"]
    );
    let kinds = [
        ("assetTypes", "cloudresourcemanager.*"),
        ("orderBy", "assetType DESC"),
    ];
    let kinds = ask(&google, POLICIES, &kinds);
    assert_eq!(
        each(&kinds, "assetType"),
        [
            "cloudresourcemanager.googleapis.com/Project",
            "cloudresourcemanager.googleapis.com/Organization"
        ]
    );
    let exact = "resource=//cloudresourcemanager.googleapis.com/projects/acme";
    let exact = ask(&google, POLICIES, &[("query", exact)]);
    assert_eq!(each(&exact, "resource"), [PROJECT]);
}

#[test]
fn resources_are_listed_with_their_places() {
    let google = google();
    let path = "/v1/folders/100:searchAllResources";
    let all = ask(&google, path, &[("pageSize", "500")]);
    let mut kinds = each(&all, "assetType");
    kinds.sort();
    let expected = [
        "artifactregistry.googleapis.com/Repository",
        "cloudresourcemanager.googleapis.com/Folder",
        "cloudresourcemanager.googleapis.com/Project",
        "container.googleapis.com/Cluster",
        "container.googleapis.com/NodePool",
        "iam.googleapis.com/ServiceAccount",
        "iam.googleapis.com/ServiceAccountKey",
        "pubsub.googleapis.com/Topic",
    ];
    assert_eq!(kinds, expected);
    let one = ask(&google, path, &[("query", "displayName:Web state:ENABLED")]);
    let found = &one["results"][0];
    assert_eq!(
        (&found["name"], &found["project"]),
        (&json!(ACCOUNT), &json!("projects/7"))
    );
    assert_eq!(found["parentFullResourceName"], PROJECT);
    let labelled = ask(&google, path, &[("query", "labels:prod")]);
    assert_eq!(each(&labelled, "name"), [PROJECT]);
    let first = ask(&google, path, &[("pageSize", "3")]);
    assert_eq!(
        (
            first["results"].as_array().map(Vec::len),
            &first["nextPageToken"]
        ),
        (Some(3), &json!("3"))
    );
}

#[test]
fn effective_policies_go_up_to_the_scope() {
    let google = google();
    let attached = |path: &str, name: &str| {
        let answer = ask(&google, path, &[("names", name)]);
        let policies = answer["policyResults"][0]["policies"].clone();
        let list = policies.as_array().cloned().unwrap_or_default();
        let names = list
            .iter()
            .map(|it| it["attachedResource"].as_str().unwrap().to_owned());
        names.collect::<Vec<_>>()
    };
    let organization = "//cloudresourcemanager.googleapis.com/organizations/1";
    let path = "/v1/organizations/1/effectiveIamPolicies:batchGet";
    assert_eq!(attached(path, APPS), [APPS, PROJECT, organization]);
    assert_eq!(
        attached("/v1/folders/100/effectiveIamPolicies:batchGet", ACCOUNT),
        [ACCOUNT, PROJECT]
    );
    assert!(attached(path, "//cloudresourcemanager.googleapis.com/projects/8").is_empty());
    let many: Vec<(&str, &str)> = (0..21).map(|_| ("names", APPS)).collect();
    let refused = ask_as(&google, "auditor", path, &many).expect_err("too many");
    assert_eq!(refused.status().as_u16(), 400);
}

const ANALYZE_POLICY: &str = "/v1/organizations/1:analyzeIamPolicy";
const IDENTITY: &str = "analysisQuery.identitySelector.identity";
const RESOURCE: &str = "analysisQuery.resourceSelector.fullResourceName";
const PERMISSIONS: &str = "analysisQuery.accessSelector.permissions";

#[test]
fn an_analysis_says_who_holds_what_and_through_which_binding() {
    let google = google();
    let query = [
        (RESOURCE, APPS),
        (
            PERMISSIONS,
            "artifactregistry.repositories.downloadArtifacts",
        ),
    ];
    let found = ask(&google, ANALYZE_POLICY, &query);
    assert_eq!(found["fullyExplored"], true);
    let results = found["mainAnalysis"]["analysisResults"].as_array().unwrap();
    let told: Vec<(&Value, &Value)> = results
        .iter()
        .map(|it| {
            (
                &it["attachedResourceFullName"],
                &it["identityList"]["identities"][0]["name"],
            )
        })
        .collect();
    let account = json!("serviceAccount:kargo-project-web@acme.iam.gserviceaccount.com");
    let expected = [
        (&json!(APPS), &account),
        (&json!(APPS), &json!("user:late@acme.example")),
        (&json!(PROJECT), &json!("user:viewer@acme.example")),
    ];
    assert_eq!(told, expected);
    let conditional = &results[1]["accessControlLists"][0]["conditionEvaluation"];
    assert_eq!(conditional["evaluationValue"], "CONDITIONAL");
    let time = (
        "analysisQuery.conditionContext.accessTime",
        "2026-03-01T13:00:00Z",
    );
    let later = ask(&google, ANALYZE_POLICY, &[query[0], query[1], time]);
    let judged = &later["mainAnalysis"]["analysisResults"][1]["accessControlLists"][0];
    assert_eq!(judged["conditionEvaluation"]["evaluationValue"], "FALSE");
}

#[test]
fn an_identity_is_found_directly_and_in_groups() {
    let google = google();
    let found = ask(
        &google,
        ANALYZE_POLICY,
        &[(IDENTITY, "user:ann@acme.example")],
    );
    let results = found["mainAnalysis"]["analysisResults"].as_array().unwrap();
    let roles: Vec<&Value> = results.iter().map(|it| &it["iamBinding"]["role"]).collect();
    assert_eq!(
        roles,
        [
            &json!("roles/browser"),
            &json!("roles/iam.workloadIdentityUser")
        ]
    );
    for (query, status) in [
        (vec![(IDENTITY, "user:*")], 400),
        (vec![], 400),
        (vec![(RESOURCE, "//nowhere/x")], 400),
        (
            vec![
                (IDENTITY, "user:ann@acme.example"),
                (
                    "analysisQuery.options.analyzeServiceAccountImpersonation",
                    "true",
                ),
            ],
            501,
        ),
    ] {
        let refused = ask_as(&google, "auditor", ANALYZE_POLICY, &query).expect_err("refused");
        assert_eq!(refused.status().as_u16(), status, "{query:?}");
    }
}

#[test]
fn whoever_may_not_search_is_told_nothing() {
    let google = google();
    let path = "/v1/projects/acme:searchAllIamPolicies";
    assert!(ask_as(&google, "narrow", path, &[]).is_ok());
    for (who, path) in [
        ("narrow", POLICIES),
        ("viewer2", path),
        ("auditor", "/v1/folders/9:searchAllIamPolicies"),
    ] {
        let refused = ask_as(&google, who, path, &[]).expect_err("refused");
        assert_eq!(
            refused.message(),
            "Request denied by Cloud IAM.",
            "{who} {path}"
        );
    }
    google
        .disable_api("acme", "cloudasset.googleapis.com")
        .unwrap();
    let off = ask_as(&google, "narrow", path, &[]).expect_err("the API is off");
    assert_eq!(
        off.envelope()["error"]["details"][0]["reason"],
        "SERVICE_DISABLED"
    );
}

#[test]
fn results_lag_behind_while_a_fault_says_so() {
    let google = google();
    let fault = google.inject(Effect::AssetStale { seconds: 60 }.everywhere());
    let project = ResourceName::project("acme");
    google
        .grant("roles/editor", "user:new@acme.example", &project)
        .unwrap();
    let found = |google: &Google| {
        !ask(google, POLICIES, &[("query", "policy:new@acme.example")])
            .as_object()
            .unwrap()
            .is_empty()
    };
    assert!(!found(&google), "policies changed a moment ago");
    google.clock().advance(SignedDuration::from_secs(59));
    assert!(!found(&google));
    google.clock().advance(SignedDuration::from_secs(1));
    assert!(found(&google), "a minute later it is known");
    google
        .revoke("roles/editor", "user:new@acme.example", &project)
        .unwrap();
    assert!(found(&google), "what is gone is still shown");
    google.mend(fault);
    assert!(!found(&google));
}
