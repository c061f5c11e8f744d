//! Runs the case folders `tests/steps/<kind>/<case>/`.
//!
//! | File | Means |
//! | --- | --- |
//! | `step.yaml` | the step; or `steps`, of which the last is looked at, with `vars`, `freight` (a list of Freight) and `objects` (Kubernetes objects) |
//! | `before/` | the work directory before; `dot-git` stands for `.git` |
//! | `repository/` | what branch `main` of a Git repository holds; its URL is `${{ vars.repo }}` |
//! | `after/` | the work directory after, without `.git` |
//! | `output.yaml` | the step's output; `<commit>` stands for any commit id, `<repo>` for the URL |
//! | `error.txt` | instead: how the step ended and its message, such as `Failed: …` |
//! | `remote.txt` | each branch of the repository after, with its commits |

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use engine::STEPS;
use resources::{FreightCollection, StepStatus};
use serde_json::{Value, json};
use testkit::{
    World,
    servers::{Access, GitServer},
};

use crate::fixture::{PROJECT, context, progress, promotion_of, run_once};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/steps")
}

#[tokio::test]
async fn every_case_of_every_step_holds() {
    let world = World::new().await.unwrap();
    let namespace = format!("{{apiVersion: v1, kind: Namespace, metadata: {{name: {PROJECT}}}}}");
    world.apply(&namespace).await.unwrap();
    let server = GitServer::start(Access::Open).unwrap();
    let mut wrong = Vec::new();
    for entry in STEPS {
        let cases = children(&folder().join(entry.kind));
        assert!(cases.len() >= 2, "{} has fewer than two cases", entry.kind);
        for case in cases {
            if let Err(error) = check(&case, &world, &server).await {
                wrong.push(format!("{}: {error}", case.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn every_schema_has_the_structure_of_upstreams() {
    for entry in STEPS {
        let upstream = folder().join(format!("../upstream/step-schemas/{}.json", entry.kind));
        let upstream: Value = serde_json::from_slice(&fs::read(upstream).unwrap()).unwrap();
        let mut ours: Value = serde_json::from_str(entry.schema).unwrap();
        remove_prose(&mut ours);
        assert_eq!(ours, upstream, "{}", entry.kind);
    }
}

/// Takes out what is for people, unless it is the name of a field.
fn remove_prose(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            members.retain(|key, value| {
                !(matches!(key.as_str(), "title" | "description") && value.is_string())
            });
            members.values_mut().for_each(remove_prose);
        }
        Value::Array(items) => items.iter_mut().for_each(remove_prose),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

async fn check(case: &Path, world: &World, server: &GitServer) -> Result<(), String> {
    let root = tempfile::tempdir().unwrap();
    let cx = context(world.client(), root.path());
    let spec: Value =
        serde_saphyr::from_str(&read(&case.join("step.yaml")).ok_or("step.yaml is missing")?)
            .map_err(|error| error.to_string())?;
    let steps = if spec["uses"].is_null() {
        spec["steps"].clone()
    } else {
        json!([spec])
    };
    let mut run = promotion_of(&steps);
    run.vars = serde_json::from_value(spec.get("vars").cloned().unwrap_or(json!([])))
        .map_err(|it| it.to_string())?;
    let freight: Vec<resources::FreightReference> =
        serde_json::from_value(spec.get("freight").cloned().unwrap_or(json!([])))
            .map_err(|it| it.to_string())?;
    run.freight_collection = FreightCollection::of(freight);
    for object in spec["objects"].as_array().into_iter().flatten() {
        world
            .apply(&object.to_string())
            .await
            .map_err(|error| format!("{error:#}"))?;
    }
    let kind = case.parent().unwrap();
    let name = format!("{}-{}", file_name(kind), file_name(case));
    let repository = files(&case.join("repository"));
    if !repository.is_empty() {
        let contents: Vec<_> = repository
            .iter()
            .map(|(path, text)| (path.as_str(), text.as_str()))
            .collect();
        server
            .create(&name, &contents)
            .map_err(|error| error.to_string())?;
        run.vars
            .push(resources::Variable::new("repo", server.url(&name)));
    }
    let work = root
        .path()
        .join(format!("promotion-{}/files", run.promotion_uid));
    fs::create_dir_all(&work).unwrap();
    for (path, text) in files(&case.join("before")) {
        let path = path.replace("dot-git", ".git");
        fs::create_dir_all(work.join(&path).parent().unwrap()).unwrap();
        fs::write(work.join(path), text).unwrap();
    }

    let mut progress = progress(run_once(run.clone(), &cx).await);
    let last = run.steps.len() - 1;
    let execution = progress
        .step_execution_metadata
        .get(last)
        .cloned()
        .ok_or("the last step was not reached")?;
    let alias = run.steps[last].alias.as_str();
    let output = progress.state.remove(alias).unwrap_or(json!({}));
    let ended = format!(
        "{:?}: {}",
        execution.status.as_ref().unwrap(),
        execution.message
    );
    let hide = |text: &str| {
        text.replace(&server.url(&name), "<repo>")
            .replace(server.url(&name).trim_end_matches(".git"), "<repo>")
            .replace(&root.path().display().to_string(), "<root>")
    };
    match read(&case.join("error.txt")) {
        Some(expected) => same("error.txt", expected.trim(), hide(&ended).trim())?,
        None if execution.status != Some(StepStatus::Succeeded) => return Err(ended),
        None => {
            let expected = read(&case.join("output.yaml"))
                .map_or(Ok(json!({})), |text| serde_saphyr::from_str(&text));
            let expected: Value = expected.map_err(|error| error.to_string())?;
            let output: Value =
                serde_json::from_str(&hide_commits(&hide(&output.to_string()))).unwrap();
            same("output.yaml", &pretty(&expected), &pretty(&output))?;
        }
    }
    if case.join("after").exists() {
        let expected: Vec<_> = files(&case.join("after"))
            .into_iter()
            .map(|(path, text)| format!("{path}:\n{text}"))
            .collect();
        let found: Vec<_> = files(&work)
            .into_iter()
            .map(|(path, text)| format!("{path}:\n{text}"))
            .collect();
        same("after/", &expected.join("\n"), &found.join("\n"))?;
    }
    if let Some(expected) = read(&case.join("remote.txt")) {
        let log = remote(server, &name).map_err(|error| error.to_string())?;
        same("remote.txt", expected.trim(), log.trim())?;
    }
    for object in spec["after"].as_array().into_iter().flatten() {
        let text = |pointer: &str| {
            object
                .pointer(pointer)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        let (kind, name) = (text("/kind"), text("/metadata/name"));
        let found = world
            .find(&text("/apiVersion"), &kind, Some(PROJECT), &name)
            .await;
        let found = found
            .map_err(|error| error.to_string())?
            .unwrap_or_default();
        same(
            &format!("{kind} {name}"),
            &pretty(&object["status"]),
            &pretty(&found["status"]),
        )?;
    }
    Ok(())
}

/// Every branch, its commits and the files they change, oldest first.
fn remote(server: &GitServer, name: &str) -> anyhow::Result<String> {
    let mut text = String::new();
    for branch in server
        .git(name, &["branch", "--format=%(refname:short)"])?
        .lines()
    {
        let log = [
            "log",
            "--reverse",
            "--format=%s by %an <%ae>",
            "--name-status",
            branch,
        ];
        let lines = server.git(name, &log)?;
        let lines: Vec<_> = lines.lines().filter(|line| !line.is_empty()).collect();
        let lines = lines.join("\n").replace('\t', " ");
        text.push_str(&[branch, ":\n", &lines, "\n\n"].concat());
    }
    Ok(text)
}

fn same(what: &str, expected: &str, found: &str) -> Result<(), String> {
    if expected == found {
        Ok(())
    } else {
        Err(format!("{what}: expected\n{expected}\nbut found\n{found}"))
    }
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap()
}

/// Puts `<commit>` in the place of every commit id.
fn hide_commits(text: &str) -> String {
    let mut hidden = String::new();
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest
            .find(|it: char| !it.is_ascii_hexdigit())
            .unwrap_or(rest.len());
        hidden += if end == 40 { "<commit>" } else { &rest[..end] };
        let other = rest[end..].chars().next().map_or(0, char::len_utf8);
        hidden += &rest[end..end + other];
        rest = &rest[end + other..];
    }
    hidden
}

fn read(path: &Path) -> Option<String> {
    fs::read_to_string(path).ok()
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap().to_string_lossy().into_owned()
}

fn children(folder: &Path) -> Vec<PathBuf> {
    let entries =
        fs::read_dir(folder).map(|entries| entries.map(|entry| entry.unwrap().path()).collect());
    let mut paths: Vec<PathBuf> = entries.unwrap_or_default();
    paths.sort();
    paths
}

/// Every file below a folder with its text, but for what is in `.git`.
fn files(folder: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for path in children(&next) {
            if file_name(&path) == ".git" {
                continue;
            }
            if path.is_dir() && !path.is_symlink() {
                folders.push(path);
            } else {
                let name = path
                    .strip_prefix(folder)
                    .unwrap()
                    .to_string_lossy()
                    .into_owned();
                found.insert(name, fs::read_to_string(&path).unwrap_or_default());
            }
        }
    }
    found
}
