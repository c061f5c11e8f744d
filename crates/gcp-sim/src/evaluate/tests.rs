//! Who may do what in a small world.

use super::*;

const WORLD: &str = r#"
organizations: [{number: "1", displayName: acme.example}]
folders: [{number: "100", parent: organizations/1, bindings: [{role: roles/browser, members: ["user:folder@acme.example"]}]}]
projects:
- id: acme
  number: 7
  parent: folders/100
  roles: [{id: minter, includedPermissions: [iam.serviceAccounts.getAccessToken]}]
  deny:
  - deniedPrincipals: ["principalSet://goog/public:all"]
    exceptionPrincipals: ["principal://iam.googleapis.com/projects/-/serviceAccounts/safe-one@acme.iam.gserviceaccount.com"]
    deniedPermissions: [iam.googleapis.com/serviceAccountKeys.create]
  bindings:
  - {role: roles/iam.serviceAccountKeyAdmin, members: ["user:keys@acme.example", "serviceAccount:safe-one@acme.iam.gserviceaccount.com"]}
  - {role: roles/artifactregistry.reader, members: ["user:wide@acme.example"]}
  serviceAccounts:
  - name: kargo-project-web
    bindings:
    - {role: projects/acme/roles/minter, members: ["user:minter@acme.example"]}
  repositories:
  - name: apps
    location: europe
    bindings:
    - {role: roles/artifactregistry.reader, members: ["user:narrow@acme.example"]}
    - role: roles/artifactregistry.writer
      members: ["user:late@acme.example"]
      condition: {title: until noon, expression: 'request.time < timestamp("2026-03-01T12:00:00Z")'}
"#;

const DOWNLOAD: &str = "artifactregistry.repositories.downloadArtifacts";

fn now() -> Timestamp {
    "2026-03-01T10:00:00Z".parse().unwrap()
}

fn world() -> World {
    World::from_yaml("world.yaml", WORLD).unwrap()
}

fn ask(
    world: &World,
    who: &str,
    permission: &str,
    resource: &ResourceName,
    now: Timestamp,
) -> bool {
    let principal = Principal::parse_member(who).expect("a member that one can be");
    allows(
        world,
        &principal,
        permission,
        resource,
        now,
        Propagation::default(),
    )
}

#[track_caller]
fn check(who: &str, permission: &str, resource: &ResourceName, allowed: bool) {
    assert_eq!(
        ask(&world(), who, permission, resource, now()),
        allowed,
        "{who} {permission}"
    );
}

#[test]
fn a_binding_counts_on_its_resource_and_below() {
    let apps = ResourceName::repository("acme", "europe", "apps");
    let other = ResourceName::repository("acme", "europe", "other");
    check("user:narrow@acme.example", DOWNLOAD, &apps, true);
    check("user:narrow@acme.example", DOWNLOAD, &other, false);
    check("user:wide@acme.example", DOWNLOAD, &apps, true);
    check("user:wide@acme.example", DOWNLOAD, &other, true);
    check(
        "user:folder@acme.example",
        "resourcemanager.projects.get",
        &ResourceName::project("acme"),
        true,
    );
}

#[test]
fn a_custom_role_grants_what_it_contains() {
    let account =
        ResourceName::service_account("acme", "kargo-project-web@acme.iam.gserviceaccount.com");
    check(
        "user:minter@acme.example",
        "iam.serviceAccounts.getAccessToken",
        &account,
        true,
    );
    check(
        "user:minter@acme.example",
        "iam.serviceAccounts.signJwt",
        &account,
        false,
    );
}

#[test]
fn a_deny_rule_beats_a_binding_save_for_its_exceptions() {
    let account =
        ResourceName::service_account("acme", "kargo-project-web@acme.iam.gserviceaccount.com");
    check(
        "user:keys@acme.example",
        "iam.serviceAccountKeys.create",
        &account,
        false,
    );
    check(
        "user:keys@acme.example",
        "iam.serviceAccountKeys.list",
        &account,
        true,
    );
    let safe = "serviceAccount:safe-one@acme.iam.gserviceaccount.com";
    check(safe, "iam.serviceAccountKeys.create", &account, true);
}

