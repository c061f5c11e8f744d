//! A Project that acts as the Kubernetes account `argosy-gcp` of its namespace, and a cluster that does not tell all.

use anyhow::{Context as _, Result};
use gcp_sim::ResourceName;
use serde_json::Value;
use testkit::Restricted;
use testkit::google::member;

use super::audit::own_rules;
use super::{ACCOUNT, CONTROLLER, Place, apps, status, text};

const NAME: &str = "argosy-gcp";
const REPORT: &[&str] = &["doctor", "-o", "json"];

/// All that the Project needs, with its Kubernetes account in place of its service account.
async fn place() -> Result<Place> {
    let place = Place::whole().await?;
    // Nothing is left of it, as where it never was.
    let account = format!("serviceAccount:{ACCOUNT}");
    place
        .google()
        .revoke("roles/artifactregistry.reader", &account, &apps())?;
    place.google().delete_account(ACCOUNT)?;
    let account =
        "{apiVersion: v1, kind: ServiceAccount, metadata: {name: argosy-gcp, namespace: web}}";
    place.cluster.apply(account).await?;
    Ok(place)
}

fn result<'a>(report: &'a Value, id: &str) -> Result<&'a Value> {
    let mut results = report["results"].as_array().into_iter().flatten();
    results
        .find(|it| it["id"] == id)
        .with_context(|| format!("no {id}"))
}

/// Has the cluster refuse requests of one kind to whoever runs the program.
async fn forbid(place: &Place, method: &str, path: &'static str) -> Result<Restricted> {
    let restricted = Restricted::of(&place.cluster, method.parse()?, path).await?;
    std::fs::write(place.file("kubeconfig"), restricted.kubeconfig())?;
    Ok(restricted)
}

#[tokio::test]
async fn a_project_may_act_as_its_kubernetes_account_which_is_tried_as_itself() -> Result<()> {
    let place = place().await?;
    let (code, report) = place.json(REPORT).await?;
    assert_eq!(
        (code, status(&report, "AR-READER")?),
        (1, "fail"),
        "{report:#}"
    );
    assert_eq!(status(&report, "AR-PULL")?, "skip");
    let output = place
        .run(&["setup", "--project=web", "--apply", "--yes"])
        .await?;
    let said = text(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("subject/ns/web/sa/argosy-gcp"), "{said}");
    assert!(
        said.contains("as its Kubernetes account web/argosy-gcp"),
        "{said}"
    );
    place.google().take_asked();
    let (code, report) = place.json(REPORT).await?;
    assert_eq!(code, 0, "{report:#}");
    for id in ["AR-READER", "AR-PULL", "AR-TEST", "AR-REST"] {
        assert_eq!(status(&report, id)?, "pass", "{id}: {report:#}");
    }
    // No other Project has a repository that it could read.
    for id in ["GSA-EXISTS", "GSA-BINDING", "GSA-MINT", "AR-ISOLATION"] {
        assert_eq!(status(&report, id)?, "skip", "{id}");
    }
    let asked = place.google().take_asked().into_iter();
    let pulls = asked.filter(|it| it.path.ends_with("/apps/web/tags/list"));
    let who: Vec<_> = pulls.filter_map(|it| it.principal).collect();
    assert_eq!(who, [member("web", NAME)], "nobody else pulled");
    let (code, report) = place.json(&["audit", "-o", "json"]).await?;
    assert!(own_rules(&report).is_empty(), "{report:#}");
    assert_eq!((code, &report["unread"]), (0, &serde_json::json!([])));
    Ok(())
}

#[tokio::test]
async fn what_google_refuses_the_kubernetes_account_fails_and_names_it() -> Result<()> {
    let place = place().await?;
    place.google().grant(
        "roles/artifactregistry.reader",
        &member("web", NAME),
        &apps(),
    )?;
    // It holds the role, and a rule denies what the role carries.
    place.google().change(|world| {
        let rule = serde_json::json!({
            "deniedPrincipals": [member("web", NAME)],
            "deniedPermissions": ["artifactregistry.googleapis.com/repositories.downloadArtifacts"],
        });
        let rule = serde_json::from_value(rule).expect("a rule");
        world.projects[0].deny.push(rule);
    });
    let (code, report) = place.json(REPORT).await?;
    assert_eq!(
        (code, status(&report, "AR-PULL")?),
        (1, "fail"),
        "{report:#}"
    );
    let fix = result(&report, "AR-PULL")?["fix"]["commands"].to_string();
    assert!(fix.contains(&member("web", NAME)), "{fix}");
    Ok(())
}

#[tokio::test]
async fn whoever_may_not_have_its_token_is_told_what_to_run() -> Result<()> {
    let place = place().await?;
    place.google().grant(
        "roles/artifactregistry.reader",
        &member("web", NAME),
        &apps(),
    )?;
    let _restricted = forbid(&place, "POST", "/serviceaccounts/argosy-gcp/token").await?;
    let (code, report) = place.json(REPORT).await?;
    assert_eq!(
        (code, status(&report, "AR-PULL")?),
        (2, "unknown"),
        "{report:#}"
    );
    let pull = result(&report, "AR-PULL")?;
    let says = pull["says"].as_str().unwrap_or_default();
    assert!(says.contains("is forbidden"), "{says}");
    let commands = pull["fix"]["commands"].as_str().unwrap_or_default();
    for part in [
        "kubectl auth can-i create serviceaccounts/argosy-gcp",
        "--as=system:serviceaccount:argosy:kargo-controller",
        "kubectl create token argosy-gcp",
    ] {
        assert!(commands.contains(part), "no {part:?}: {commands}");
    }
    Ok(())
}

