//! On a laptop: as whom Google is asked by the credential files of Google's own tools, and what is said without one.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Output;

use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use gcp_sim::{PoolProvider, ResourceName, WorkloadPool};
use serde_json::{Value, json};
use testkit::google::ISSUER;

use super::{OPERATOR, Place, check_no_token, status, text};

const VARIABLE: &str = "GOOGLE_APPLICATION_CREDENTIALS";
const WELL_KNOWN: &str = ".config/gcloud/application_default_credentials.json";
const LOG_IN: &str = "gcloud auth application-default login";
const AUDITOR: &str = "auditor@acme-prod.iam.gserviceaccount.com";
/// Where credential files say that tokens are asked for; nothing may be sent there.
const TRAP: &str = "https://127.0.0.1:1/token";

const DOCTOR: &[&str] = &["doctor", "-o", "json"];
const AUDIT: &[&str] = &["audit", "-o", "json"];

/// Services that exchange credentials, which are asked as nobody or as who comes before.
const EXCHANGES: [&str; 3] = [
    "iamcredentials.googleapis.com",
    "oauth2.googleapis.com",
    "sts.googleapis.com",
];

/// What `gcloud auth application-default login` writes for somebody.
fn user(place: &Place, whom: &str) -> Result<Value> {
    let token = place.simulator.refresh_token_of(whom);
    Ok(json!({
        "type": "authorized_user", "account": "", "universe_domain": "googleapis.com",
        "client_id": "764086051850.apps.googleusercontent.com", "client_secret": "d-FL95Q19q7MQmFpd7hHD0Ty",
        "quota_project_id": "acme-prod", "refresh_token": token.context("no such person")?,
    }))
}

fn write(place: &Place, name: &str, file: &Value) -> Result<PathBuf> {
    let path = place.file(name);
    std::fs::create_dir_all(path.parent().context("a folder")?)?;
    std::fs::write(&path, file.to_string())?;
    Ok(path)
}

/// Makes an account that may read what there is to read.
fn give_auditor(place: &Place) -> Result<()> {
    place.google().create_account("acme-prod", "auditor")?;
    let_look(place, &format!("serviceAccount:{AUDITOR}"))
}

fn let_look(place: &Place, member: &str) -> Result<()> {
    let organization = ResourceName::Organization {
        number: "7".to_owned(),
    };
    let google = place.google();
    google.grant("roles/iam.securityReviewer", member, &organization)?;
    let project = ResourceName::project("acme-prod");
    for role in ["roles/owner", "roles/orgpolicy.policyAdmin"] {
        google.grant(role, member, &project)?;
    }
    google.grant("roles/owner", member, &organization)?;
    Ok(())
}

/// Runs doctor and audit with a file that is named, and says as whom Google was asked.
async fn asked_with(place: &Place, file: &Value) -> Result<BTreeSet<String>> {
    let path = write(place, "credentials.json", file)?;
    let mut who = BTreeSet::new();
    for arguments in [DOCTOR, AUDIT] {
        let output = place
            .laptop(arguments)
            .env(VARIABLE, &path)
            .output()
            .await?;
        who.extend(judged(place, &output)?);
    }
    Ok(who)
}

/// Takes a report that is as good as with the Pod's view, and says as whom Google was asked.
fn judged(place: &Place, output: &Output) -> Result<BTreeSet<String>> {
    check_no_token(output)?;
    let (written, said) = (text(&output.stdout), text(&output.stderr));
    ensure!(output.status.code() == Some(0), "{written}\n{said}");
    let report: Value = serde_json::from_str(&written)?;
    if report["results"].is_array() {
        // A desk sees what is granted and not what the Pod gets.
        for (id, expected) in [
            ("GSA-BINDING", "pass"),
            ("AR-READER", "pass"),
            ("GSA-MINT", "skip"),
            ("AR-PULL", "skip"),
        ] {
            let found = status(&report, id)?;
            ensure!(found == expected, "{id} is {found}: {report:#}");
        }
    } else {
        ensure!(report["unread"] == json!([]), "{report:#}");
    }
    let mut asked = place.google().take_asked();
    asked.retain(|it| !EXCHANGES.contains(&it.service.as_str()));
    ensure!(asked.len() > 10, "nobody asked: {asked:?}");
    let who = asked.into_iter().map(|it| {
        let place = format!("{} {}", it.service, it.path);
        it.principal
            .with_context(|| format!("a bad credential for {place}"))
    });
    who.collect()
}

