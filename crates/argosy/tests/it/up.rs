//! `argosy up` as a program: its files, its port, its refusals, its end.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Output};
use std::time::Duration;

use testkit::servers::Argosy;

use crate::binary;

fn run(arguments: &[&str]) -> Output {
    Command::new(binary())
        .args(arguments)
        .output()
        .expect("the binary was built")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn its_files_are_for_its_owner_only() {
    let folder = tempfile::tempdir().unwrap();
    let argosy = Argosy::start(binary(), folder.path(), &[]).unwrap();
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder.path().join("data")), 0o700);
    assert_eq!(mode(argosy.kubectl().kubeconfig()), 0o600);
    assert_eq!(mode(&folder.path().join("data/token")), 0o600);
}

#[test]
fn only_the_token_opens_the_api() {
    let folder = tempfile::tempdir().unwrap();
    let argosy = Argosy::start(binary(), folder.path(), &[]).unwrap();
    let kubectl = argosy.kubectl();
    for path in ["/healthz", "/readyz"] {
        let anonymous = kubectl
            .run(&["--token=wrong", "get", "--raw", path])
            .unwrap();
        assert_eq!(anonymous.trim(), "ok", "{path}");
    }
    for path in [
        "/api",
        "/metrics",
        "/apis/kargo.akuity.io/v1alpha1/projects",
    ] {
        let refused = kubectl
            .run(&["--token=wrong", "get", "--raw", path])
            .unwrap_err()
            .to_string();
        assert!(
            refused.contains("Unauthorized") || refused.contains("logged in"),
            "{path}: {refused}"
        );
    }
    assert!(
        kubectl
            .run(&["get", "--raw", "/metrics"])
            .unwrap()
            .contains("# TYPE")
    );
}

#[test]
fn a_taken_port_and_a_folder_in_use_are_told_with_the_next_command() {
    let folder = tempfile::tempdir().unwrap();
    let argosy = Argosy::start(binary(), folder.path(), &[]).unwrap();
    let other = tempfile::tempdir().unwrap();
    let listen = format!("127.0.0.1:{}", argosy.port());
    let taken = run(&[
        "up",
        "--data-dir",
        &other.path().display().to_string(),
        "--listen",
        &listen,
    ]);
    assert!(!taken.status.success());
    assert!(
        said(&taken).contains("choose another: argosy up --listen 127.0.0.1:"),
        "{}",
        said(&taken)
    );
    let in_use = run(&[
        "up",
        "--data-dir",
        &folder.path().join("data").display().to_string(),
    ]);
    assert!(!in_use.status.success());
    assert!(said(&in_use).contains("--data-dir"), "{}", said(&in_use));
}

#[test]
fn an_address_beyond_loopback_must_be_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let refused = run(&[
        "up",
        "--data-dir",
        &folder.path().display().to_string(),
        "--listen",
        "0.0.0.0:0",
    ]);
    assert!(!refused.status.success());
    assert!(
        said(&refused).contains("--allow-remote-clients"),
        "{}",
        said(&refused)
    );
}

#[test]
fn manifests_are_applied_at_the_start_and_kept() {
    let folder = tempfile::tempdir().unwrap();
    let manifests = folder.path().join("manifests");
    fs::create_dir(&manifests).unwrap();
    let project = "apiVersion: kargo.akuity.io/v1alpha1\nkind: Project\nmetadata:\n  name: acme\n";
    fs::write(manifests.join("project.yaml"), project).unwrap();
    let task = "apiVersion: kargo.akuity.io/v1alpha1\nkind: PromotionTask\nmetadata:\n  name: none\n  namespace: acme\n\
                spec:\n  steps:\n    - uses: fail\n";
    // Read first, applied after the Project that brings its namespace.
    fs::write(manifests.join("a-task.yaml"), task).unwrap();
    let path = manifests.display().to_string();
    let mut argosy = Argosy::start(binary(), folder.path(), &["-f", &path]).unwrap();
    let kubectl = argosy.kubectl().clone();
    testkit::servers::wait("applied", Duration::from_secs(20), || {
        Ok(kubectl
            .run(&["-n", "acme", "get", "promotiontask", "none"])
            .ok())
    })
    .unwrap();
    assert_eq!(
        argosy.process().terminate(Duration::from_secs(25)).unwrap(),
        Some(0),
        "{}",
        fs::read_to_string(argosy.log()).unwrap()
    );
    let again = Argosy::start(binary(), folder.path(), &[]).unwrap();
    again
        .kubectl()
        .run(&["-n", "acme", "get", "promotiontask", "none"])
        .unwrap();
}

#[test]
fn manifests_that_are_not_there_are_told_before_anything_starts() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let refused = run(&[
        "up",
        "--data-dir",
        &data.display().to_string(),
        "-f",
        "none.yaml",
    ]);
    assert!(!refused.status.success());
    assert!(
        said(&refused).contains("argosy up -f FILE"),
        "{}",
        said(&refused)
    );
    assert!(!data.exists());
}

#[test]
fn a_faulty_manifest_is_told_with_its_place_before_anything_starts() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let file = folder.path().join("a.yaml");
    fs::write(&file, "kind: Project\n---\nkind: Stage\n  name: a\n").unwrap();
    let (data_dir, file) = (data.display().to_string(), file.display().to_string());
    let refused = run(&["up", "--data-dir", &data_dir, "-f", &file]);
    assert!(!refused.status.success());
    let told = format!("{file}, document 2, line 4, column");
    let next = format!("then: argosy up -f {file}\n  because ");
    let said = said(&refused);
    assert!(said.contains(&told) && said.contains(&next), "{said}");
    assert!(!data.exists());
}

#[test]
fn a_network_that_is_none_is_told_with_how_to_write_it() {
    let refused = run(&["up", "--deny-network", "10.0.0.0/255.0.0.0"]);
    assert!(!refused.status.success());
    let said = said(&refused);
    assert!(
        said.contains("the prefix \"255.0.0.0\" is not a number from 0 to 32"),
        "{said}"
    );
    assert!(said.contains("--deny-network 10.0.0.0/8"), "{said}");
}

#[test]
fn log_lines_can_be_json() {
    let folder = tempfile::tempdir().unwrap();
    let argosy = Argosy::start(binary(), folder.path(), &["--log-format", "json"]).unwrap();
    let log = fs::read_to_string(argosy.log()).unwrap();
    for line in log.lines() {
        serde_json::from_str::<serde_json::Value>(line)
            .unwrap_or_else(|error| panic!("{error}: {line}"));
    }
    assert!(log.contains("ready"), "{log}");
}
