//! What doctor sees of a controller outside Google, which asks by a credential file, and with which scope it pulls.

use anyhow::{Context as _, Result};
use gcp_sim::ResourceName;
use serde_json::Value;

use super::credentials::elsewhere;
use super::{ACCOUNT, CONTROLLER, Place, REPOSITORY, check_no_token, status, text};

#[tokio::test]
async fn the_chain_of_a_controller_outside_google_is_walked_by_its_credential_file() -> Result<()> {
    let place = Place::whole().await?;
    let (file, member) = elsewhere(&place).await?;
    let account = ResourceName::service_account("acme-prod", ACCOUNT);
    let (google, role) = (place.google(), "roles/iam.workloadIdentityUser");
    google.revoke(role, CONTROLLER, &account)?;
    let path = place.file("controller.json");
    std::fs::write(&path, file.to_string())?;
    let report = async |number: bool| {
        let mut command = place.laptop(&["doctor", "-o", "json", "--project=web"]);
        command
            .arg(format!("--repo={REPOSITORY}"))
            .env("ARGOSY_GCP_CREDENTIALS", &path);
        if number {
            command.arg("--gcp-project-number=123456789012");
        }
        let output = command.output().await?;
        check_no_token(&output)?;
        let report: Value =
            serde_json::from_slice(&output.stdout).with_context(|| text(&output.stderr))?;
        anyhow::Ok((output.status.code(), report))
    };
    // The controller may not look at its project, so its number has to be told.
    let (_, unnumbered) = report(false).await?;
    assert!(
        unnumbered
            .to_string()
            .contains("--gcp-project-number NUMBER"),
        "{unnumbered:#}"
    );

    let (code, unbound) = report(true).await?;
    assert_eq!(
        (code, status(&unbound, "GSA-MINT")?),
        (Some(1), "fail"),
        "{unbound:#}"
    );
    google.grant(role, &member, &account)?;
    google.take_asked();
    let (code, report) = report(true).await?;
    assert_eq!(code, Some(0), "{report:#}");
    for id in ["MDS-TOKEN", "API-PROBE", "GSA-MINT", "AR-PULL", "EGRESS"] {
        assert_eq!(status(&report, id)?, "pass", "{id}: {report:#}");
    }
    // No metadata server is missed, and nothing is said of whom GKE would take the controller for.
    for id in [
        "MDS-REACH",
        "MDS-EMAIL",
        "K8S-KSA",
        "GSA-BINDING",
        "CLUSTER-WIF",
    ] {
        assert_eq!(status(&report, id)?, "skip", "{id}: {report:#}");
    }
    let asked = google.take_asked().into_iter();
    let mut minted =
        asked.filter(|it| it.path.ends_with(&format!("{ACCOUNT}:generateAccessToken")));
    assert!(
        minted.all(|it| it.principal.as_ref() == Some(&member)),
        "nobody else asked"
    );
    Ok(())
}

#[tokio::test]
async fn tags_are_listed_with_the_scope_that_the_controller_pulls_with() -> Result<()> {
    let place = Place::whole().await?;
    let minted = async |scope: &str| {
        place.google().take_asked();
        let argument = format!("--gcp-token-scope={scope}");
        let (code, report) = place.json(&["doctor", "-o", "json", &argument]).await?;
        assert_eq!(code, 0, "{report:#}");
        let asked = place.google().take_asked().into_iter();
        let of_account =
            asked.filter(|it| it.path.ends_with(&format!("{ACCOUNT}:generateAccessToken")));
        anyhow::Ok(of_account.count())
    };
    assert_eq!(
        minted("read-only").await?,
        2,
        "one to pull, one to see what is granted"
    );
    assert_eq!(minted("cloud-platform").await?, 1, "both are the same");
    Ok(())
}

#[tokio::test]
async fn a_variable_of_googles_tools_names_no_project_where_the_controller_does_not_read_it()
-> Result<()> {
    let place = Place::whole().await?;
    let report = async |variable: &str| {
        let mut command = place.bare(&["doctor", "-o", "json", "--project=web"]);
        command
            .arg(format!("--repo={REPOSITORY}"))
            .env("HOME", place.folder.path())
            .env(variable, "acme-other");
        let output = command.output().await?;
        let report: Value =
            serde_json::from_slice(&output.stdout).with_context(|| text(&output.stderr))?;
        anyhow::Ok((output.status.code(), report))
    };
    let (code, report_of_tools) = report("GOOGLE_CLOUD_PROJECT").await?;
    assert_eq!(code, Some(0), "{report_of_tools:#}");
    assert_eq!(status(&report_of_tools, "GSA-PROJECT")?, "pass");
    // What the controller reads counts before what the metadata server says.
    let (code, named) = report("ARGOSY_GCP_PROJECT").await?;
    assert_eq!(code, Some(2), "{named:#}");
    assert!(
        named.to_string().contains("the number of acme-other"),
        "{named:#}"
    );
    Ok(())
}