#[tokio::test]
async fn whoever_logged_in_is_found_where_gcloud_keeps_it_and_a_file_that_is_named_goes_first()
-> Result<()> {
    let place = Place::whole().await?;
    write(&place, WELL_KNOWN, &user(&place, OPERATOR)?)?;
    let output = place.laptop(DOCTOR).output().await?;
    assert_eq!(judged(&place, &output)?, [OPERATOR.to_owned()].into());
    let elsewhere = place.file("gcloud");
    std::fs::create_dir_all(&elsewhere)?;
    let file = place.file(WELL_KNOWN);
    std::fs::rename(file, elsewhere.join("application_default_credentials.json"))?;
    let mut command = place.laptop(AUDIT);
    let output = command.env("CLOUDSDK_CONFIG", &elsewhere).output().await?;
    assert_eq!(judged(&place, &output)?, [OPERATOR.to_owned()].into());

    let ann = "user:ann@acme.example";
    let_look(&place, ann)?;
    write(&place, WELL_KNOWN, &json!({"type": "authorized_user"}))?;
    let named = user(&place, ann)?;
    assert_eq!(asked_with(&place, &named).await?, [ann.to_owned()].into());
    Ok(())
}

#[tokio::test]
async fn a_key_asks_as_its_account_and_does_not_say_where() -> Result<()> {
    let place = Place::whole().await?;
    give_auditor(&place)?;
    let mut key = key(&place).await?;
    key["token_uri"] = json!(TRAP);
    place.google().take_asked();
    let who = asked_with(&place, &key).await?;
    assert_eq!(who, [format!("serviceAccount:{AUDITOR}")].into());
    Ok(())
}

/// Lets Google make a key of the auditor, and gives the file.
async fn key(place: &Place) -> Result<Value> {
    let token = std::fs::read_to_string(place.file("token"))?;
    let url = format!(
        "http://{}/v1/projects/acme-prod/serviceAccounts/{AUDITOR}/keys",
        place.simulator.apis
    );
    let client = reqwest::Client::builder().no_proxy().build()?;
    let request = client.post(url).bearer_auth(token);
    let made: Value = request.json(&json!({})).send().await?.json().await?;
    let encoded = made["privateKeyData"].as_str();
    let encoded = encoded.with_context(|| made.to_string())?;
    Ok(serde_json::from_slice(&BASE64_STANDARD.decode(encoded)?)?)
}

/// The pool of a cluster outside Google.
const POOL: &str = "projects/123456789012/locations/global/workloadIdentityPools/laptops";

/// Lets Google know a cluster of somebody else's; gives the credential file of the controller there, and who it is.
pub(super) async fn elsewhere(place: &Place) -> Result<(Value, String)> {
    let provider = PoolProvider {
        id: "cluster".to_owned(),
        issuer: ISSUER.to_owned(),
        jwks_url: Some(place.keys.url.to_string()),
        ..PoolProvider::default()
    };
    let pool = WorkloadPool {
        id: "laptops".to_owned(),
        disabled: false,
        providers: vec![provider],
    };
    place
        .google()
        .change(|world| world.projects[0].workload_pools.push(pool));
    let audience = format!("https://iam.googleapis.com/{POOL}/providers/cluster");
    let token = place
        .cluster
        .token_of("argosy", "kargo-controller", &audience)
        .await?;
    let path = place.file("kubernetes-token");
    std::fs::write(&path, token)?;
    let apis = format!("http://{}", place.simulator.apis);
    let file = json!({
        "type": "external_account",
        "audience": format!("//iam.googleapis.com/{POOL}/providers/cluster"),
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": format!("{apis}/v1/token"),
        "credential_source": {"file": path},
    });
    let member = format!(
        "principal://iam.googleapis.com/{POOL}/subject/system:serviceaccount:argosy:kargo-controller"
    );
    Ok((file, member))
}

#[tokio::test]
async fn a_token_of_another_cluster_is_exchanged_by_its_provider_and_may_stand_for_an_account()
-> Result<()> {
    let place = Place::whole().await?;
    give_auditor(&place)?;
    let (mut file, member) = elsewhere(&place).await?;
    let_look(&place, &member)?;
    assert_eq!(asked_with(&place, &file).await?, [member.clone()].into());

    let account = ResourceName::service_account("acme-prod", AUDITOR);
    place
        .google()
        .grant("roles/iam.workloadIdentityUser", &member, &account)?;
    let apis = place.simulator.apis;
    let url = format!("http://{apis}/v1/projects/-/serviceAccounts/{AUDITOR}:generateAccessToken");
    file["service_account_impersonation_url"] = json!(url);
    let who = asked_with(&place, &file).await?;
    assert_eq!(who, [format!("serviceAccount:{AUDITOR}")].into());
    Ok(())
}

/// What `gcloud auth application-default login --impersonate-service-account` writes for somebody.
fn impersonating(place: &Place, whom: &str) -> Result<Value> {
    let url = format!(
        "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/{AUDITOR}:generateAccessToken"
    );
    Ok(json!({
        "type": "impersonated_service_account", "delegates": [],
        "service_account_impersonation_url": url, "source_credentials": user(place, whom)?,
    }))
}

