//! Controllers outside Google, by the operator's credential file.

use super::kubernetes::field;
use super::*;
use crate::Endpoints;
use crate::external_account::ExternalAccount;
use crate::sts::{PoolProvider, Provider};

const PROVIDER: &str = "//iam.googleapis.com/projects/4711/locations/global/workloadIdentityPools/on-prem/providers/cluster";
const OF_CLUSTER: &str = "identitynamespace:acme-gke.svc.id.goog:https://container.googleapis.com/v1/projects/acme-gke/locations/l/clusters/c";

fn file(server: &Loopback, token: &std::path::Path, impersonated: bool) -> String {
    file_for(PROVIDER, server, token, impersonated)
}

fn file_for(
    audience: &str,
    server: &Loopback,
    token: &std::path::Path,
    impersonated: bool,
) -> String {
    let url = &server.url;
    let impersonation = format!(
        r#","service_account_impersonation_url":"{url}named/serviceAccounts/argosy@acme-hub.iam.gserviceaccount.com:generateAccessToken""#
    );
    format!(
        r#"{{"type":"external_account","audience":"{audience}","token_url":"{url}elsewhere","credential_source":{{"file":{token:?}}}{}}}"#,
        if impersonated {
            impersonation.as_str()
        } else {
            ""
        }
    )
}

/// The operator sends nothing elsewhere, so the file says where it goes.
fn identities_of(file: &str, endpoints: Endpoints, hands: &Hands) -> Identities {
    let external = ExternalAccount::parse(file.as_bytes()).expect("a file");
    let mut settings = Settings::new(endpoints);
    settings.base = Base::ExternalAccount(Box::new(external));
    crate::loopback::identities(settings, hands)
}

/// A token of an account, as Kubernetes makes it, but for the signature.
fn jwt(subject: &str) -> String {
    let key = jsonwebtoken::EncodingKey::from_secret(b"of nobody");
    let claims = serde_json::json!({"sub": subject});
    jsonwebtoken::encode(&jsonwebtoken::Header::default(), &claims, &key).expect("a token")
}

#[tokio::test]
async fn outside_google_the_operators_file_leads_to_a_token() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("token");
    let (server, hands) = (Loopback::start().await, Hands::new());
    let federated = [Reply::new(200, &granted("federated", 3_599))];
    server.answer("/elsewhere", federated);
    server.answer("generateAccessToken", [hour("hub", 0)]);
    for (impersonated, name, identity) in [
        (
            false,
            "ya29.federated",
            "principalSet://iam.googleapis.com/projects/4711/locations/global/workloadIdentityPools/on-prem/*",
        ),
        (
            true,
            "ya29.hub",
            "serviceAccount:argosy@acme-hub.iam.gserviceaccount.com",
        ),
    ] {
        let file = file(&server, &path, impersonated);
        let identities = identities_of(&file, Endpoints::default(), &hands);
        std::fs::remove_file(&path).ok();
        let error = identities
            .base(Scope::ReadOnly)
            .await
            .expect_err("no token file");
        assert_eq!(error.label(), "configuration");
        std::fs::write(&path, "the-jwt\n").expect("a file");
        let token = identities.base(Scope::ReadOnly).await.expect("a token");
        assert_eq!(shown(&token), (name, identity.to_owned()));
    }
    let asked = server.seen("/elsewhere");
    assert_eq!(field(&asked[0].body, "subject_token"), "the-jwt");
    assert!(server.seen("/named/").len() == 1);
    assert!(server.seen("computeMetadata").is_empty());
}

#[tokio::test]
async fn an_endpoint_that_the_operator_names_comes_before_the_files() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("token");
    std::fs::write(&path, "the-jwt\n").expect("a file");
    let (server, named, hands) = (
        Loopback::start().await,
        Loopback::start().await,
        Hands::new(),
    );
    named.answer("/v1/token", [Reply::new(200, &granted("federated", 3_599))]);
    named.answer("generateAccessToken", [hour("hub", 0)]);
    let identities = identities_of(&file(&server, &path, true), named.endpoints(), &hands);
    let token = identities.base(Scope::ReadOnly).await.expect("a token");
    assert_eq!(shown(&token).0, "ya29.hub");
    let path = "/v1/projects/-/serviceAccounts/argosy@acme-hub.iam.gserviceaccount.com:generateAccessToken";
    assert_eq!(named.seen("generateAccessToken")[0].uri.path(), path);
    assert!(
        server.seen("/").is_empty(),
        "the file's addresses are not asked"
    );
}

