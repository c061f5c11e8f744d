//! The loop: what setup adds is what doctor asks for and what audit finds enough.

use std::time::Duration;

use anyhow::{Context as _, Result};
use gcp_sim::{Effect, Fault, Scope};
use serde_json::{Value, json};
use testkit::Restricted;

use super::{ACCOUNT, CONTROLLER, Place, REPOSITORY, text};

const PROJECT: &str = "--project=web";

#[tokio::test]
async fn an_empty_project_is_set_up_then_doctor_passes_and_audit_is_clean() -> Result<()> {
    let place = Place::empty().await?;
    let (code, _) = place.json(&["doctor", "-o", "json"]).await?;
    assert_eq!(code, 1, "nothing is set up yet");

    let everything = ["setup", PROJECT, "--org-policies=all", "--audit-logs"];
    let apply = [&everything[..], &["--apply", "--yes"]].concat();
    let applied = place.run(&apply).await?;
    let said = text(&applied.stderr);
    assert!(applied.status.success(), "{said}");
    assert!(said.contains("it works"), "{said}");

    let (code, report) = place.json(&["doctor", "-o", "json"]).await?;
    assert_eq!(code, 0, "{report:#}");
    let (code, report) = place
        .json(&["audit", "-o", "json", "--fail-on=info"])
        .await?;
    assert_eq!(code, 0, "{report:#}");
    assert_eq!(report["findings"], json!([]), "{report:#}");
    assert_eq!(report["unread"], json!([]), "{report:#}");

    let again = place.run(&everything).await?;
    assert_eq!(text(&again.stdout), "", "nothing is left to do");
    Ok(())
}

#[tokio::test]
async fn audit_logs_are_the_installers_choice_and_the_finding_says_how_to_have_them() -> Result<()>
{
    let place = Place::empty().await?;
    let bindings = || {
        place
            .google()
            .read(|it| it.projects[0].policy.bindings.clone())
    };
    let before = bindings();
    let without = ["setup", PROJECT, "--org-policies", "--apply", "--yes"];
    let applied = place.run(&without).await?;
    assert!(applied.status.success(), "{}", text(&applied.stderr));
    place.json(&["doctor", "-o", "json"]).await?;
    let (_, report) = place.json(&["audit", "-o", "json"]).await?;
    let left = report["findings"].as_array().context("no findings")?;
    let rules: Vec<_> = left.iter().map(|it| it["rule"].as_str()).collect();
    assert_eq!(rules, [Some("A23"); 2], "{report:#}");
    for (finding, service) in left
        .iter()
        .zip(["iam.googleapis.com", "sts.googleapis.com"])
    {
        let says = finding.to_string();
        for part in [service, "argosy gcp setup --audit-logs --apply"] {
            assert!(says.contains(part), "no {part:?}: {says}");
        }
    }
    let logs = ["setup", PROJECT, "--audit-logs", "--apply", "--yes"];
    let applied = place.run(&logs).await?;
    assert!(applied.status.success(), "{}", text(&applied.stderr));
    let (_, report) = place.json(&["audit", "-o", "json"]).await?;
    assert_eq!(report["findings"], json!([]), "{report:#}");
    assert_eq!(
        bindings(),
        before,
        "who holds what in the project is as before"
    );
    Ok(())
}

#[tokio::test]
async fn each_form_names_the_missing_parts_and_only_those() -> Result<()> {
    let place = Place::empty().await?;
    for (format, parts) in [
        (
            "gcloud",
            [
                "gcloud services enable",
                "kargo-project-web",
                "roles/iam.workloadIdentityUser",
            ],
        ),
        (
            "terraform",
            [
                "google_project_service",
                "google_service_account_iam_member",
                "subject/ns/argosy/sa/kargo-controller",
            ],
        ),
        (
            "config-connector",
            ["IAMServiceAccount", "IAMPolicyMember", "kargo-project-web"],
        ),
    ] {
        let format = format!("--format={format}");
        let output = place
            .run(&["setup", PROJECT, "--repo", REPOSITORY, &format])
            .await?;
        let written = text(&output.stdout);
        assert!(output.status.success(), "{}", text(&output.stderr));
        for part in parts {
            assert!(
                written.contains(part),
                "{format} without {part}:\n{written}"
            );
        }
        let is_on = "container.googleapis.com";
        assert!(!written.contains(is_on), "what is on is not switched on");
    }
    assert!(
        place
            .google()
            .read(|world| world.service_account(ACCOUNT).is_none()),
        "nothing was changed"
    );
    Ok(())
}

