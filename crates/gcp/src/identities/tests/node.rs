//! Whose tokens the metadata server gives: a Pod's, a fleet's, or the node's, which nobody acts as.

use super::*;

const CUSTOM: &str = "nodes@acme-gke.iam.gserviceaccount.com";
const DEFAULT: &str = "4711-compute@developer.gserviceaccount.com";
const OF_GKE: &str = "GKE Metadata Server";
const OF_NODE: &str = "Metadata Server for VM";

fn controller() -> KubernetesAccount {
    KubernetesAccount::new("argosy", "controller")
}

/// A metadata server that calls itself so and gives tokens of an account.
async fn served(
    server: &str,
    email: &str,
    account: Option<KubernetesAccount>,
) -> (Loopback, Hands, Identities) {
    let (google, hands, identities) = gke_with(|it| it.account = account).await;
    let email = Reply::metadata(email).header("server", server);
    google.answer("default/email", [email]);
    (google, hands, identities)
}

#[tokio::test]
async fn the_account_of_a_node_is_not_taken_for_the_controllers_and_its_token_is_not_asked_for() {
    for (server, email, account) in [
        (OF_NODE, DEFAULT, None),
        (OF_NODE, DEFAULT, Some(controller())),
        (OF_GKE, DEFAULT, Some(controller())),
        (OF_NODE, CUSTOM, Some(controller())),
    ] {
        let case = format!("{server}, {email}, {account:?}");
        let (google, hands, identities) = served(server, email, account).await;
        let forbidden = r#"{"error":{"code":403,"status":"PERMISSION_DENIED","message":"The caller does not have permission"}}"#;
        google.answer("generateAccessToken", [Reply::new(403, forbidden)]);
        for _ in 0..2 {
            let base = identities.base(Scope::ReadOnly).await;
            let own = identities.own("web", Scope::ReadOnly).await;
            for error in [base, own].map(|it| it.expect_err(&case)) {
                assert_eq!(error.label(), "of-node", "{case}");
                assert!(!error.is_definite(), "{case}");
                let message = error.to_string();
                assert!(message.contains(email), "{case}: {message}");
                let hint = error.hint();
                for named in ["hostNetwork", "NODEPOOL-MODE", "argosy gcp doctor"] {
                    assert!(hint.contains(named), "{case}: {hint}");
                }
            }
        }
        assert!(google.seen("default/token").is_empty(), "{case}");
        assert!(google.seen("generateAccessToken").is_empty(), "{case}");
        // For each scope it is found out once in half a minute.
        assert_eq!(google.seen("default/email").len(), 2, "{case}");
        google.answer_as_gke();
        google.answer("generateAccessToken", [hour("web", 61)]);
        hands.advance(61);
        let token = identities.own("web", Scope::ReadOnly).await;
        assert!(token.is_ok(), "it is mended: {case}: {token:?}");
    }
}

/// While a node starts, either server may answer, request by request.
#[tokio::test]
async fn a_token_that_the_node_gives_under_the_name_of_the_pod_is_not_taken() {
    let (google, hands, identities) =
        served(OF_GKE, "acme-gke.svc.id.goog", Some(controller())).await;
    let of_node = Reply::metadata(&granted("node", 3_599)).header("server", OF_NODE);
    google.answer("default/token", [of_node]);
    google.answer("generateAccessToken", [hour("web", 0)]);
    let base = identities.base(Scope::ReadOnly).await;
    let own = identities.own("web", Scope::ReadOnly).await;
    for error in [base, own].map(|it| it.expect_err("it is of the node")) {
        assert_eq!(error.label(), "of-node");
        assert!(!error.is_definite());
    }
    assert!(google.seen("generateAccessToken").is_empty());
    google.answer_as_gke();
    google.answer("generateAccessToken", [hour("web", 61)]);
    hands.advance(61);
    let token = identities.own("web", Scope::ReadOnly).await;
    assert!(token.is_ok(), "it is mended: {token:?}");
}

#[tokio::test]
async fn a_token_that_was_had_serves_while_the_node_answers_and_is_not_renewed_as_the_node() {
    let (google, hands, identities) = served(OF_GKE, "acme-gke.svc.id.goog", None).await;
    google.answer("generateAccessToken", [hour("web", 0)]);
    assert!(identities.own("web", Scope::ReadOnly).await.is_ok());
    google.answer("default/email", [Reply::metadata(DEFAULT)]);
    hands.advance(3_200);
    let token = identities.own("web", Scope::ReadOnly).await;
    assert!(token.is_ok(), "it is still fresh: {token:?}");
    hands.advance(110);
    let error = identities.own("web", Scope::ReadOnly).await;
    assert_eq!(error.expect_err("it is due").label(), "of-node");
    assert_eq!(google.seen("generateAccessToken").len(), 1);
}

#[tokio::test]
async fn accounts_that_somebody_chose_act() {
    for (server, account) in [
        // The Kubernetes account is annotated.
        (OF_GKE, Some(controller())),
        // On a virtual machine that runs no Pods.
        (OF_NODE, None),
    ] {
        let (_google, _, identities) = served(server, CUSTOM, account).await;
        let token = identities.base(Scope::ReadOnly).await.expect(server);
        assert_eq!(
            token.identity.to_string(),
            format!("serviceAccount:{CUSTOM}")
        );
    }
}

#[tokio::test]
async fn in_a_fleet_nobody_is_named_by_the_clusters_number() {
    let fleet = "fleet-host.svc.id.goog";
    let (google, _, identities) = served(OF_GKE, fleet, Some(controller())).await;
    let token = identities
        .base(Scope::CloudPlatform)
        .await
        .expect("a token");
    let member = format!("serviceAccount:{fleet}[argosy/controller]");
    assert_eq!(token.identity.to_string(), member);
    let forbidden = r#"{"error":{"code":403,"status":"PERMISSION_DENIED","message":"The caller does not have permission"}}"#;
    google.answer("generateAccessToken", [Reply::new(403, forbidden)]);
    let own = identities.own("web", Scope::ReadOnly).await;
    let error = own.expect_err("forbidden");
    assert!(error.is_definite());
    let hint = error.hint();
    assert!(hint.ends_with(&format!("--member='{member}'")), "{hint}");
    let provider = identities.provider().await.expect("a provider");
    assert_eq!(provider.kubernetes_audience(), fleet);
    assert!(
        provider
            .audience()
            .starts_with(&format!("identitynamespace:{fleet}:https://container."))
    );
}