#[tokio::test]
async fn whoever_acts_as_an_account_asks_as_the_account() -> Result<()> {
    let place = Place::whole().await?;
    give_auditor(&place)?;
    let ann = "user:ann@acme.example";
    let file = impersonating(&place, ann)?;
    let path = write(&place, "refused.json", &file)?;
    let refused = place.laptop(DOCTOR).env(VARIABLE, path).output().await?;
    let said = text(&refused.stderr);
    assert_eq!(refused.status.code(), Some(1), "{said}");
    let next =
        format!("gcloud iam service-accounts add-iam-policy-binding {AUDITOR} --project=acme-prod");
    assert!(said.contains(&next), "{said}");

    let account = ResourceName::service_account("acme-prod", AUDITOR);
    let role = "roles/iam.serviceAccountTokenCreator";
    place.google().grant(role, ann, &account)?;
    place.google().take_asked();
    let who = asked_with(&place, &file).await?;
    assert_eq!(who, [format!("serviceAccount:{AUDITOR}")].into());
    Ok(())
}

#[tokio::test]
async fn a_stranger_who_logged_in_gets_unknowns_and_the_exit_code_two() -> Result<()> {
    let place = Place::whole().await?;
    let mut file = user(&place, "user:eve@acme.example")?;
    file["quota_project_id"] = Value::Null;
    write(&place, WELL_KNOWN, &file)?;
    let mut command = place.laptop(&["doctor", "-o", "json", "--gcp-project-number=123456789012"]);
    let output = command.output().await?;
    let report: Value = serde_json::from_slice(&output.stdout)?;
    assert_eq!(output.status.code(), Some(2), "{report:#}");
    assert_eq!(status(&report, "GSA-BINDING")?, "unknown");
    Ok(())
}

#[tokio::test]
async fn without_anybody_every_command_says_how_to_become_somebody() -> Result<()> {
    let place = Place::empty().await?;
    let apply = ["setup", "--project=web", "--apply", "--yes"];
    for arguments in [DOCTOR, AUDIT, &apply] {
        let output = place.laptop(arguments).output().await?;
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {said}");
        assert_eq!(text(&output.stdout), "", "{arguments:?}");
        for part in [LOG_IN, "gcloud auth print-access-token"] {
            assert!(said.contains(part), "{arguments:?}: no {part:?}: {said}");
        }
    }
    assert_eq!(place.google().take_asked(), [], "nobody asked");
    Ok(())
}

#[tokio::test]
async fn a_file_that_cannot_be_used_is_named_with_what_to_do_and_without_what_is_in_it()
-> Result<()> {
    let place = Place::whole().await?;
    let good = user(&place, OPERATOR)?;
    let secret = good["refresh_token"].as_str().context("a token")?;
    place.google().log_out(secret);
    let nested = json!({
        "type": "impersonated_service_account",
        "service_account_impersonation_url": "https://iam.example/elsewhere",
        "source_credentials": good,
    });
    let half = good.to_string();
    let half = half[..half.len() - 2].to_owned();
    for (content, parts) in [
        (half, &["is not JSON", LOG_IN][..]),
        (good.to_string(), &["expired or revoked", LOG_IN]),
        (
            nested.to_string(),
            &["service_account_impersonation_url", LOG_IN],
        ),
        (
            json!({"type": "service_account", "private_key": secret}).to_string(),
            &[
                "private_key is not",
                "gcloud iam service-accounts keys list",
            ],
        ),
        (
            json!({"type": "external_account", "audience": "x"}).to_string(),
            &[
                "is not the name of a workload identity provider",
                "create-cred-config",
            ],
        ),
        (
            json!({"type": "gdch_service_account", "private_key": secret}).to_string(),
            &["gdch_service_account", "gcloud auth print-access-token"],
        ),
    ] {
        let path = place.file("credentials.json");
        std::fs::write(&path, &content)?;
        for arguments in [DOCTOR, AUDIT] {
            let mut command = place.laptop(arguments);
            let output = command.env(VARIABLE, &path).output().await?;
            let said = text(&output.stderr);
            assert_eq!(output.status.code(), Some(1), "{said}");
            assert_eq!(text(&output.stdout), "");
            let named = path.display().to_string();
            for part in parts.iter().copied().chain([named.as_str()]) {
                assert!(said.contains(part), "no {part:?}: {said}");
            }
            assert!(!said.contains(secret), "{said}");
        }
    }
    let gone = place.file("gone.json");
    let output = place.laptop(DOCTOR).env(VARIABLE, &gone).output().await?;
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains(VARIABLE) && said.contains(LOG_IN), "{said}");
    Ok(())
}
