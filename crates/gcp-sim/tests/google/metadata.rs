//! The metadata server: who a pod is, and what it is given.

use anyhow::Result;
use gcp_sim::{Effect, NotReady, ResourceName};
use http::StatusCode;
use jiff::SignedDuration;
use serde_json::json;

use crate::talk::{API, Talk, send};

#[tokio::test]
async fn a_pod_without_an_annotation_is_its_pool() -> Result<()> {
    let talk = Talk::start().await?;
    for (path, expected) in [
        ("project/project-id", "acme-prod"),
        ("project/numeric-project-id", "123456789012"),
        ("instance/attributes/cluster-name", "main"),
        ("instance/attributes/cluster-location", "europe-west1"),
        (
            "instance/service-accounts/default/email",
            "acme-prod.svc.id.goog",
        ),
        ("instance/service-accounts/default/aliases", "default"),
    ] {
        let reply = talk.metadata("controller", path).await?;
        assert_eq!(reply.text, expected, "{path}");
        assert_eq!(reply.headers["metadata-flavor"], "Google");
        assert_eq!(reply.headers["server"], "GKE Metadata Server");
        assert_eq!(reply.headers["content-type"], "application/text");
    }
    Ok(())
}

#[tokio::test]
async fn directories_are_listed_and_end_in_a_slash() -> Result<()> {
    let talk = Talk::start().await?;
    let moved = talk
        .metadata("controller", "instance/service-accounts?x=1")
        .await?;
    assert_eq!(moved.status, 301);
    assert_eq!(
        moved.headers["location"],
        "/computeMetadata/v1/instance/service-accounts/?x=1"
    );
    let listing = talk
        .metadata("controller", "instance/service-accounts/")
        .await?;
    assert_eq!(listing.text, "acme-prod.svc.id.goog/\ndefault/\n");
    let missing = talk.metadata("controller", "instance/kube-env").await?;
    assert_eq!(missing.status, 404);
    Ok(())
}

#[tokio::test]
async fn recursive_answers_are_json_in_camel_case_without_tokens() -> Result<()> {
    let talk = Talk::start().await?;
    let path = "instance/service-accounts/default/?recursive=true";
    let reply = talk.metadata("controller", path).await?;
    assert_eq!(reply.headers["content-type"], "application/json");
    let scopes = [
        "https://www.googleapis.com/auth/cloud-platform",
        "https://www.googleapis.com/auth/userinfo.email",
    ];
    let expected =
        json!({"aliases": ["default"], "email": "acme-prod.svc.id.goog", "scopes": scopes});
    assert_eq!(reply.json()?, expected);
    let project = talk
        .metadata("controller", "project/?recursive=true")
        .await?;
    let expected = json!({"numericProjectId": 123_456_789_012_u64, "projectId": "acme-prod"});
    assert_eq!(project.json()?, expected);
    Ok(())
}

#[tokio::test]
async fn the_header_is_wanted_everywhere_but_at_the_root() -> Result<()> {
    let talk = Talk::start().await?;
    let address = talk.simulator.metadata["controller"];
    let root = send(talk.http.get(format!("http://{address}/"))).await?;
    assert_eq!(
        (
            root.status.as_u16(),
            root.headers["metadata-flavor"].as_bytes()
        ),
        (200, &b"Google"[..])
    );
    let url = format!("http://{address}/computeMetadata/v1/project/project-id");
    let bare = send(talk.http.get(&url)).await?;
    assert_eq!(bare.status, 403);
    let forwarded = talk
        .http
        .get(&url)
        .header("Metadata-Flavor", "Google")
        .header("X-Forwarded-For", "10.0.0.1");
    assert_eq!(send(forwarded).await?.status, 403);
    Ok(())
}

#[tokio::test]
async fn a_token_is_given_again_until_it_nearly_expires() -> Result<()> {
    let talk = Talk::start().await?;
    let first = talk.pod_token("controller").await?;
    talk.google().clock().advance(SignedDuration::from_mins(55));
    assert_eq!(talk.pod_token("controller").await?, first);
    talk.google().clock().advance(SignedDuration::from_secs(70));
    assert_ne!(talk.pod_token("controller").await?, first);
    Ok(())
}