#[tokio::test]
async fn a_kubernetes_account_that_may_do_more_is_found_as_a_service_account_is() -> Result<()> {
    let place = place().await?;
    let project = ResourceName::project("acme-prod");
    for (role, rule) in [
        ("roles/editor", "A03"),
        ("roles/artifactregistry.reader", "A05"),
        ("roles/pubsub.subscriber", "A06"),
    ] {
        let google = place.google();
        google.grant(role, &member("web", NAME), &project)?;
        let (_, report) = place.json(&["audit", "-o", "json"]).await?;
        assert_eq!(own_rules(&report), [rule], "{role}: {report:#}");
        google.revoke(role, &member("web", NAME), &project)?;
    }
    Ok(())
}

#[tokio::test]
async fn a_repository_that_two_projects_share_is_said_whichever_account_reads() -> Result<()> {
    let place = Place::whole().await?;
    let rules = |report: &Value| {
        let findings = report["findings"].as_array().into_iter().flatten();
        let shared = findings.filter(|it| it["rule"] == "A13");
        shared.map(|it| it["says"].to_string()).collect::<Vec<_>>()
    };
    let (_, report) = place.json(&["audit", "-o", "json"]).await?;
    assert_eq!(rules(&report), Vec::<String>::new());
    place.google().grant(
        "roles/artifactregistry.reader",
        &member("shop", NAME),
        &apps(),
    )?;
    let (_, report) = place.json(&["audit", "-o", "json"]).await?;
    let found = rules(&report);
    assert_eq!(found.len(), 1, "{report:#}");
    assert!(found[0].contains("shop, web"), "{found:?}");
    Ok(())
}

#[tokio::test]
async fn setup_plans_for_nobody_where_it_may_not_read_who_acts() -> Result<()> {
    let place = Place::empty().await?;
    let _restricted = forbid(&place, "GET", "/serviceaccounts/argosy-gcp").await?;
    let written = place.run(&["setup", "--project=web"]).await?;
    let (script, said) = (text(&written.stdout), text(&written.stderr));
    assert_eq!(written.status.code(), Some(2), "{said}");
    for part in [
        "who acts as web is unknown",
        "is forbidden",
        "kubectl get serviceaccount argosy-gcp --namespace=web",
    ] {
        assert!(said.contains(part), "no {part:?}: {said}");
    }
    assert!(script.contains("gcloud services enable"), "{script}");
    for part in ["service-accounts", "add-iam-policy-binding"] {
        assert!(!script.contains(part), "{part}: {script}");
    }
    let applied = place
        .run(&["setup", "--project=web", "--apply", "--yes"])
        .await?;
    let said = text(&applied.stderr);
    assert_eq!(applied.status.code(), Some(2), "{said}");
    assert!(!said.contains("it works"), "{said}");
    let is_there = |it: &gcp_sim::World| it.service_account(ACCOUNT).is_some();
    assert!(!place.google().read(is_there), "no account was made");
    Ok(())
}

#[tokio::test]
async fn setup_goes_on_where_the_service_account_acts_whatever_else_it_may_not_read() -> Result<()>
{
    let place = Place::whole().await?;
    let _restricted = forbid(&place, "GET", "/serviceaccounts/argosy-gcp").await?;
    let member = format!("serviceAccount:{ACCOUNT}");
    let google = place.google();
    google.revoke("roles/artifactregistry.reader", &member, &apps())?;
    let output = place
        .run(&["setup", "--project=web", "--apply", "--yes"])
        .await?;
    let said = text(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("it works"), "{said}");
    // Without the right to act, nobody knows any more.
    let account = ResourceName::service_account("acme-prod", ACCOUNT);
    google.revoke("roles/iam.workloadIdentityUser", CONTROLLER, &account)?;
    let output = place.run(&["setup", "--project=web"]).await?;
    assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
    assert_eq!(text(&output.stdout), "", "nothing is granted to anybody");
    Ok(())
}

#[tokio::test]
async fn where_no_cluster_is_asked_the_service_account_is_planned_and_that_is_said() -> Result<()> {
    let place = Place::empty().await?;
    let mut command = place.bare(&["setup", "--project=web", "--gcp-project=acme-prod"]);
    let token = place.file("token");
    command
        .arg(format!("--access-token-file={}", token.display()))
        .arg(format!("--repo={}", super::REPOSITORY));
    let output = command.output().await?;
    let said = text(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(
        said.contains("web/argosy-gcp was not looked for and is taken for missing"),
        "{said}"
    );
    assert!(text(&output.stdout).contains("service-accounts create kargo-project-web"));
    Ok(())
}
