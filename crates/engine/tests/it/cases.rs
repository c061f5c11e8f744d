//! Runs the case folders `tests/steps/<kind>/<case>/`.
//!
//! | File | Means |
//! | --- | --- |
//! | `step.yaml` | the step; or `steps`, of which the last is looked at, with what stands in `cases/given.rs`: `vars`, `freight`, `objects`, `links`, `tags`, `submodules`, `tls` |
//! | `before/` | the work directory before; `dot-git` stands for `.git` |
//! | `repository/` | what branch `main` of a Git repository holds; its URL is `${{ vars.repo }}` |
//! | `after/` | the work directory after, without `.git` |
//! | `output.yaml` | the step's output; `<commit>` stands for any commit id, `<repo>` for the URL |
//! | `error.txt` | instead: how the step ended and its message, such as `Failed: …` |
//! | `remote.txt` | the tags of the repository after, and each branch with its commits |

mod given;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use engine::STEPS;
use resources::StepStatus;
use serde_json::{Value, json};
use testkit::{
    World,
    servers::{Access, GitServer},
};

use self::given::Given;
use crate::fixture::{PROJECT, certificate, context, progress, run_once};

/// The Git hosts that cases use.
#[derive(Debug)]
struct Hosts {
    open: GitServer,
    /// Shows a certificate that nobody vouches for.
    tls: GitServer,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/steps")
}

#[tokio::test]
async fn every_case_of_every_step_holds() {
    let world = World::new().await.unwrap();
    let namespace = format!("{{apiVersion: v1, kind: Namespace, metadata: {{name: {PROJECT}}}}}");
    world.apply(&namespace).await.unwrap();
    let hosts = Hosts {
        open: GitServer::start(Access::Open).unwrap(),
        tls: GitServer::start_tls(Access::Open, &certificate()).unwrap(),
    };
    let mut wrong = Vec::new();
    for entry in STEPS {
        let cases = children(&folder().join(entry.kind));
        assert!(cases.len() >= 2, "{} has fewer than two cases", entry.kind);
        for case in cases {
            if let Err(error) = check(&case, &world, &hosts).await {
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

async fn check(case: &Path, world: &World, hosts: &Hosts) -> Result<(), String> {
    let root = tempfile::tempdir().unwrap();
    let cx = context(world.client(), root.path());
    let given = Given::prepare(case, root.path(), world, hosts).await;
    let given = given.map_err(|error| format!("{error:#}"))?;
    let Given {
        run, server, name, ..
    } = &given;
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
        text.replace(&server.url(name), "<repo>")
            .replace(server.url(name).trim_end_matches(".git"), "<repo>")
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
    let work = format!("promotion-{}/files", run.promotion_uid);
    check_after(case, &root.path().join(work), &given)?;
    check_objects(&given.objects_after, world).await
}

/// Looks at the work directory and at the repository.
fn check_after(case: &Path, work: &Path, given: &Given<'_>) -> Result<(), String> {
    if case.join("after").exists() {
        let listed = |folder: &Path| {
            let files = files(folder).into_iter();
            let files: Vec<_> = files
                .map(|(path, text)| format!("{path}:\n{text}"))
                .collect();
            files.join("\n")
        };
        same("after/", &listed(&case.join("after")), &listed(work))?;
    }
    if let Some(expected) = read(&case.join("remote.txt")) {
        let log = remote(given.server, &given.name).map_err(|error| error.to_string())?;
        same("remote.txt", expected.trim(), log.trim())?;
    }
    Ok(())
}

async fn check_objects(objects: &[Value], world: &World) -> Result<(), String> {
    for object in objects {
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

/// Every tag and the subject of its commit; every branch, its commits and the files they change, oldest first.
fn remote(server: &GitServer, name: &str) -> anyhow::Result<String> {
    let tags = ["tag", "--format=tag %(refname:short): %(contents:subject)"];
    let mut text = server.git(name, &tags)?;
    for branch in server
        .git(name, &["branch", "--format=%(refname:short)"])?
        .lines()
    {
        let log = [
            "log",
            "--reverse",
            "--format=%s by %an <%ae>%x00%cn <%ce>",
            "--name-status",
            branch,
        ];
        let lines = server.git(name, &log)?;
        let lines: Vec<_> = lines.lines().filter(|line| !line.is_empty()).collect();
        let lines: Vec<_> = lines.into_iter().map(without_same_committer).collect();
        let lines = lines.join("\n").replace('\t', " ");
        text.push_str(&[branch, ":\n", &lines, "\n\n"].concat());
    }
    Ok(text)
}

/// Names the committer of a commit only where the author is another.
fn without_same_committer(line: &str) -> String {
    match line.split_once('\0') {
        Some((commit, committer)) if !commit.ends_with(&format!(" by {committer}")) => {
            format!("{commit}, committed by {committer}")
        }
        Some((commit, _)) => commit.to_owned(),
        None => line.to_owned(),
    }
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
