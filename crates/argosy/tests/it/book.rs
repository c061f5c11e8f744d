//! What the book and the README tell people to run and to apply.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use testkit::World;
use tokio::process::Command;

use crate::binary;

/// Reads a page of the repository.
fn page(name: &str) -> Result<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(name);
    std::fs::read_to_string(&path).with_context(|| path.display().to_string())
}

/// Gives the blocks of code of a page that are of one language.
fn blocks<'page>(page: &'page str, language: &str) -> Vec<&'page str> {
    let mut parts = page.split("\n```");
    parts.next();
    parts
        .step_by(2)
        .filter_map(|it| it.strip_prefix(language)?.strip_prefix('\n'))
        .collect()
}

/// Gives the documents of a shell's `kubectl apply -f - <<EOF`.
fn applied(script: &str) -> impl Iterator<Item = &str> {
    let parts = script.split("kubectl apply -f - <<EOF\n").skip(1);
    parts.map(|it| it.split("\nEOF").next().unwrap_or(it))
}

/// Gives the words after `argosy` of each command line that begins with it, or that runs it in a Pod.
fn commands(script: &str) -> Vec<Vec<String>> {
    let joined = script.replace("\\\n", " ");
    let mut commands = Vec::new();
    for line in joined.lines() {
        let line = line.trim_start_matches("$ ");
        let in_pod = || line.split_once(" -- argosy ").map(|(_, it)| it);
        let Some(after) = line.strip_prefix("argosy ").or_else(in_pod) else {
            continue;
        };
        let end = [" | ", " > ", " #", " && ", " &"]
            .into_iter()
            .filter_map(|it| after.find(it))
            .min();
        let words = after[..end.unwrap_or(after.len())].split_whitespace();
        let words = words.map(|it| addressed(it.trim_matches(['\'', '"'])));
        commands.push(words.collect());
    }
    commands
}

/// Puts an address where a variable of the simulator's stands.
fn addressed(word: &str) -> String {
    match word.split_once("$SIMULATOR_") {
        Some((before, _)) => format!("{before}127.0.0.1:8080"),
        None => word.to_owned(),
    }
}

#[tokio::test]
async fn every_command_of_the_book_is_one() -> Result<()> {
    let mut tried = 0;
    for name in [
        "README.md",
        "docs/book/artifact-registry.md",
        "docs/book/credentials.md",
        "docs/book/discovery.md",
        "docs/book/gcp.md",
        "docs/book/gcp-simulator.md",
        "docs/book/promotions.md",
        "docs/book/quickstart.md",
        "docs/book/troubleshooting.md",
        "docs/book/up.md",
        "docs/book/warehouses.md",
    ] {
        let page = page(name)?;
        let blocks = [
            blocks(&page, "sh"),
            blocks(&page, "text"),
            blocks(&page, "console"),
        ]
        .concat();
        for words in blocks.into_iter().flat_map(commands) {
            // What stands before it has to be understood, or there is no help.
            let mut command = Command::new(binary());
            let output = command.args(&words).arg("--help").output().await?;
            ensure!(
                output.status.success(),
                "{name}: argosy {}: {}",
                words.join(" "),
                String::from_utf8_lossy(&output.stderr)
            );
            tried += 1;
        }
    }
    ensure!(tried > 12, "only {tried} commands were found");
    Ok(())
}

#[tokio::test]
async fn the_chapter_of_artifact_registry_can_be_applied() -> Result<()> {
    let page = page("docs/book/artifact-registry.md")?;
    let world = World::new().await?;
    let manifests = blocks(&page, "yaml");
    ensure!(manifests.len() == 1, "{} manifests", manifests.len());
    let documents: Vec<Value> = serde_saphyr::from_multiple(manifests[0])?;
    let mut kinds = Vec::new();
    for document in documents {
        let kind = document["kind"].as_str().context("a kind")?.to_owned();
        // These two are of no use to a Kubernetes without Pods.
        if !["Deployment", "PersistentVolumeClaim"].contains(&kind.as_str()) {
            let applied = world.apply(&document.to_string()).await;
            applied.with_context(|| document["metadata"].to_string())?;
        }
        kinds.push(kind);
    }
    ensure!(kinds.len() > 10, "{kinds:?}");
    let mut projects = 0;
    for document in blocks(&page, "sh").into_iter().flat_map(applied) {
        world.apply(document).await?;
        if document.contains("kind: Project\n") {
            // What the controller makes of it.
            let namespace = "{apiVersion: v1, kind: Namespace, metadata: {name: web}}";
            world.apply(namespace).await?;
            projects += 1;
        }
    }
    ensure!(projects == 1, "{projects} Projects");
    Ok(())
}

/// The account that the manifests bind is the one that the book's commands grant roles to.
#[test]
fn the_chapter_names_one_controller() -> Result<()> {
    let page = page("docs/book/artifact-registry.md")?;
    let documents: Vec<Value> = serde_saphyr::from_multiple(blocks(&page, "yaml")[0])?;
    let mut bound = 0;
    for document in &documents {
        let subjects = document["subjects"].as_array().into_iter().flatten();
        for subject in subjects {
            ensure!(
                subject["name"] == "kargo-controller" && subject["namespace"] == "argosy",
                "{document:#}"
            );
            bound += 1;
        }
    }
    ensure!(bound > 3, "{bound} subjects");
    let deployment = documents.iter().find(|it| it["kind"] == "Deployment");
    let pod = &deployment.context("a Deployment")?["spec"]["template"]["spec"];
    ensure!(pod["serviceAccountName"] == "kargo-controller", "{pod:#}");
    let member = "acme-prod.svc.id.goog/subject/ns/argosy/sa/kargo-controller";
    ensure!(page.matches(member).count() >= 2, "{member}");
    Ok(())
}
