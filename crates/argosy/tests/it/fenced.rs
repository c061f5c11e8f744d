//! A promotion behind the fence whose children need more than git alone: Helm for a local chart, gpg for a signature.

use std::{fs, path::Path, time::Duration};

use serde_json::{Value, json};
use testkit::{
    servers::{Access, Argosy, GitServer, OpenPgpKey, PASSWORD, USER, wait},
    tools,
};

use crate::{
    binary,
    crash::processes_at_home_in,
    pipeline::{NAMESPACE, Pipeline},
};

const PATIENCE: Duration = Duration::from_secs(20);
const REPOSITORY: &str = "acme/deploy";

const STEPS: &str = "
- uses: git-clone
  config:
    repoURL: REPOSITORY
    author: {name: Ann, email: ann@example.com, signingKey: \"${{ secret('signing').key }}\"}
    checkout:
      - {branch: main, path: src}
      - {branch: stage/test, path: out, create: true}
- uses: kustomize-build
  config:
    path: src/env
    outPath: out
    plugin: {helm: {apiVersions: [route.example.com/v1], kubeVersion: 1.29.3}}
- {uses: git-commit, config: {path: out, message: Deploy}}
- {uses: git-push, config: {path: out}}
";

const FILES: [(&str, &str); 4] = [
    (
        "env/kustomization.yaml",
        "helmGlobals: {chartHome: ../charts}\nhelmCharts: [{name: web, releaseName: shop}]\n",
    ),
    (
        "charts/web/Chart.yaml",
        "apiVersion: v2\nname: web\nversion: 1.2.3\n",
    ),
    ("charts/web/values.yaml", "replicas: 3\n"),
    (
        "charts/web/templates/told.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: told}\ndata:\n  \
         version: {{ .Capabilities.KubeVersion.Version }}\n  \
         routes: {{ .Capabilities.APIVersions.Has \"route.example.com/v1\" | quote }}\n",
    ),
];

const RENDERED: &str = "apiVersion: v1
data:
  routes: \"true\"
  version: v1.29.3
kind: ConfigMap
metadata:
  name: told
";

fn secret(key: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "signing", "namespace": NAMESPACE},
        "stringData": {"key": key},
    })
}

/// Puts Helm where nothing else of the programs lies, so that it is found by its path alone.
fn helm_in(folder: &Path) -> String {
    let helm = folder.join("renderers/helm");
    fs::create_dir(helm.parent().unwrap()).unwrap();
    fs::copy(tools::path("helm").unwrap(), &helm).unwrap();
    helm.display().to_string()
}

#[test]
fn a_local_chart_is_rendered_and_the_commit_signed_behind_the_fence() {
    let server = GitServer::start(Access::Password).unwrap();
    server.create(REPOSITORY, &FILES).unwrap();
    let key = OpenPgpKey::make("Ann <ann@example.com>").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let helm = helm_in(folder.path());
    let argosy = Argosy::start(binary(), folder.path(), &["--helm", &helm]).unwrap();
    let url = server.url(REPOSITORY);
    let login = json!({"repoURL": url, "username": USER, "password": PASSWORD});
    let steps = STEPS.replace("REPOSITORY", &url);
    let pipeline = Pipeline::create(argosy.kubectl(), &login, &steps);
    let secret = secret(&key.private().unwrap()).to_string();
    argosy
        .kubectl()
        .run_with(&["apply", "-f", "-"], &secret)
        .unwrap();
    let status = pipeline.wait_for_end(&pipeline.promote());
    assert_eq!(status["phase"], "Succeeded", "{status}");

    let shown = server.git(REPOSITORY, &["show", "stage/test:configmap-told.yaml"]);
    assert_eq!(shown.unwrap(), RENDERED);
    key.verify(&server.path(REPOSITORY), "stage/test").unwrap();
    // What held the key ends with the folder that it was in.
    wait("the end of gpg's agent", PATIENCE, || {
        Ok((processes_at_home_in(&folder.path().join("data/promotions")) == 0).then_some(()))
    })
    .unwrap();
}