#[test]
fn a_condition_ends_a_grant_by_itself() {
    let world = world();
    let apps = ResourceName::repository("acme", "europe", "apps");
    let late = "user:late@acme.example";
    assert!(ask(&world, late, DOWNLOAD, &apps, now()));
    assert!(!ask(
        &world,
        late,
        DOWNLOAD,
        &apps,
        now() + SignedDuration::from_hours(2)
    ));
}

#[test]
fn grants_and_revocations_count_late_when_told_so() {
    let mut world = world();
    let apps = ResourceName::repository("acme", "europe", "apps");
    let propagation = Propagation {
        grant: SignedDuration::from_secs(70),
        revoke: SignedDuration::from_secs(90),
        ..Propagation::default()
    };
    let role = "roles/artifactregistry.reader";
    let policy = world.policy_mut(&apps).unwrap();
    policy.grant(role, "user:new@acme.example", now());
    let new = Principal::user("new@acme.example");
    let at = |world: &World, seconds| {
        allows(
            world,
            &new,
            DOWNLOAD,
            &apps,
            now() + SignedDuration::from_secs(seconds),
            propagation,
        )
    };
    assert!(!at(&world, 69));
    assert!(at(&world, 70));
    let policy = world.policy_mut(&apps).unwrap();
    policy.revoke(role, "user:new@acme.example", now());
    assert!(at(&world, 89));
    assert!(!at(&world, 90));
}

#[test]
fn a_change_that_has_not_spread_is_not_hurried_by_the_next() {
    let mut world = world();
    let apps = ResourceName::repository("acme", "europe", "apps");
    let propagation = Propagation {
        grant: SignedDuration::from_secs(70),
        revoke: SignedDuration::from_secs(90),
        ..Propagation::default()
    };
    let after = |seconds| now() + SignedDuration::from_secs(seconds);
    let role = "roles/artifactregistry.reader";
    let policy = world.policy_mut(&apps).unwrap();
    policy.grant(role, "user:new@acme.example", now());
    policy.grant(role, "user:other@acme.example", after(10));
    policy.revoke(role, "user:narrow@acme.example", after(20));
    policy.grant(role, "user:last@acme.example", after(30));
    let at = |who: &str, seconds| {
        let who = Principal::user(who);
        allows(&world, &who, DOWNLOAD, &apps, after(seconds), propagation)
    };
    for (who, spread, counts) in [
        ("new@acme.example", 70, true),
        ("other@acme.example", 80, true),
        ("narrow@acme.example", 110, false),
        ("last@acme.example", 100, true),
    ] {
        assert_eq!(at(who, spread - 1), !counts, "{who} is early");
        assert_eq!(at(who, spread), counts, "{who} is late");
    }
}

#[test]
fn what_takes_no_time_counts_by_a_clock_that_is_behind_too() {
    let mut world = world();
    let apps = ResourceName::repository("acme", "europe", "apps");
    let role = "roles/artifactregistry.reader";
    let new = "user:new@acme.example";
    let behind = now() - SignedDuration::from_hours(2);
    let policy = world.policy_mut(&apps).unwrap();
    policy.grant(role, new, now());
    assert!(ask(&world, new, DOWNLOAD, &apps, behind));
    let policy = world.policy_mut(&apps).unwrap();
    policy.revoke(role, new, now());
    assert!(!ask(&world, new, DOWNLOAD, &apps, behind));
}

#[test]
fn replicas_that_do_not_agree_take_turns() {
    let propagation = Propagation {
        grant: SignedDuration::from_secs(70),
        replicas: 2,
        ..Propagation::default()
    };
    let is_late = |question: u32| propagation.at(question).grant > SignedDuration::ZERO;
    assert_eq!([0, 1, 2, 3].map(is_late), [true, false, true, false]);
    let alone = Propagation {
        replicas: 1,
        ..propagation
    };
    assert!((0..4).all(|question| alone.at(question) == alone));
}
