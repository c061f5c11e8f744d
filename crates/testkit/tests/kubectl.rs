//! kubectl against the embedded API: it finds its kinds, applies in both ways, and deletes with or without dependents.

use anyhow::{Context as _, Result, ensure};
use embedded_apiserver::{Listen, Listening, Reach};
use serde_json::{Value, json};
use testkit::{Kubectl, World};

/// A world that listens, and kubectl for it.
struct Stage {
    world: World,
    _listening: Listening,
    _home: tempfile::TempDir,
    kubectl: Kubectl,
}

async fn stage() -> Result<Stage> {
    let world = World::new().await?;
    let listen = Listen {
        address: "127.0.0.1:0".parse()?,
        reach: Reach::Loopback,
        token: "a-token-that-is-long-enough".to_owned(),
        directory: None,
        name: "world".to_owned(),
        routes: axum::Router::new(),
    };
    let listening = world.api().listen(listen).await?;
    let home = tempfile::tempdir()?;
    let kubeconfig = home.path().join("kubeconfig");
    std::fs::write(&kubeconfig, listening.kubeconfig())?;
    let kubectl = Kubectl::new(&kubeconfig)?;
    Ok(Stage {
        world,
        _listening: listening,
        _home: home,
        kubectl,
    })
}

/// Runs kubectl where waiting for it does not stop the server.
async fn with_kubectl(steps: fn(&Kubectl) -> Result<()>) -> Result<()> {
    let stage = stage().await?;
    let kubectl = stage.kubectl.clone();
    tokio::task::spawn_blocking(move || steps(&kubectl)).await??;
    stage.world.api().shutdown().await;
    Ok(())
}

fn warehouse(interval: &str, label: &str) -> String {
    json!({
        "apiVersion": "kargo.akuity.io/v1alpha1", "kind": "Warehouse",
        "metadata": { "name": "web", "namespace": "default", "labels": { "it": label } },
        "spec": { "interval": interval, "subscriptions": [{ "image": { "repoURL": "example.com/web" } }] },
    })
    .to_string()
}