#[tokio::test]
async fn an_annotated_pod_is_told_what_iam_said() -> Result<()> {
    let talk = Talk::start().await?;
    let path = "instance/service-accounts/default/token";
    let email = talk
        .metadata("annotated", "instance/service-accounts/default/email")
        .await?;
    assert_eq!(email.text, API);
    let denied = talk.metadata("annotated", path).await?;
    assert_eq!(denied.status, 403);
    let beginning = "Unable to generate access token; IAM returned 403 Forbidden: Permission \
        'iam.serviceAccounts.getAccessToken' denied on resource (or it may not exist).\n";
    assert!(denied.text.starts_with(beginning), "{}", denied.text);
    let member = "serviceAccount:acme-prod.svc.id.goog[argosy/other]";
    let account = ResourceName::service_account("acme-prod", API);
    talk.google()
        .grant("roles/iam.workloadIdentityUser", member, &account)?;
    assert_eq!(talk.metadata("annotated", path).await?.status, 200);
    talk.google().delete_account(API)?;
    talk.google().clock().advance(SignedDuration::from_hours(1));
    let gone = talk.metadata("annotated", path).await?;
    let expected = format!(
        "Unable to generate access token; IAM returned 404 Not Found: Not found; Gaia id not found for email {API}\n"
    );
    assert_eq!((gone.status.as_u16(), gone.text), (404, expected));
    Ok(())
}

#[tokio::test]
async fn an_annotated_pod_hears_of_every_trouble_of_iam() -> Result<()> {
    let talk = Talk::start().await?;
    let credentials = "iamcredentials.googleapis.com";
    let member = "serviceAccount:acme-prod.svc.id.goog[argosy/other]";
    let account = ResourceName::service_account("acme-prod", API);
    talk.google()
        .grant("roles/iam.workloadIdentityUser", member, &account)?;
    let paths = [
        ("access", "instance/service-accounts/default/token"),
        (
            "identity",
            "instance/service-accounts/default/identity?audience=a",
        ),
    ];
    for (effect, said) in [
        (
            Effect::Unavailable,
            "503 Service Unavailable: The service is currently unavailable.",
        ),
        (
            Effect::Vpcsc {
                uid: "u-1".to_owned(),
            },
            "403 Forbidden: Request is prohibited by organization's policy.",
        ),
        (
            Effect::ServiceDisabled,
            "403 Forbidden: IAM Service Account Credentials API has not been used in project",
        ),
        (Effect::GsaMissing, "404 Not Found: Not found; Gaia id"),
    ] {
        let fault = talk.google().inject(effect.on(credentials));
        for (kind, path) in paths {
            let reply = talk.metadata("annotated", path).await?;
            let beginning = format!("Unable to generate {kind} token; IAM returned {said}");
            assert!(reply.text.starts_with(&beginning), "{}", reply.text);
            assert_eq!(reply.status.as_str(), &said[..3]);
        }
        talk.google().mend(fault);
    }
    talk.google()
        .inject(Effect::TruncatedJson.on(credentials).times(1));
    assert_eq!(talk.metadata("annotated", paths[0].1).await?.status, 500);
    talk.google().disable_api("acme-prod", credentials)?;
    assert_eq!(talk.metadata("annotated", paths[0].1).await?.status, 403);
    talk.google().enable_api("acme-prod", credentials)?;
    for (_, path) in paths {
        assert_eq!(talk.metadata("annotated", path).await?.status, 200);
    }
    Ok(())
}

#[tokio::test]
async fn the_nodes_server_shows_itself_in_every_answer() -> Result<()> {
    let talk = Talk::start().await?;
    for (pod, server) in [
        ("on-host", "Metadata Server for VM"),
        ("controller", "GKE Metadata Server"),
    ] {
        let address = talk.simulator.metadata[pod];
        for path in [
            "",
            "computeMetadata/v1/",
            "elsewhere",
            "computeMetadata/v1/none",
        ] {
            let url = format!("http://{address}/{path}");
            let bare = send(talk.http.get(&url)).await?;
            let flavored = send(talk.http.get(&url).header("Metadata-Flavor", "Google")).await?;
            for reply in [bare, flavored] {
                assert_eq!(reply.headers["server"], server, "{pod} {path}");
                let is_of_node = pod == "on-host";
                for name in ["etag", "x-xss-protection", "x-frame-options"] {
                    assert_eq!(reply.headers.contains_key(name), is_of_node, "{name}");
                }
            }
        }
    }
    Ok(())
}

