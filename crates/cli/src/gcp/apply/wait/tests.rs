//! Which refusals are worth waiting for.

use std::collections::BTreeMap;

use gcp::facts::{Home, Intent, Mint, ProjectFacts, ServiceName, UseFacts};
use gcp::principal::{ProjectId, ProjectNumber};
use gcp::repository::ImageAddress;
use serde_json::json;

use super::*;

const ADDRESS: &str = "europe-west1-docker.pkg.dev/acme-prod/apps/web";
/// Longer than an account has room for.
const LONG: &str = "a-name-of-17-chars";
const REGISTRY: &str = "artifactregistry.googleapis.com";

fn web() -> ImageAddress {
    ImageAddress::parse(ADDRESS).expect("an address")
}

fn apps() -> RepositoryName {
    web().repository
}

fn acme() -> ProjectId {
    ProjectId::parse("acme-prod").expect("an id")
}

/// What was seen before the plan was made, for Projects that all use one repository.
fn before(projects: &[&str]) -> Facts {
    let projects = projects.iter();
    let home = Home {
        project: acme(),
        number: ProjectNumber::parse("123456789012").expect("a number"),
    };
    Facts {
        intent: Intent {
            projects: projects
                .map(|name| ((*name).to_owned(), vec![ADDRESS.to_owned()]))
                .collect(),
            ..Intent::default()
        },
        home: Reading::known_from("--gcp-project", home),
        ..Facts::default()
    }
}

fn refused<T>(reason: &str, metadata: &serde_json::Value) -> Reading<T> {
    let details = json!([{"reason": reason, "metadata": metadata}]);
    let error =
        json!({"code": 403, "message": "no", "status": "PERMISSION_DENIED", "details": details});
    Reading::of_refusal("GET tags/list", 403, &json!({"error": error}).to_string())
}

fn off<T>() -> Reading<T> {
    refused("SERVICE_DISABLED", &json!({"service": REGISTRY}))
}

/// What a try comes to.
fn tried(before: &Facts, plan: &Plan, mint: Reading<Mint>, pull: Reading<()>) -> Standing {
    let used = UseFacts {
        pull,
        ..UseFacts::default()
    };
    let seen = ProjectFacts {
        mint,
        uses: [(web(), used)].into(),
        ..ProjectFacts::default()
    };
    let names = before.intent.projects.keys().cloned();
    let now = Facts {
        projects: names
            .map(|it| (it, seen.clone()))
            .collect::<BTreeMap<_, _>>(),
        ..Facts::default()
    };
    Planned {
        facts: before,
        plan,
    }
    .standing(&now)
}

fn token() -> Reading<Mint> {
    Reading::known_from("POST generateAccessToken", Mint { seconds: 300 })
}

/// What a try of one Project comes to that has a token.
fn pulled(pull: Reading<()>) -> Standing {
    tried(&before(&["web"]), &Plan::default(), token(), pull)
}

fn works() -> Reading<()> {
    Reading::known_from("GET tags/list", ())
}

#[test]
fn an_image_that_was_not_pushed_yet_proves_the_grant() {
    let empty = vec![apps()];
    assert_eq!(
        pulled(Reading::absent("GET tags/list")),
        Standing::Counts { empty }
    );
    assert_eq!(pulled(works()), Standing::Counts { empty: Vec::new() });
}

#[test]
fn what_the_plan_cannot_bring_about_is_not_tried() {
    let plan = Plan::default();
    let absent = || Reading::absent("POST generateAccessToken");
    let nothing = tried(&before(&[LONG]), &plan, absent(), works());
    assert_eq!(nothing, Standing::Nothing);
    let mut without_repository = before(&["web"]);
    without_repository
        .repositories
        .entry(apps())
        .or_default()
        .policy = Reading::absent("GET repository:getIamPolicy");
    let denied = refused("IAM_PERMISSION_DENIED", &json!({}));
    let standing = tried(&without_repository, &plan, token(), denied);
    assert_eq!(standing, Standing::Counts { empty: Vec::new() });
}

#[test]
fn what_waiting_does_not_change_is_said_at_once() {
    for reading in [
        off(),
        refused("SECURITY_POLICY_VIOLATED", &json!({"uid": "uid-1"})),
        Reading::of_refusal(
            "GET tags/list",
            403,
            r#"{"error": {"code": 403, "message": "Org Policy violated"}}"#,
        ),
    ] {
        let standing = pulled(reading);
        assert!(matches!(standing, Standing::Never(_)), "{standing:?}");
    }
    let standing = tried(&before(&["web"]), &Plan::default(), off(), works());
    assert!(matches!(standing, Standing::Never(_)), "{standing:?}");
}

#[test]
fn what_was_granted_or_switched_on_just_now_is_waited_for() {
    for reading in [
        refused("IAM_PERMISSION_DENIED", &json!({})),
        Reading::unreachable("GET tags/list", "HTTP 503"),
    ] {
        let standing = pulled(reading);
        assert!(matches!(standing, Standing::NotYet(_)), "{standing:?}");
    }
    let enabling = Plan {
        actions: vec![Action::EnableServices {
            project: acme(),
            services: vec![REGISTRY.to_owned()],
        }],
        ..Plan::default()
    };
    let standing = tried(&before(&["web"]), &enabling, token(), off());
    assert!(matches!(standing, Standing::NotYet(_)), "{standing:?}");
    let mut switched_on_before = before(&["web"]);
    let name = ServiceName {
        project: acme(),
        service: REGISTRY.to_owned(),
    };
    let on = Reading::known_from("GET services", true);
    switched_on_before.services.insert(name, on);
    let standing = tried(&switched_on_before, &Plan::default(), token(), off());
    assert!(matches!(standing, Standing::NotYet(_)), "{standing:?}");
}
