//! What becomes of the settings, and of a metadata server that is late.

use std::time::Duration;

use axum::Router;
use axum::routing::get;
use clap::Parser;
use tempfile::TempDir;
use tokio::net::TcpSocket;

use super::*;

#[derive(Parser)]
struct Command {
    #[command(flatten)]
    google: args::Google,
}

fn arguments(flags: &[&str]) -> args::Google {
    let all = ["argosy"].into_iter().chain(flags.iter().copied());
    Command::try_parse_from(all).expect("flags").google
}

const FILE: &str = r#"{
    "type": "external_account",
    "audience": "identitynamespace:acme-gke.svc.id.goog:https://container.googleapis.com/v1/projects/acme-gke/locations/l/clusters/c",
    "credential_source": {"file": "/var/run/token"}
}"#;

/// Writes a credential file, and says where it is.
fn credentials(json: &str) -> (TempDir, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("credentials.json");
    fs::write(&path, json).expect("a file");
    let flag = format!("--gcp-credentials={}", path.display());
    (folder, flag)
}

#[test]
fn what_is_asked_for_is_what_the_flags_say() {
    let plain = settings(&arguments(&[]), None, None).expect("settings");
    assert!(matches!(plain.base, Base::Metadata));
    assert_eq!(plain.lifetime, Duration::from_hours(1));
    assert_eq!((plain.project, plain.account), (None, None));
    assert_eq!(plain.endpoints, Endpoints::default());

    let (_folder, file) = credentials(FILE);
    let flags = [&file, "--gcp-token-lifetime=15m", "--gcp-project=acme-prod"];
    let account = KubernetesAccount::new("argosy", "controller");
    let chosen = settings(&arguments(&flags), None, Some(account.clone())).expect("settings");
    assert!(matches!(chosen.base, Base::ExternalAccount(_)));
    assert_eq!(chosen.lifetime, Duration::from_mins(15));
    let project = chosen.project.expect("a project");
    assert_eq!(project.as_str(), "acme-prod");
    assert_eq!(chosen.account, Some(account));
}

#[test]
fn flags_that_make_no_sense_are_refused() {
    for flag in [
        "--gcp-token-lifetime=10s",
        "--gcp-token-lifetime=13h",
        "--gcp-token-scope=everything",
        "--gcp-identity-fallback=maybe",
        "--gcp-project=Acme",
        "--gcp-endpoint=sts=http://10.0.0.1",
    ] {
        let parsed = Command::try_parse_from(["argosy", flag]);
        assert!(parsed.is_err(), "{flag}");
    }
    let unknown = arguments(&["--gcp-endpoint=compute=https://x.test"]);
    let error = settings(&unknown, None, None).expect_err("no such service");
    assert!(
        error.to_string().contains("--gcp-endpoint compute"),
        "{error}"
    );
    let error = settings(&arguments(&[]), Some("http://x"), None).expect_err("no host");
    assert!(error.to_string().starts_with(METADATA_HOST), "{error}");
}

#[test]
fn a_flag_names_the_metadata_server_more_closely_than_the_environment() {
    let host = Some("127.0.0.1:8085");
    for (flags, metadata) in [
        (&[][..], "http://127.0.0.1:8085/"),
        (
            &["--gcp-endpoint=metadata=http://127.0.0.1:9"],
            "http://127.0.0.1:9/",
        ),
        (
            &["--gcp-endpoint=all=http://127.0.0.1:9"],
            "http://127.0.0.1:8085/",
        ),
    ] {
        let settings = settings(&arguments(flags), host, None).expect("settings");
        assert_eq!(settings.endpoints.metadata.as_str(), metadata, "{flags:?}");
    }
}

#[test]
fn a_credential_file_that_cannot_be_used_says_so_and_what_to_do() {
    for (json, says) in [
        (r#"{"type": "authorized_user"}"#, "the type is"),
        ("{", "not JSON"),
        (r#"{"type": "service_account"}"#, "private_key is not"),
        (&FILE.replace("identitynamespace", "x"), "audience"),
        (&FILE.replace(r#""file""#, r#""url""#), "names no file"),
    ] {
        let (_folder, file) = credentials(json);
        let error = settings(&arguments(&[&file]), None, None).expect_err(json);
        let said = error.to_string();
        assert!(said.contains(says) && said.contains("; "), "{json}: {said}");
    }
    let nowhere = arguments(&["--gcp-credentials=/nowhere/file"]);
    let error = settings(&nowhere, None, None).expect_err("no file");
    assert!(error.to_string().contains("/nowhere/file"), "{error}");
}

#[tokio::test]
async fn a_metadata_server_that_is_late_is_waited_for_and_the_metric_says_so() {
    let socket = TcpSocket::new_v4().expect("a socket");
    let any = "127.0.0.1:0".parse().expect("an address");
    socket.bind(any).expect("a port");
    let host = socket.local_addr().expect("an address").to_string();
    let settings = settings(&arguments(&[]), Some(&host), None).expect("settings");
    let clock: gcp::Clock = Arc::new(jiff::Timestamp::now);
    let (refused, mut was_refused) = tokio::sync::mpsc::unbounded_channel();
    let observer: gcp::Observer = Arc::new(move |call: &Call<'_>| {
        refused.send(call.outcome).ok();
    });
    let identities = Identities::new(settings, &clock, &observer);
    let ready = Gauge::default();
    let waiting = tokio::spawn(wait(identities, ready.clone()));
    assert_eq!(was_refused.recv().await, Some("unreachable"));
    assert_eq!(ready.get(), 0);
    let answer = || async { ([("metadata-flavor", "Google")], "acme-gke") };
    let router = Router::new().route("/computeMetadata/v1/project/project-id", get(answer));
    let listener = socket.listen(8).expect("a listener");
    tokio::spawn(async move { axum::serve(listener, router).await });
    waiting.await.expect("no panic");
    assert_eq!(ready.get(), 1);
}