#[tokio::test]
async fn everything_below_can_be_had_as_lines() -> Result<()> {
    let talk = Talk::start().await?;
    let path = "instance/service-accounts/?recursive=true&alt=text";
    let lines = talk.metadata("controller", path).await?;
    assert_eq!(lines.headers["content-type"], "application/text");
    let email = "default/email acme-prod.svc.id.goog";
    assert!(lines.text.lines().any(|it| it == email), "{}", lines.text);
    assert!(!lines.text.contains("token"), "{}", lines.text);
    Ok(())
}

#[tokio::test]
async fn on_the_nodes_network_the_node_answers() -> Result<()> {
    let talk = Talk::start().await?;
    let email = talk
        .metadata("on-host", "instance/service-accounts/default/email")
        .await?;
    assert_eq!(
        email.text,
        "123456789012-compute@developer.gserviceaccount.com"
    );
    assert_eq!(email.headers["server"], "Metadata Server for VM");
    let attributes = "instance/attributes/";
    let of_node = talk.metadata("on-host", attributes).await?.text;
    let of_pod = talk.metadata("controller", attributes).await?.text;
    // By this alone a pod can tell whose server answers where both know the cluster.
    assert!(of_node.lines().any(|it| it == "kube-env"), "{of_node}");
    assert!(!of_pod.contains("kube-env"), "{of_pod}");
    Ok(())
}

#[tokio::test]
async fn an_identity_token_needs_an_audience_and_an_account() -> Result<()> {
    let talk = Talk::start().await?;
    let path = "instance/service-accounts/default/identity";
    assert_eq!(talk.metadata("on-host", path).await?.status, 400);
    assert_eq!(
        talk.metadata("controller", &format!("{path}?audience=a"))
            .await?
            .status,
        404
    );
    let token = talk
        .metadata("on-host", &format!("{path}?audience=a"))
        .await?;
    assert_eq!(
        (token.status.as_u16(), token.text.split('.').count()),
        (200, 3)
    );
    Ok(())
}

#[tokio::test]
async fn a_server_that_is_not_ready_becomes_ready() -> Result<()> {
    let talk = Talk::start().await?;
    let path = "instance/service-accounts/default/token";
    for (how, status) in [(NotReady::NotFound, 404), (NotReady::ErrorText, 500)] {
        let fault = talk
            .google()
            .inject(Effect::MetadataNotReady { how }.everywhere());
        assert_eq!(talk.metadata("controller", path).await?.status, status);
        talk.google().mend(fault);
    }
    let fault = talk.google().inject(
        Effect::MetadataNotReady {
            how: NotReady::Refuse,
        }
        .everywhere(),
    );
    talk.metadata("controller", path)
        .await
        .expect_err("the connection is dropped");
    talk.google().mend(fault);
    assert_eq!(talk.metadata("controller", path).await?.status, 200);
    Ok(())
}

#[tokio::test]
async fn tokens_can_be_old_or_dead_on_arrival() -> Result<()> {
    let talk = Talk::start().await?;
    let path = "instance/service-accounts/default/token";
    let fault = talk
        .google()
        .inject(Effect::MetadataNearExpiry { seconds: 90 }.everywhere());
    let old = talk.metadata("controller", path).await?.json()?;
    let left = old["expires_in"].as_u64().unwrap_or_default();
    assert!((85..=90).contains(&left), "{left}");
    let again = talk.metadata("controller", path).await?.json()?;
    assert_eq!(again["access_token"], old["access_token"]);
    talk.google().mend(fault);
    // Less than a minute is too little to be given out again.
    let fault = talk
        .google()
        .inject(Effect::MetadataNearExpiry { seconds: 45 }.everywhere());
    let first = talk.metadata("controller", path).await?.json()?;
    let second = talk.metadata("controller", path).await?.json()?;
    assert_ne!(first["access_token"], second["access_token"]);
    talk.google().mend(fault);
    talk.google()
        .inject(Effect::MetadataExpired.everywhere().times(1));
    assert_eq!(
        talk.metadata("controller", path).await?.json()?["expires_in"],
        0
    );
    Ok(())
}

#[tokio::test]
async fn the_universe_is_told_only_where_it_is_another() -> Result<()> {
    let talk = Talk::start().await?;
    let spellings = ["universe/universe-domain", "universe/universe_domain"];
    for path in spellings {
        assert_eq!(
            talk.metadata("controller", path).await?.status,
            StatusCode::NOT_FOUND
        );
    }
    talk.google()
        .change(|world| "universe.example".clone_into(&mut world.universe_domain));
    for path in spellings {
        assert_eq!(
            talk.metadata("controller", path).await?.text,
            "universe.example"
        );
    }
    Ok(())
}
