//! Flags of `argosy up` about identities, seen from Google: what is asked for, where, and as whom.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use testkit::servers::{Argosy, wait};

use crate::binary;

const LIMIT: Duration = Duration::from_secs(20);
const AUDIENCE: &str = "identitynamespace:acme-prod.svc.id.goog:https://container.googleapis.com/v1/projects/acme-prod/locations/europe-west1/clusters/main";

const MANIFESTS: &str = "\
apiVersion: kargo.akuity.io/v1alpha1
kind: Project
metadata: {name: web}
---
apiVersion: kargo.akuity.io/v1alpha1
kind: Warehouse
metadata: {name: web, namespace: web}
spec:
  subscriptions:
    - image: {repoURL: europe-west1-docker.pkg.dev/acme-prod/apps/web}
";

/// A path with its body.
type Request = (String, String);

/// In Google's place: notes what is asked, and gives tokens.
struct Google {
    address: String,
    seen: Arc<Mutex<Vec<Request>>>,
}

impl Google {
    fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?.to_string();
        let seen = Arc::<Mutex<Vec<Request>>>::default();
        let noted = Arc::clone(&seen);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // Whoever hangs up is told nothing.
                answer(stream, &noted).ok();
            }
        });
        Ok(Self { address, seen })
    }

    /// Waits until a path that contains `part` was asked for, and gives the path and the body.
    fn asked(&self, part: &str) -> Result<Request> {
        wait(part, LIMIT, || {
            let seen = self.seen.lock().unwrap();
            Ok(seen.iter().find(|(path, _)| path.contains(part)).cloned())
        })
    }
}

fn answer(stream: TcpStream, seen: &Mutex<Vec<Request>>) -> Result<()> {
    let mut reader = BufReader::new(stream);
    let mut first = String::new();
    reader.read_line(&mut first)?;
    let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        match line.trim().split_once(':') {
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                length = value.trim().parse()?;
            }
            Some(_) => {}
            None => break,
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let said = said(&path);
    let body = String::from_utf8_lossy(&body).into_owned();
    seen.lock().unwrap().push((path, body));
    let head = format!(
        "HTTP/1.1 200 OK\r\nConnection: close\r\nMetadata-Flavor: Google\r\nContent-Length: {}\r\n\r\n{said}",
        said.len()
    );
    Ok(reader.into_inner().write_all(head.as_bytes())?)
}

fn said(path: &str) -> String {
    if path.ends_with(":generateAccessToken") {
        let token = json!({"accessToken": "ya29.sim-own", "expireTime": "2100-01-01T00:00:00Z"});
        return token.to_string();
    }
    match path {
        "/v1/token" => {
            json!({"access_token": "ya29.sim-federated", "expires_in": 3_600}).to_string()
        }
        "/computeMetadata/v1/project/project-id" => "acme-prod".to_owned(),
        _ => String::new(),
    }
}

#[test]
fn a_credential_file_a_lifetime_and_a_scope_reach_those_who_give_tokens() -> Result<()> {
    let (google, folder) = (Google::start()?, tempfile::tempdir()?);
    let file = |name: &str, text: &str| -> Result<String> {
        let path = folder.path().join(name);
        std::fs::write(&path, text)?;
        Ok(path.display().to_string())
    };
    let credentials = json!({
        "type": "external_account",
        "audience": AUDIENCE,
        // The flag comes before it: nothing may be sent there.
        "token_url": "https://127.0.0.1:1/v1/token",
        "credential_source": {"file": file("token", "the-jwt")?},
    });
    let _argosy = Argosy::start(
        binary(),
        folder.path(),
        &[
            &format!(
                "--gcp-credentials={}",
                file("credentials.json", &credentials.to_string())?
            ),
            "--gcp-token-lifetime=15m",
            "--gcp-token-scope=cloud-platform",
            &format!("--gcp-endpoint=all=http://{}", google.address),
            &format!(
                "--registry-endpoint=europe-west1-docker.pkg.dev=http://{}",
                google.address
            ),
            "-f",
            &file("manifests.yaml", MANIFESTS)?,
        ],
    )?;
    let (path, asked) = google.asked(":generateAccessToken")?;
    let account = "kargo-project-web@acme-prod.iam.gserviceaccount.com";
    assert!(path.contains(account), "{path}");
    let asked: Value = serde_json::from_str(&asked).context(asked)?;
    let scope = "https://www.googleapis.com/auth/cloud-platform";
    assert_eq!(asked, json!({"scope": [scope], "lifetime": "900s"}));
    let (_, exchanged) = google.asked("/v1/token")?;
    assert!(exchanged.contains("subject_token=the-jwt"), "{exchanged}");
    let audience = "audience=identitynamespace%3Aacme-prod.svc.id.goog%3Ahttps%3A%2F%2Fcontainer.";
    assert!(exchanged.contains(audience), "{exchanged}");
    Ok(())
}

#[test]
fn a_metadata_server_that_answers_is_told_in_the_metrics() -> Result<()> {
    let (google, folder) = (Google::start()?, tempfile::tempdir()?);
    let metadata = format!("--gcp-endpoint=metadata=http://{}", google.address);
    let argosy = Argosy::start(binary(), folder.path(), &["--gcp-identity=on", &metadata])?;
    let ready = "argosy_identity_ready{provider=\"google\"} 1";
    wait(ready, LIMIT, || {
        let metrics = argosy.kubectl().run(&["get", "--raw", "/metrics"])?;
        Ok(metrics.contains(ready).then_some(()))
    })
}
