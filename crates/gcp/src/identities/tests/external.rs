//! Controllers outside Google, by the operator's credential file.

use super::kubernetes::field;
use super::*;
use crate::external_account::ExternalAccount;
use crate::sts::{PoolProvider, Provider};

fn file(server: &Loopback, token: &std::path::Path, impersonated: bool) -> String {
    let url = &server.url;
    let impersonation = format!(
        r#","service_account_impersonation_url":"{url}v1/projects/-/serviceAccounts/argosy@acme-hub.iam.gserviceaccount.com:generateAccessToken""#
    );
    format!(
        r#"{{"type":"external_account","audience":"//iam.googleapis.com/projects/4711/locations/global/workloadIdentityPools/on-prem/providers/cluster","token_url":"{url}elsewhere","credential_source":{{"file":{token:?}}}{}}}"#,
        if impersonated {
            impersonation.as_str()
        } else {
            ""
        }
    )
}

#[tokio::test]
async fn outside_google_the_operators_file_leads_to_a_token() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("token");
    let (server, hands) = (Loopback::start().await, Hands::new());
    server.answer(
        "/elsewhere",
        [Reply::new(200, &granted("federated", 3_599))],
    );
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
        let external = ExternalAccount::parse(file(&server, &path, impersonated).as_bytes());
        let mut settings = Settings::new(server.endpoints());
        settings.base = Base::ExternalAccount(Box::new(external.expect("a file")));
        let identities = crate::loopback::identities(settings, &hands);
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
    assert!(server.seen("computeMetadata").is_empty());
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
    let audience = "//iam.googleapis.com/projects/4711/locations/global/workloadIdentityPools/on-prem/providers/cluster";
    assert_eq!(
        provider,
        Provider::Pool(PoolProvider::parse(audience).expect("a provider"))
    );
}