#[tokio::test]
async fn whose_token_the_file_names_says_the_token() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("token");
    let (server, hands) = (Loopback::start().await, Hands::new());
    let pool = "principal://iam.googleapis.com/projects/4711/locations/global/workloadIdentityPools/on-prem/subject";
    for (audience, subject, identity) in [
        (
            PROVIDER,
            "system:serviceaccount:argosy:controller",
            format!("{pool}/system:serviceaccount:argosy:controller"),
        ),
        (
            OF_CLUSTER,
            "system:serviceaccount:argosy:controller",
            "serviceAccount:acme-gke.svc.id.goog[argosy/controller]".to_owned(),
        ),
        (OF_CLUSTER, "somebody", "acme-gke.svc.id.goog".to_owned()),
    ] {
        std::fs::write(&path, jwt(subject)).expect("a file");
        let federated = [Reply::new(200, &granted("federated", 3_599))];
        server.answer("/elsewhere", federated);
        let file = file_for(audience, &server, &path, false);
        let identities = identities_of(&file, Endpoints::default(), &hands);
        let token = identities.base(Scope::ReadOnly).await.expect("a token");
        assert_eq!(token.identity.to_string(), identity, "{audience} {subject}");
        let asked = server.seen("/elsewhere");
        let body = &asked.last().expect("an exchange").body;
        assert_eq!(field(body, "audience"), audience);
    }
}

#[tokio::test]
async fn a_cluster_at_google_without_its_metadata_server_has_a_project_and_exchanges_accounts() {
    let folder = tempfile::tempdir().expect("a folder");
    let (server, hands) = (Loopback::start().await, Hands::new());
    server.answer("/v1/token", [Reply::new(200, &granted("web", 3_599))]);
    let file = file_for(OF_CLUSTER, &server, &folder.path().join("token"), false);
    let identities = identities_of(&file, server.endpoints(), &hands);
    let project = identities.project().await.expect("a project");
    assert_eq!(project.as_str(), "acme-gke");
    let account = KubernetesAccount::new("web", "argosy-gcp");
    let request = |audience: String| async move {
        Ok::<_, std::io::Error>(Secret::new(format!("jwt for {audience}")))
    };
    let token = identities.kubernetes(&account, "u-1", Scope::ReadOnly, request);
    let token = token.await.expect("a token");
    let member = "serviceAccount:acme-gke.svc.id.goog[web/argosy-gcp]";
    assert_eq!(token.identity.to_string(), member);
    let asked = server.seen("/v1/token");
    assert_eq!(field(&asked[0].body, "audience"), OF_CLUSTER);
    assert_eq!(
        field(&asked[0].body, "subject_token"),
        "jwt for acme-gke.svc.id.goog"
    );
    // The pool of a fleet does not say in which project accounts are.
    let fleet = OF_CLUSTER.replacen("acme-gke", "fleet-host", 1);
    let file = file_for(&fleet, &server, &folder.path().join("token"), false);
    let identities = identities_of(&file, server.endpoints(), &hands);
    assert!(matches!(
        identities.project().await,
        Err(TokenError::NoProject)
    ));
}

#[tokio::test]
async fn outside_google_the_project_must_be_named() {
    let (server, hands) = (Loopback::start().await, Hands::new());
    let text = file(&server, std::path::Path::new("token"), false);
    let external = ExternalAccount::parse(text.as_bytes()).expect("a file");
    let mut settings = Settings::new(server.endpoints());
    settings.base = Base::ExternalAccount(Box::new(external));
    let identities = crate::loopback::identities(settings, &hands);
    let error = identities.project().await.expect_err("no project");
    assert!(error.hint().contains("--gcp-project"));
    let provider = identities.provider().await.expect("a provider");
    assert_eq!(
        provider,
        Provider::Pool(PoolProvider::parse(PROVIDER).expect("a provider"))
    );
}

/// What is said of the account in the file is not said of the Project's.
#[tokio::test]
async fn a_word_about_the_files_own_account_is_none_about_the_projects() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("token");
    std::fs::write(&path, "the-jwt").expect("a file");
    for (status, body) in [
        (
            404,
            r#"{"error":{"code":404,"status":"NOT_FOUND","message":"Not found; Gaia id not found for email argosy@acme-hub.iam.gserviceaccount.com"}}"#,
        ),
        (
            403,
            r#"{"error":{"code":403,"status":"PERMISSION_DENIED","message":"Permission 'iam.serviceAccounts.getAccessToken' denied on resource (or it may not exist).","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"IAM_PERMISSION_DENIED","domain":"iam.googleapis.com","metadata":{"permission":"iam.serviceAccounts.getAccessToken"}}]}}"#,
        ),
    ] {
        let (server, hands) = (Loopback::start().await, Hands::new());
        server.answer(
            "/elsewhere",
            [Reply::new(200, &granted("federated", 3_599))],
        );
        server.answer("generateAccessToken", [Reply::new(status, body)]);
        let file = file(&server, &path, true);
        let mut settings = Settings::new(Endpoints::default());
        let external = ExternalAccount::parse(file.as_bytes()).expect("a file");
        settings.base = Base::ExternalAccount(Box::new(external));
        settings.project = Some("acme-hub".parse().expect("a project"));
        let identities = crate::loopback::identities(settings, &hands);
        let base = identities.base(Scope::CloudPlatform).await;
        assert!(base.expect_err("it is refused").is_definite(), "{status}");
        let own = identities.own("web", Scope::ReadOnly).await;
        let error = own.expect_err("nobody asked for it");
        assert!(!error.is_definite(), "{error}");
        assert!(error.to_string().contains("argosy@acme-hub"), "{error}");
    }
}