#[tokio::test]
async fn terraform_itself_reads_what_is_written_for_it() -> Result<()> {
    let place = Place::empty().await?;
    let written = place
        .run(&["setup", PROJECT, "--org-policies", "--format=terraform"])
        .await?;
    assert!(written.status.success(), "{}", text(&written.stderr));
    let written = text(&written.stdout);
    assert!(written.contains("google_org_policy_policy"), "{written}");
    loopback_servers::terraform::accepts(&written)
}

#[tokio::test]
async fn without_anybody_to_ask_everything_is_planned() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut command = tokio::process::Command::new(crate::binary());
    command.env_clear().env("HOME", folder.path());
    command.args(["gcp", "setup", PROJECT, "--repo", REPOSITORY]);
    command.args([
        "--gcp-project=acme-prod",
        "--gcp-project-number=123456789012",
    ]);
    let output = command.output().await?;
    let script = text(&output.stdout);
    assert!(output.status.success(), "{}", text(&output.stderr));
    for part in [
        "container.googleapis.com",
        CONTROLLER,
        "roles/artifactregistry.reader",
    ] {
        assert!(script.contains(part), "{script}");
    }
    assert!(text(&output.stderr).contains("taken for missing"));
    Ok(())
}

#[tokio::test]
async fn a_plan_that_nobody_agreed_to_changes_nothing() -> Result<()> {
    let place = Place::empty().await?;
    let mut command = place.command(&["setup", PROJECT, "--apply"]);
    let output = command.stdin(std::process::Stdio::null()).output().await?;
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("add --yes"));
    assert!(
        place
            .google()
            .read(|world| world.service_account(ACCOUNT).is_none())
    );
    Ok(())
}

#[tokio::test]
async fn a_policy_that_somebody_else_changed_is_read_anew() -> Result<()> {
    let place = Place::empty().await?;
    place.google().inject(fault(Effect::EtagConflict, Some(2)));
    let output = place.run(&["setup", PROJECT, "--apply", "--yes"]).await?;
    assert!(output.status.success(), "{}", text(&output.stderr));
    let (code, report) = place.json(&["doctor", "-o", "json"]).await?;
    assert_eq!(code, 0, "{report:#}");
    Ok(())
}

#[tokio::test]
async fn what_was_granted_is_waited_for_until_it_counts() -> Result<()> {
    let place = Place::empty().await?;
    place.google().inject(fault(late(3), None));
    let output = place.run(&["setup", PROJECT, "--apply", "--yes"]).await?;
    let said = text(&output.stderr);
    assert!(output.status.success(), "{said}");
    let waiting = said.find("waiting for it to count: web gets no token: ");
    let works = said.find("it works, after ");
    assert!(waiting.is_some() && waiting < works, "{said}");
    Ok(())
}

