//! What a case starts from: a promotion, a repository, a work directory.

use std::{collections::BTreeMap, fs, os::unix::fs::symlink, path::Path};

use engine::Run;
use resources::{FreightCollection, FreightReference, Variable};
use serde::Deserialize;
use serde_json::{Value, json};
use testkit::{World, servers::GitServer};

use super::{Hosts, file_name, files, read};
use crate::fixture::promotion_of;

/// What `step.yaml` says besides the steps.
#[derive(Debug, Deserialize)]
struct Spec {
    #[serde(default)]
    vars: Vec<Variable>,
    #[serde(default)]
    freight: Vec<FreightReference>,
    /// Kubernetes objects that are there.
    #[serde(default)]
    objects: Vec<Value>,
    /// Kubernetes objects that are there in the end, with this status.
    #[serde(default)]
    after: Vec<Value>,
    /// Symlinks in the work directory, and where they lead.
    #[serde(default)]
    links: BTreeMap<String, String>,
    /// Tags of branch `main` of the repository.
    #[serde(default)]
    tags: Vec<String>,
    #[serde(default)]
    submodules: Vec<Submodule>,
    /// The repository's host speaks HTTPS, with a certificate that nobody vouches for.
    #[serde(default)]
    tls: bool,
}

/// A submodule of the repository, or of another submodule.
#[derive(Debug, Deserialize)]
struct Submodule {
    path: String,
    /// What `.gitmodules` says, where it is not where the repository is.
    #[serde(default)]
    url: String,
    files: BTreeMap<String, String>,
    #[serde(default)]
    submodules: Vec<Submodule>,
}

/// A case that is ready to run.
#[derive(Debug)]
pub(super) struct Given<'a> {
    pub(super) run: Run,
    pub(super) server: &'a GitServer,
    /// The name of the repository.
    pub(super) name: String,
    pub(super) objects_after: Vec<Value>,
}

impl<'a> Given<'a> {
    /// Reads a case and makes everything that it names; `root` is where promotions have their files.
    pub(super) async fn prepare(
        case: &Path,
        root: &Path,
        world: &World,
        hosts: &'a Hosts,
    ) -> anyhow::Result<Self> {
        let text = read(&case.join("step.yaml")).unwrap_or_default();
        let whole: Value = serde_saphyr::from_str(&text)?;
        let is_step = !whole["uses"].is_null();
        let steps = if is_step {
            json!([whole])
        } else {
            whole["steps"].clone()
        };
        // What a single step says is its own.
        let spec = if is_step { json!({}) } else { whole };
        let spec: Spec = serde_json::from_value(spec)?;
        let mut run = promotion_of(&steps);
        run.vars = spec.vars;
        run.freight_collection = FreightCollection::of(spec.freight);
        for object in &spec.objects {
            world.apply(&object.to_string()).await?;
        }
        let name = format!("{}-{}", file_name(case.parent().unwrap()), file_name(case));
        let server = if spec.tls { &hosts.tls } else { &hosts.open };
        let repository = files(&case.join("repository"));
        if !repository.is_empty() {
            create(server, &name, &repository, &spec.submodules)?;
            for tag in &spec.tags {
                server.git(&name, &["tag", tag, "main"])?;
            }
            run.vars.push(Variable::new("repo", server.url(&name)));
        }
        let work = root.join(format!("promotion-{}/files", run.promotion_uid));
        write(&work, case, &spec.links)?;
        Ok(Self {
            run,
            server,
            name,
            objects_after: spec.after,
        })
    }
}

/// Creates a repository and those of its submodules, each beside it.
fn create(
    server: &GitServer,
    name: &str,
    files: &BTreeMap<String, String>,
    submodules: &[Submodule],
) -> anyhow::Result<()> {
    let contents = files.iter();
    let contents: Vec<_> = contents
        .map(|(path, text)| (path.as_str(), text.as_str()))
        .collect();
    server.create(name, &contents)?;
    for submodule in submodules {
        let of = format!("{name}-{}", file_name(Path::new(&submodule.path)));
        create(server, &of, &submodule.files, &submodule.submodules)?;
        let beside = format!("../{of}.git");
        let url = if submodule.url.is_empty() {
            &beside
        } else {
            &submodule.url
        };
        server.add_submodule(name, &submodule.path, &of, url)?;
    }
    Ok(())
}

/// Writes the work directory as it is before.
fn write(work: &Path, case: &Path, links: &BTreeMap<String, String>) -> anyhow::Result<()> {
    fs::create_dir_all(work)?;
    for (path, text) in files(&case.join("before")) {
        let file = work.join(path.replace("dot-git", ".git"));
        fs::create_dir_all(file.parent().unwrap())?;
        fs::write(file, text)?;
    }
    for (path, to) in links {
        let link = work.join(path);
        fs::create_dir_all(link.parent().unwrap())?;
        symlink(to, link)?;
    }
    Ok(())
}
