//! A Project that acts as the Kubernetes account of its namespace.

use super::broken::*;
use super::*;
use crate::policy::{Policy, READER};

/// Checks about a service account that say nothing where a Kubernetes account acts.
const ABOUT_ACCOUNTS: &[&str] = &[
    "GSA-EXISTS",
    "GSA-ENABLED",
    "GSA-BINDING",
    "GSA-BINDING-NEARMISS",
    "GSA-MINT",
    "GSA-UNUSED",
];

fn principal() -> String {
    whole()
        .kubernetes_principal("web")
        .expect("a principal")
        .to_string()
}

/// The Kubernetes account exists and reads, and the service account does not exist.
fn kubernetes(facts: &mut Facts) {
    web(facts).kubernetes_account = known(());
    web(facts).account = Reading::absent("GET account");
    web(facts).policy = Reading::absent("POST account:getIamPolicy");
    web(facts).mint = Reading::absent("POST generateAccessToken");
    apps(facts).policy = known(granting(READER, &principal()));
}

/// What is said of `web`.
fn of_web(report: &DoctorReport, id: &str) -> CheckResult {
    let mut all = report.results.iter();
    let found = all.find(|it| it.id == id && it.subject.project.as_deref() == Some("web"));
    found.unwrap_or_else(|| panic!("no {id}")).clone()
}

#[test]
fn what_is_about_a_service_account_is_skipped_and_reading_is_looked_at() {
    let report = after(kubernetes);
    for id in ABOUT_ACCOUNTS {
        let it = of_web(&report, id);
        assert_eq!(
            (it.status, it.depends_on),
            (Status::Skip, None),
            "{id}: {}",
            it.says
        );
    }
    let exists = of_web(&report, "GSA-EXISTS");
    assert!(exists.says.contains("web/argosy-gcp"), "{}", exists.says);
    let reader = of_web(&report, "AR-READER");
    assert_eq!(reader.status, Status::Pass, "{}", reader.says);
    assert_eq!(result(&report, "FALLBACK-MODE").status, Status::Pass);
    assert_eq!(report.exit_code(), 0);
}

#[test]
fn the_account_needs_a_role_that_reads_as_itself() {
    let report = after(|it| {
        kubernetes(it);
        apps(it).policy = known(granting(READER, &account("web").member()));
    });
    let reader = of_web(&report, "AR-READER");
    assert_eq!(reader.status, Status::Fail, "{}", reader.says);
    let fix = reader.fix.expect("a fix");
    assert!(fix.commands.contains(&principal()), "{}", fix.commands);
}

#[test]
fn a_service_account_that_may_be_acted_as_goes_first() {
    let report = after(|it| web(it).kubernetes_account = known(()));
    assert_eq!(of_web(&report, "GSA-MINT").status, Status::Pass);
    assert_eq!(of_web(&report, "AR-READER").status, Status::Pass);
    // At a desk the grants decide, and the last to act is the Kubernetes account.
    let report = after(|it| {
        kubernetes(it);
        web(it).mint = Reading::default();
        web(it).account = whole().project("web").account;
        web(it).policy = known(Policy::default());
    });
    assert_eq!(of_web(&report, "GSA-BINDING").status, Status::Skip);
    assert_eq!(of_web(&report, "AR-READER").status, Status::Pass);
}

#[test]
fn who_acts_is_unknown_while_a_right_may_be_held_above() {
    let report = after(|it| {
        kubernetes(it);
        web(it).mint = Reading::default();
        web(it).account = whole().project("web").account;
        web(it).policy = known(Policy::default());
        it.ancestor_policies
            .insert("folders/1".to_owned(), denied());
    });
    let reader = of_web(&report, "AR-READER");
    assert_eq!(reader.status, Status::Unknown, "{}", reader.says);
    assert!(
        reader.says.contains("folders/1 was not read"),
        "{}",
        reader.says
    );
    let mut facts = whole();
    kubernetes(&mut facts);
    web(&mut facts).mint = Reading::default();
    web(&mut facts).account = whole().project("web").account;
    web(&mut facts).policy = known(Policy::default());
    assert!(facts.acting_as("web").expect("it was read").is_some());
    facts
        .ancestor_policies
        .insert("folders/1".to_owned(), denied());
    assert!(facts.acting_as("web").is_err(), "setup plans nothing then");
}

#[test]
fn a_long_name_is_no_failure_with_it_and_is_one_without() {
    const LONG: &str = "a-project-with-a-long-name";
    for (seen, status) in [
        (known(()), Status::Skip),
        (Reading::absent("GET"), Status::Fail),
        (denied(), Status::Unknown),
    ] {
        let report = after(|it| {
            it.intent.projects.insert(LONG.to_owned(), Vec::new());
            let project = it.projects.entry(LONG.to_owned()).or_default();
            project.kubernetes_account = seen;
        });
        let mut all = report.results.iter();
        let name = all
            .find(|it| it.id == "GSA-NAME" && it.subject.project.as_deref() == Some(LONG))
            .expect("a result");
        assert_eq!(name.status, status, "{}", name.says);
    }
}