#[tokio::test]
async fn when_the_time_is_over_it_says_what_does_not_work_yet() -> Result<()> {
    let place = Place::empty().await?;
    let number = place.google().inject(fault(late(3_600), None));
    let arguments = ["setup", PROJECT, "--apply", "--yes", "--wait=1s"];
    let started = std::time::Instant::now();
    let output = place.run(&arguments).await?;
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(started.elapsed() < Duration::from_secs(30), "{said}");
    for part in [
        "all steps are done and it does not work yet, after ",
        "web gets no token: ",
        "longer --wait",
        "argosy gcp doctor",
    ] {
        assert!(said.contains(part), "no {part:?}: {said}");
    }
    // What was granted stays, so another run has only to wait.
    assert!(place.google().mend(number));
    let output = place.run(&arguments).await?;
    let said = text(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(
        said.contains("nothing is missing") && said.contains("it works, after 0 s"),
        "{said}"
    );
    Ok(())
}

/// Changes of policies count later, by so many seconds.
fn late(grant_seconds: u32) -> Effect {
    Effect::PropagationDelay {
        grant_seconds,
        revoke_seconds: 0,
        flapping: false,
    }
}

#[tokio::test]
async fn an_organisation_that_lets_in_chosen_members_only_is_told_whom_to_add() -> Result<()> {
    let place = Place::empty().await?;
    place.google().inject(fault(Effect::DrsReject, None));
    let output = place.run(&["setup", PROJECT, "--apply", "--yes"]).await?;
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    for part in [
        "gcloud org-policies describe iam.managed.allowedPolicyMembers",
        "gcloud org-policies describe iam.allowedPolicyMemberDomains",
        "--project=acme-prod",
        CONTROLLER,
        "is:principalSet://iam.googleapis.com/organizations/7",
    ] {
        assert!(said.contains(part), "no {part:?}: {said}");
    }
    Ok(())
}

#[tokio::test]
async fn what_is_printed_for_such_a_list_lets_the_same_command_succeed() -> Result<()> {
    const LIST: &str = "iam.managed.allowedPolicyMembers";
    let place = Place::empty().await?;
    let ann = r#"{rules: [{enforce: true, parameters: {allowedMemberSubjects: ["user:ann@acme.example"]}}]}"#;
    let policy = serde_saphyr::from_str(ann)?;
    place.google().change(|world| {
        let above = &mut world.organizations[0].org_policies;
        above.insert(LIST.to_owned(), policy);
    });
    let apply = ["setup", PROJECT, "--apply", "--yes"];
    let output = place.run(&apply).await?;
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");

    let printed = said.split("<<'EOF'\n").nth(1).context("no document")?;
    let printed = printed.split("EOF").next().context("no end of it")?;
    let printed: Value = serde_saphyr::from_str(printed)?;
    assert_eq!(
        printed["name"],
        format!("projects/acme-prod/policies/{LIST}")
    );
    assert!(
        printed.to_string().contains("user:ann@acme.example"),
        "{printed:#}"
    );
    let policy = serde_json::from_value(printed["spec"].clone())?;
    place.google().change(|world| {
        let own = &mut world.projects[0].org_policies;
        own.insert(LIST.to_owned(), policy);
    });
    let output = place.run(&apply).await?;
    assert!(output.status.success(), "{}", text(&output.stderr));
    Ok(())
}

fn fault(effect: Effect, times: Option<u32>) -> Fault {
    Fault {
        effect,
        scope: Scope::default(),
        times,
        probability: None,
        from: None,
        until: None,
    }
}

/// The value by which a Warehouse was asked last to look again.
async fn asked_by(place: &Place, name: &str) -> Result<Value> {
    let api = "kargo.akuity.io/v1alpha1";
    let warehouse = place.cluster.find(api, "Warehouse", Some("web"), name);
    let warehouse = warehouse.await?.context("no such Warehouse")?;
    Ok(warehouse["metadata"]["annotations"]["kargo.akuity.io/refresh"].clone())
}

#[tokio::test]
async fn the_warehouses_of_the_project_are_asked_to_look_again_once_it_works() -> Result<()> {
    let place = Place::empty().await?;
    let charts = "{apiVersion: kargo.akuity.io/v1alpha1, kind: Warehouse, metadata: {name: charts, namespace: web}, \
        spec: {subscriptions: [{image: {repoURL: europe-west1-docker.pkg.dev/acme-prod/apps/web}}]}}";
    place.cluster.apply(charts).await?;
    let planned = place.run(&["setup", PROJECT]).await?;
    assert!(planned.status.success(), "{}", text(&planned.stderr));
    assert_eq!(
        asked_by(&place, "web").await?,
        Value::Null,
        "a plan is nothing to look for"
    );

    let number = place.google().inject(fault(late(3_600), None));
    let arguments = ["setup", PROJECT, "--apply", "--yes", "--wait=0s"];
    let applied = place.run(&arguments).await?;
    assert_eq!(applied.status.code(), Some(1), "{}", text(&applied.stderr));
    assert_eq!(
        asked_by(&place, "web").await?,
        Value::Null,
        "it would be refused again"
    );

    assert!(place.google().mend(number));
    let mut before = Value::Null;
    for _ in 0..2 {
        let applied = place.run(&arguments).await?;
        let said = text(&applied.stderr);
        assert!(applied.status.success(), "{said}");
        let works = said.find("it works");
        let asked = said.find("asked to look again: Warehouses charts, web");
        assert!(works.is_some() && works < asked, "{said}");
        let now = asked_by(&place, "web").await?;
        assert!(now.is_string() && now != before, "{before} {now}");
        assert_eq!(asked_by(&place, "charts").await?, now);
        before = now;
    }
    Ok(())
}

#[tokio::test]
async fn whoever_may_not_ask_warehouses_to_look_again_is_told_what_to_run() -> Result<()> {
    let place = Place::empty().await?;
    let restricted = Restricted::of(&place.cluster, "PATCH".parse()?, "/warehouses/web").await?;
    std::fs::write(place.file("kubeconfig"), restricted.kubeconfig())?;
    let applied = place.run(&["setup", PROJECT, "--apply", "--yes"]).await?;
    let said = text(&applied.stderr);
    assert!(
        applied.status.success(),
        "it is set up all the same: {said}"
    );
    for part in [
        "were not asked to look again",
        "is forbidden",
        "kubectl annotate warehouses --all --namespace=web --overwrite kargo.akuity.io/refresh=",
    ] {
        assert!(said.contains(part), "no {part:?}: {said}");
    }
    assert_eq!(asked_by(&place, "web").await?, Value::Null);
    Ok(())
}
