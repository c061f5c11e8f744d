//! Which members mean a workload, an account or a person.

use super::*;

const POOL: &str =
    "iam.googleapis.com/projects/7/locations/global/workloadIdentityPools/acme.svc.id.goog";

fn workload() -> Principal {
    let cluster =
        "https://container.googleapis.com/v1/projects/acme/locations/europe-west1/clusters/main";
    Principal::Federated(Federated::of_cluster(
        7,
        "acme.svc.id.goog",
        "argosy",
        "controller",
        BTreeMap::from([
            ("kubernetes.cluster".to_owned(), cluster.to_owned()),
            ("kubernetes.serviceaccount.uid".to_owned(), "u-1".to_owned()),
        ]),
    ))
}

#[track_caller]
fn check(principal: &Principal, member: &str, meant: bool) {
    let groups = BTreeMap::from([(
        "ops@acme.example".to_owned(),
        vec!["user:ann@acme.example".to_owned()],
    )]);
    assert_eq!(
        principal.is_meant_by(member, &groups),
        meant,
        "{member} and {principal}"
    );
}

#[test]
fn a_workload_is_meant_by_every_spelling_of_itself() {
    let workload = workload();
    for rest in [
        "/subject/ns/argosy/sa/controller",
        "/kubernetes.serviceaccount.uid/u-1",
    ] {
        check(&workload, &format!("principal://{POOL}{rest}"), true);
    }
    check(
        &workload,
        "serviceAccount:acme.svc.id.goog[argosy/controller]",
        true,
    );
}

#[test]
fn a_workload_is_meant_by_the_sets_it_is_in() {
    let workload = workload();
    for (rest, meant) in [
        ("/*", true),
        ("/namespace/argosy", true),
        ("/namespace/other", false),
        (
            "/kubernetes.cluster/https://container.googleapis.com/v1/projects/acme/locations/europe-west1/clusters/main",
            true,
        ),
    ] {
        check(&workload, &format!("principalSet://{POOL}{rest}"), meant);
    }
}

#[test]
fn a_project_id_where_the_number_belongs_means_nobody() {
    let wrong = POOL.replace("projects/7", "projects/acme");
    check(
        &workload(),
        &format!("principal://{wrong}/subject/ns/argosy/sa/controller"),
        false,
    );
}

#[test]
fn all_authenticated_users_leaves_out_workloads() {
    check(&workload(), "allAuthenticatedUsers", false);
    check(
        &Principal::service_account("a@acme.iam.gserviceaccount.com"),
        "allAuthenticatedUsers",
        true,
    );
    check(&Principal::Anonymous, "allAuthenticatedUsers", false);
    check(&workload(), "allUsers", true);
    check(&Principal::Anonymous, "allUsers", true);
}

#[test]
fn groups_and_domains_mean_the_people_in_them() {
    let ann = Principal::user("ann@acme.example");
    check(&ann, "group:ops@acme.example", true);
    check(&ann, "domain:acme.example", true);
    check(&ann, "domain:other.example", false);
    check(
        &Principal::user("bob@acme.example"),
        "group:ops@acme.example",
        false,
    );
}

#[test]
fn a_deleted_member_means_nobody() {
    let account = Principal::service_account("a@acme.iam.gserviceaccount.com");
    check(
        &account,
        "deleted:serviceAccount:a@acme.iam.gserviceaccount.com?uid=123",
        false,
    );
}