/// What the Kubernetes account can do was tried with a token of its own.
fn tried(facts: &mut Facts) {
    kubernetes(facts);
    web(facts).kubernetes_token = known(crate::facts::Mint { seconds: 3000 });
}

#[test]
fn tags_are_listed_as_the_kubernetes_account() {
    let report = after(tried);
    assert_eq!(of_web(&report, "AR-PULL").status, Status::Pass);
    assert_eq!(report.exit_code(), 0);
    let report = after(|it| {
        tried(it);
        let used = web(it).uses.values_mut().next().expect("a use");
        used.pull = denied();
    });
    let pull = of_web(&report, "AR-PULL");
    assert_eq!(pull.status, Status::Fail, "{}", pull.says);
    let fix = pull.fix.expect("a fix");
    let whom = format!("--member={}", principal());
    assert!(fix.commands.contains(&whom), "{}", fix.commands);
}

#[test]
fn without_a_token_of_it_pulling_is_unknown_and_the_command_says_whether_there_may_be_one() {
    let report = after(|it| {
        kubernetes(it);
        let why = "serviceaccounts \"argosy-gcp\" is forbidden";
        web(it).kubernetes_token =
            Reading::unreachable("POST https://sts.googleapis.com/v1/token", why);
    });
    let pull = of_web(&report, "AR-PULL");
    assert_eq!(pull.status, Status::Unknown, "{}", pull.says);
    assert!(pull.says.ends_with("is forbidden"), "{}", pull.says);
    let fix = pull.fix.expect("a fix");
    let written = fix.commands.replace("\\\n  ", "");
    for command in [
        "kubectl auth can-i create serviceaccounts/argosy-gcp --subresource=token --namespace=web \
         --as=system:serviceaccount:argosy:controller\n",
        "kubectl create token argosy-gcp --namespace=web --audience=acme-gke.svc.id.goog",
    ] {
        assert!(written.contains(command), "no {command:?}: {written}");
    }
    assert_eq!(report.exit_code(), 2);
}

#[test]
fn a_token_that_google_does_not_take_fails() {
    let refusal = |reason| refused("SERVICE_DISABLED", reason);
    for (seen, part) in [
        (
            refusal("sts is off"),
            "gcloud services enable sts.googleapis.com",
        ),
        (
            Reading::of_refusal("POST https://sts.googleapis.com/v1/token", 401, "no"),
            "kubectl create token argosy-gcp",
        ),
    ] {
        let report = after(|it| {
            kubernetes(it);
            web(it).kubernetes_token = seen;
        });
        let pull = of_web(&report, "AR-PULL");
        assert_eq!(pull.status, Status::Fail, "{}", pull.says);
        let fix = pull.fix.expect("a fix");
        assert!(fix.commands.contains(part), "no {part}: {}", fix.commands);
    }
}

#[test]
fn a_perimeter_that_refuses_its_token_is_named() {
    let report = after(|it| {
        kubernetes(it);
        web(it).kubernetes_token = refused("SECURITY_POLICY_VIOLATED", "no");
    });
    let perimeter = result(&report, "VPCSC");
    assert_eq!(perimeter.status, Status::Fail, "{}", perimeter.says);
    assert!(perimeter.says.contains("uid-1"), "{}", perimeter.says);
}

#[test]
fn who_reads_by_uid_or_as_one_of_the_cluster_reads() {
    let pool = "iam.googleapis.com/projects/4711/locations/global/workloadIdentityPools/acme-gke.svc.id.goog";
    let by_uid = format!("principal://{pool}/kubernetes.serviceaccount.uid/u-7");
    let cluster =
        "https://container.googleapis.com/v1/projects/acme-gke/locations/europe-west1/clusters/one";
    let by_cluster = format!("principalSet://{pool}/kubernetes.cluster/{cluster}");
    for (member, uid, status) in [
        (&by_uid, known("u-7".to_owned()), Status::Pass),
        (&by_uid, known("u-8".to_owned()), Status::Fail),
        (&by_uid, denied(), Status::Unknown),
        (&by_cluster, known("u-8".to_owned()), Status::Pass),
    ] {
        let report = after(|it| {
            kubernetes(it);
            web(it).kubernetes_uid = uid.clone();
            apps(it).policy = known(granting(READER, member));
        });
        let reader = of_web(&report, "AR-READER");
        assert_eq!(reader.status, status, "{member}, {uid:?}: {}", reader.says);
    }
}

#[test]
fn where_it_is_unknown_who_acts_nobody_is_given_a_role() {
    let report = after(|it| {
        kubernetes(it);
        web(it).kubernetes_account = denied();
    });
    let reader = of_web(&report, "AR-READER");
    assert_ne!(reader.status, Status::Fail, "{}", reader.says);
}