fn config_map(name: &str, data: &Value, metadata: &Value) -> String {
    let mut map = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": name }, "data": data });
    for (member, value) in metadata.as_object().into_iter().flatten() {
        map["metadata"][member] = value.clone();
    }
    map.to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn kubectl_applies_server_side() -> Result<()> {
    with_kubectl(|kubectl| {
        let by = |manager: &'static str| {
            [
                "apply",
                "--server-side",
                "--field-manager",
                manager,
                "-f",
                "-",
            ]
        };
        let said = kubectl.run_with(&by("one"), &warehouse("5m0s", "a"))?;
        ensure!(
            said == "warehouse.kargo.akuity.io/web serverside-applied\n",
            "{said}"
        );
        let refused = kubectl
            .run_with(&by("two"), &warehouse("9m0s", "a"))
            .err()
            .context("the field is owned")?
            .to_string();
        for expected in ["conflict with \"one\": .spec.interval", "--force-conflicts"] {
            ensure!(refused.contains(expected), "{refused}");
        }
        let forced: Vec<&str> = by("two").into_iter().chain(["--force-conflicts"]).collect();
        kubectl.run_with(&forced, &warehouse("9m0s", "a"))?;
        let object = kubectl.json(&["get", "warehouse", "web", "--show-managed-fields"])?;
        ensure!(object["spec"]["interval"] == "9m0s", "{object}");
        let managers = object["metadata"]["managedFields"]
            .as_array()
            .context("there are managed fields")?;
        ensure!(managers.len() == 2, "{managers:?}");
        // What was only "one"'s is still its own; the interval is not.
        let entry = managers
            .iter()
            .find(|it| it["manager"] == "one")
            .context("one still owns something")?;
        ensure!(
            entry.pointer("/fieldsV1/f:spec/f:interval").is_none(),
            "{entry}"
        );
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn kubectl_applies_client_side_and_then_changes_over() -> Result<()> {
    with_kubectl(|kubectl| {
        let client_side = ["apply", "-f", "-"];
        // Custom kinds are patched by merge, builtin ones strategically.
        for (text, next, name) in [
            (
                warehouse("5m0s", "a"),
                warehouse("5m0s", "b"),
                "warehouse.kargo.akuity.io/web",
            ),
            (
                config_map("map", &json!({ "a": "1", "b": "1" }), &json!({})),
                config_map("map", &json!({ "a": "2" }), &json!({})),
                "configmap/map",
            ),
        ] {
            for (text, expected) in [
                (&text, "created"),
                (&next, "configured"),
                (&next, "unchanged"),
            ] {
                let said = kubectl.run_with(&client_side, text)?;
                ensure!(said == format!("{name} {expected}\n"), "{said}");
            }
        }
        let map = kubectl.json(&["get", "configmap", "map"])?;
        ensure!(map["data"] == json!({ "a": "2" }), "{map}");
        let server_side = ["apply", "--server-side", "-f", "-"];
        kubectl.run_with(
            &server_side,
            &config_map("map", &json!({ "c": "3" }), &json!({})),
        )?;
        let map = kubectl.json(&["get", "configmap", "map"])?;
        ensure!(
            map["data"] == json!({ "c": "3" }),
            "what client-side apply set belongs to server-side apply now: {map}"
        );
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn kubectl_patches_in_three_ways() -> Result<()> {
    with_kubectl(|kubectl| {
        kubectl.run_with(&["create", "-f", "-"], &warehouse("5m0s", "a"))?;
        let patches = [
            (
                "json",
                r#"[{"op":"replace","path":"/spec/interval","value":"6m0s"}]"#,
                "6m0s",
            ),
            ("merge", r#"{"spec":{"interval":"7m0s"}}"#, "7m0s"),
        ];
        for (kind, patch, interval) in patches {
            kubectl.run(&["patch", "warehouse", "web", "--type", kind, "-p", patch])?;
            let object = kubectl.json(&["get", "warehouse", "web"])?;
            ensure!(object["spec"]["interval"] == interval, "{kind}: {object}");
        }
        kubectl.run_with(
            &["create", "-f", "-"],
            &config_map(
                "map",
                &json!({}),
                &json!({ "finalizers": ["example.com/a"] }),
            ),
        )?;
        kubectl.run(&[
            "patch",
            "configmap",
            "map",
            "-p",
            r#"{"metadata":{"finalizers":["example.com/b"]}}"#,
        ])?;
        let map = kubectl.json(&["get", "configmap", "map"])?;
        ensure!(
            map["metadata"]["finalizers"] == json!(["example.com/b", "example.com/a"]),
            "{map}"
        );
        kubectl.run(&["label", "warehouse", "web", "it=b", "--overwrite"])?;
        let said = kubectl.run(&["get", "warehouses", "-l", "it in (b,c)", "-o", "name"])?;
        ensure!(said == "warehouse.kargo.akuity.io/web\n", "{said}");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn kubectl_deletes_with_and_without_dependents() -> Result<()> {
    with_kubectl(|kubectl| {
        kubectl.run(&["create", "namespace", "acme"])?;
        let create = ["create", "-n", "acme", "-f", "-"];
        for (policy, left) in [("background", false), ("foreground", false), ("orphan", true)] {
            let cascade = format!("--cascade={policy}");
            let owner = format!("owner-{policy}");
            let child = format!("child-{policy}");
            kubectl.run_with(&create, &config_map(&owner, &json!({}), &json!({})))?;
            let uid = kubectl.run(&["get", "configmap", &owner, "-n", "acme", "-o", "jsonpath={.metadata.uid}"])?;
            let reference = json!({ "apiVersion": "v1", "kind": "ConfigMap", "name": owner, "uid": uid, "blockOwnerDeletion": true });
            kubectl.run_with(&create, &config_map(&child, &json!({}), &json!({ "ownerReferences": [reference] })))?;
            kubectl.run(&["delete", "configmap", &owner, "-n", "acme", &cascade])?;
            if !left {
                kubectl.run(&["wait", "configmap", &child, "-n", "acme", "--for=delete", "--timeout=20s"])?;
            }
            let said = kubectl.run(&["get", "configmap", &child, "-n", "acme", "--ignore-not-found", "-o", "name"])?;
            ensure!(said.is_empty() != left, "{policy}: {said}");
        }
        // kubectl waits until the namespace is gone.
        kubectl.run(&["delete", "namespace", "acme", "--timeout=20s"])?;
        let said = kubectl.run(&["get", "namespaces", "-o", "name"])?;
        ensure!(!said.contains("acme"), "{said}");
        Ok(())
    })
    .await
}
