//! `argosy controller` as a program, against an API that is not its own.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};
use testkit::servers::Process;
use testkit::{Options, World};

use crate::binary;

const PATIENCE: Duration = Duration::from_secs(20);
const API: &str = "kargo.akuity.io/v1alpha1";

/// What the loops are to work on: a repository on loopback, and a Stage that only passes Freight on.
const PROJECT: &str = "
apiVersion: kargo.akuity.io/v1alpha1
kind: Project
metadata:
  name: acme
";
const PIPELINE: &str = "
apiVersion: kargo.akuity.io/v1alpha1
kind: Warehouse
metadata: {name: web, namespace: acme}
spec:
  interval: 5m
  subscriptions:
    - image: {repoURL: 127.0.0.1:5000/acme/web, constraint: ^1.0.0}
---
apiVersion: kargo.akuity.io/v1alpha1
kind: Stage
metadata: {name: all, namespace: acme}
spec:
  requestedFreight:
    - origin: {kind: Warehouse, name: web}
      sources: {direct: true}
---
apiVersion: kargo.akuity.io/v1alpha1
kind: Freight
metadata: {name: first, namespace: acme}
origin: {kind: Warehouse, name: web}
images:
  - {repoURL: 127.0.0.1:5000/acme/web, tag: 1.0.0}
";

/// A running `argosy controller`.
struct Controller {
    process: Process,
    log: PathBuf,
    health: u16,
}

impl Controller {
    fn start(kubeconfig: &Path, folder: &Path) -> Result<Self> {
        let health = free_port()?;
        let log = folder.join("controller.log");
        let process = Process::start(&mut command(kubeconfig, folder, health), &log)?;
        Ok(Self {
            process,
            log,
            health,
        })
    }

    /// Asks its health port; gives the whole answer.
    fn ask(&self, path: &str) -> Result<String> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.health))?;
        let request =
            format!("GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }
}

fn command(kubeconfig: &Path, folder: &Path, health: u16) -> Command {
    let mut command = Command::new(binary());
    command
        .arg("controller")
        .arg("--kubeconfig")
        .arg(kubeconfig)
        .arg("--data-dir")
        .arg(folder.join("controller"))
        .args(["--health-listen", &format!("127.0.0.1:{health}")])
        .args(["--controller", "delivery/promoter"]);
    command
}

/// A port that was free a moment ago.
fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok(listener.local_addr()?.port())
}

/// The message of a condition, once it has this status.
async fn message(
    world: &World,
    kind: &str,
    name: &str,
    condition: &str,
    status: &str,
) -> Result<String> {
    let what = format!("{condition} of {kind} {name} is {status}");
    let namespace = (kind != "Project").then_some("acme");
    let found = world.until(&what, || async {
        let object = world.find(API, kind, namespace, name).await?;
        let conditions = object.and_then(|it| it["status"]["conditions"].as_array().cloned());
        Ok(conditions
            .unwrap_or_default()
            .into_iter()
            .find(|it| it["type"] == condition && it["status"] == status)
            .map(|it| it["message"].as_str().unwrap_or_default().to_owned()))
    });
    found.await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn its_loops_work_on_the_api_of_the_kubeconfig() {
    let folder = tempfile::tempdir().unwrap();
    let kubeconfig = folder.path().join("kubeconfig");
    let world = World::new().await.unwrap();
    world.listen(&kubeconfig).await.unwrap();
    let mut controller = Controller::start(&kubeconfig, folder.path()).unwrap();

    world.apply(PROJECT).await.unwrap();
    message(&world, "Project", "acme", "Ready", "True")
        .await
        .unwrap();
    let namespace = world.find("v1", "Namespace", None, "acme").await.unwrap();
    let label =
        |namespace: &Value| namespace["metadata"]["labels"]["kargo.akuity.io/project"].clone();
    assert_eq!(namespace.as_ref().map(label), Some(json!("true")));

    // Whom it runs as may read the Project's Secrets.
    let rbac = "rbac.authorization.k8s.io/v1";
    let binding = world.find(rbac, "RoleBinding", Some("acme"), "promoter-read-secrets");
    let binding = binding.await.unwrap().expect("the binding");
    assert_eq!(
        binding["subjects"],
        json!([{"kind": "ServiceAccount", "name": "promoter", "namespace": "delivery"}])
    );

    world.apply(PIPELINE).await.unwrap();
    // Loopback is the pod's own there, so no tenant may name it; the condition says what to do.
    let refused = message(&world, "Warehouse", "web", "Healthy", "False")
        .await
        .unwrap();
    for part in ["127.0.0.1", "is this machine", "use `argosy up`"] {
        assert!(refused.contains(part), "{refused}");
    }
    let passed_on = world.until("Freight is verified in the Stage", || async {
        let freight = world.find(API, "Freight", Some("acme"), "first").await?;
        Ok(freight.filter(|it| it["status"]["verifiedIn"]["all"].is_object()))
    });
    passed_on.await.unwrap();

    for path in ["/healthz", "/readyz"] {
        let answer = controller.ask(path).unwrap();
        assert!(
            answer.starts_with("HTTP/1.1 200") && answer.ends_with("ok"),
            "{path}: {answer}"
        );
    }
    assert!(controller.ask("/metrics").unwrap().contains("# TYPE"));
    let ended = controller.process.terminate(PATIENCE).unwrap();
    let log = fs::read_to_string(&controller.log).unwrap();
    assert_eq!(ended, Some(0), "{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_api_without_the_kinds_is_told_with_the_next_command() {
    let folder = tempfile::tempdir().unwrap();
    let kubeconfig = folder.path().join("kubeconfig");
    let world = World::without_kinds(Options::default()).await.unwrap();
    world.listen(&kubeconfig).await.unwrap();
    let said = refusal(
        &mut command(&kubeconfig, folder.path(), free_port().unwrap()),
        folder.path(),
    );
    let next = "argosy crds | kubectl apply --server-side -f -";
    assert!(said.contains(next), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_taken_health_port_is_told_with_the_next_command() {
    let folder = tempfile::tempdir().unwrap();
    let kubeconfig = folder.path().join("kubeconfig");
    let world = World::new().await.unwrap();
    world.listen(&kubeconfig).await.unwrap();
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = taken.local_addr().unwrap().port();
    let said = refusal(
        &mut command(&kubeconfig, folder.path(), port),
        folder.path(),
    );
    let next = "choose another: --health-listen IP:PORT";
    assert!(said.contains(next), "{said}");
    assert!(said.contains(&port.to_string()), "{said}");
}

#[test]
fn a_kubeconfig_that_is_missing_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing");
    let said = refusal(
        &mut command(&missing, folder.path(), free_port().unwrap()),
        folder.path(),
    );
    assert!(said.contains(&missing.display().to_string()), "{said}");
}

/// What a command that refuses to start says; one that starts is killed.
fn refusal(command: &mut Command, folder: &Path) -> String {
    let ended = Process::start(command, &folder.join("refusal.log"))
        .and_then(|mut process| process.wait_until(PATIENCE, || false));
    let said = ended.map_or_else(|error| error.to_string(), |()| String::new());
    assert!(said.contains("exit status: 1"), "{said}");
    said
}
