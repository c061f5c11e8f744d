//! Keys of service accounts in Secrets.

use anyhow::{Context as _, Result};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use credentials::{Credentials, Error, Kind, Login, Outcome};
use serde_json::{Value, json};
use testkit::google::{GCP_PROJECT, account_of, image_of};

use crate::faults::{NODE, give_nodes_an_account};
use crate::installation::{Installation, PROJECT};

/// Where a tenant would have our signature sent.
const TRAP: &str = "http://127.0.0.1:1/token";

/// Lets Google make a key of a Project's account, and gives the file.
async fn key(installation: &Installation, project: &str) -> Result<Value> {
    key_of(installation, &account_of(project)).await
}

async fn key_of(installation: &Installation, account: &str) -> Result<Value> {
    let google = &installation.google;
    let operator = google
        .token_of("user:ops@acme.example")
        .context("a token")?;
    let path = format!("v1/projects/{GCP_PROJECT}/serviceAccounts/{account}/keys");
    let request = reqwest::Client::new().post(google.apis()?.join(&path)?);
    let made: Value = request
        .bearer_auth(operator)
        .json(&json!({}))
        .send()
        .await?
        .json()
        .await?;
    let encoded = made["privateKeyData"]
        .as_str()
        .with_context(|| made.to_string())?;
    Ok(serde_json::from_slice(&BASE64_STANDARD.decode(encoded)?)?)
}

/// The Secret as it is found: in the Project's namespace, with a label, for this repository.
const HOW_TO_STORE: &str = r"kubectl create secret generic NAME --namespace acme --from-literal=repoURL=europe-docker.pkg.dev/acme-prod/acme/web --from-file=gcpServiceAccountKey=<(base64 -w0 key.json) --dry-run=client -o yaml | kubectl label --local -f - kargo.akuity.io/cred-type=image -o yaml | kubectl apply -f -";

async fn store(installation: &Installation, repo_url: &str, value: &str) -> Result<()> {
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": "key", "namespace": PROJECT, "labels": {"kargo.akuity.io/cred-type": "image"}},
        "stringData": {"repoURL": repo_url, "gcpServiceAccountKey": value},
    });
    installation.world.apply(&secret.to_string()).await
}

fn encoded(file: &Value) -> String {
    BASE64_STANDARD.encode(file.to_string())
}

#[tokio::test]
async fn a_key_in_a_secret_acts_and_does_not_choose_where_it_is_shown() -> Result<()> {
    let installation = Installation::open().await?;
    installation.google.give_account("other")?;
    let mut file = key(&installation, "other").await?;
    file["token_uri"] = json!(TRAP);
    store(&installation, &image_of("other"), &encoded(&file)).await?;
    let access = installation
        .find(PROJECT, Kind::Image, &image_of("other"))
        .await?;
    let identity = access.identity.context("an identity")?;
    assert_eq!(identity.outcome, Outcome::ServiceAccountKey);
    let member = format!("serviceAccount:{}", account_of("other"));
    assert_eq!(identity.identity, Some(member));
    // What no Secret speaks for is still read as the Project itself.
    let outcome = installation
        .outcome(PROJECT, Kind::Image, &image_of(PROJECT))
        .await;
    assert_eq!(outcome, Some(Outcome::OwnServiceAccount));
    Ok(())
}

#[tokio::test]
async fn nobody_is_told_to_let_all_nodes_read_because_a_key_is_theirs() -> Result<()> {
    let installation = Installation::open().await?;
    give_nodes_an_account(&installation)?;
    let file = key_of(&installation, NODE).await?;
    store(&installation, &image_of(PROJECT), &encoded(&file)).await?;
    let access = installation
        .find(PROJECT, Kind::Image, &image_of(PROJECT))
        .await?;
    let Some(Login::AccessToken(token)) = access.login else {
        anyhow::bail!("{access:?}");
    };
    assert_eq!(token.identity(), format!("serviceAccount:{NODE}"));
    assert_eq!(token.grant(&image_of(PROJECT)), "argosy gcp doctor");
    Ok(())
}

#[tokio::test]
async fn a_key_is_for_googles_hosts_only() -> Result<()> {
    let installation = Installation::open().await?;
    let file = key(&installation, PROJECT).await?;
    store(
        &installation,
        "evil.example/x-docker.pkg.dev/y",
        &encoded(&file),
    )
    .await?;
    let access = installation
        .find(PROJECT, Kind::Image, "evil.example/x-docker.pkg.dev/y")
        .await?;
    assert!(access.login.is_none(), "{access:?}");
    Ok(())
}

#[tokio::test]
async fn a_key_that_cannot_be_used_says_why_and_nobody_else_acts() -> Result<()> {
    let installation = Installation::open().await?;
    let external = json!({
        "type": "external_account", "audience": "//iam.googleapis.com/x",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt", "token_url": TRAP,
        "credential_source": {"executable": {"command": "/bin/true"}},
    });
    let mut other_type = key(&installation, PROJECT).await?;
    other_type["type"] = json!("authorized_user");
    let bare = key(&installation, PROJECT).await?.to_string();
    for (value, why, next) in [
        (bare.as_str(), "is not base64", HOW_TO_STORE),
        (
            &encoded(&external),
            r#"the type is "external_account""#,
            "are the operator's",
        ),
        (
            &encoded(&other_type),
            r#"the type is "authorized_user""#,
            "are the operator's",
        ),
        (
            &BASE64_STANDARD.encode("{"),
            "not the JSON of a key",
            "as Google gave it",
        ),
    ] {
        store(&installation, &image_of(PROJECT), value).await?;
        let found = installation
            .find(PROJECT, Kind::Image, &image_of(PROJECT))
            .await;
        let error = found.expect_err(why);
        let told = said(&error);
        assert!(
            matches!(error, Error::Key { .. }) && told.contains(why),
            "{told}"
        );
        assert!(error.hint().contains(next), "{}", error.hint());
        let identity = error.identity().context("it is about identities")?;
        assert_eq!(identity.outcome, Outcome::UnusableKey);
        assert_eq!(identity.next, Some(error.hint()));
        assert!(
            !format!("{error:?} {told}").contains("PRIVATE KEY"),
            "{told}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_secret_that_holds_nothing_of_use_is_passed_over_and_that_is_said() -> Result<()> {
    let installation = Installation::open().await?;
    let passed_over =
        "it is the Project's own; the Secret for the repository holds nothing that is used for it";
    // An empty value is none.
    store(&installation, &image_of(PROJECT), "").await?;
    let access = installation
        .find(PROJECT, Kind::Image, &image_of(PROJECT))
        .await?;
    let identity = access.identity.context("an identity")?;
    assert_eq!(identity.outcome, Outcome::OwnServiceAccount);
    assert_eq!(identity.why, passed_over);
    // Elsewhere nobody is asked for.
    store(&installation, "ghcr.io/acme/web", "").await?;
    let access = installation
        .find(PROJECT, Kind::Image, "ghcr.io/acme/web")
        .await?;
    assert!(
        access.login.is_none() && access.identity.is_none(),
        "{access:?}"
    );
    Ok(())
}

#[tokio::test]
async fn where_kubernetes_does_not_answer_it_is_not_known_who_may_act() -> Result<()> {
    let installation = Installation::open().await?;
    let nowhere = kube::Config::new("http://127.0.0.1:1".parse()?);
    let nowhere = kube::Client::try_from(nowhere)?;
    let credentials =
        Credentials::new(nowhere, Vec::new()).with_google(installation.acting(), true);
    for (repository, is_googles) in [
        (image_of(PROJECT), true),
        ("ghcr.io/acme/web".to_owned(), false),
        (format!("docker.io/{}", image_of(PROJECT)), false),
    ] {
        // The last one is Docker Hub's, and no credential is looked for.
        let found = credentials.find(PROJECT, Kind::Image, &repository).await;
        let Err(error) = found else {
            assert!(!is_googles, "{repository}");
            continue;
        };
        let identity = credentials.identity_of(Kind::Image, &repository, &error);
        assert_eq!(identity.is_some(), is_googles, "{repository}: {error}");
        let Some(identity) = identity else { continue };
        assert_eq!(identity.outcome, Outcome::Unavailable);
        assert_eq!(identity.next, Some(error.hint()));
    }
    Ok(())
}

/// The error with its causes.
fn said(error: &dyn std::error::Error) -> String {
    let cause = error.source().map(said).unwrap_or_default();
    format!("{error}: {cause}")
}
