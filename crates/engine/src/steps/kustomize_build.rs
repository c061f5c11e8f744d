//! `kustomize-build`: renders manifests with the real Kustomize.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use artifacts::child::{self, Command};
use domain::message::in_one_line;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Outcome, Step, StepError, kustomize_set_image::find_file, manifests};
use crate::{context::StepContext, work_dir::FilePath, yaml};

/// How many kustomizations one build may be made of.
const MOST_KUSTOMIZATIONS: usize = 1000;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct KustomizeBuild {
    path: String,
    out_path: String,
    #[serde(default)]
    output_format: Format,
    #[serde(default)]
    plugin: Plugin,
}

/// How the files of a folder are named.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Format {
    #[default]
    Kargo,
    Kustomize,
}

#[derive(Debug, Default, Deserialize)]
struct Plugin {
    #[serde(default)]
    helm: Helm,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Helm {
    #[serde(default)]
    api_versions: Vec<String>,
    #[serde(default)]
    kube_version: String,
}

impl Step for KustomizeBuild {
    const KIND: &'static str = "kustomize-build";

    async fn run(self, cx: &StepContext<'_>) -> Result<Outcome, StepError> {
        let file = find_file(cx, &self.path)?;
        if !cx.outside().settings.remote_bases {
            refuse_remote(cx, &file)?;
        }
        let folder = cx.work_dir.absolute(&FilePath::parse(&self.path)?)?;
        let out_path = FilePath::parse_for_writing(&self.out_path)?;
        let command = self.command(cx, &folder)?;
        let output = cx.outside().launcher.run(command).await?;
        let output = output.checked().map_err(|error| match error {
            child::Error::Failed { code: Some(_), .. } => {
                StepError::Errored(error.to_string()).with_next(see_yourself(&self.path))
            }
            error => error.into(),
        })?;
        cx.reached("rendered");
        let text = String::from_utf8(output.stdout).map_err(|_not_text| {
            StepError::Errored("kustomize printed something that is not text".to_owned())
                .with_next(see_yourself(&self.path))
        })?;
        if Path::new(&self.out_path)
            .extension()
            .is_some_and(|it| it == "yaml" || it == "yml")
        {
            cx.work_dir
                .write_text(&cx.work_dir.writable(&out_path)?, &text)?;
        } else {
            for (name, document) in self.files(&text)? {
                let path = FilePath::parse_for_writing(&format!("{out_path}/{name}"))?;
                cx.work_dir
                    .write_text(&cx.work_dir.writable(&path)?, document)?;
            }
        }
        cx.reached("written");
        Ok(Outcome::Done(Map::new()))
    }
}

impl KustomizeBuild {
    fn command(&self, cx: &StepContext<'_>, folder: &Path) -> Result<Command, StepError> {
        let settings = &cx.outside().settings;
        // Not the promotion's own folder: keys in its home are none of Kustomize's business.
        let work_dir = cx.work_dir.renderer_dir()?;
        let files = cx.work_dir.root().join("files");
        let mut command = Command::new(&settings.kustomize, work_dir)
            .directory(&files)
            .read_only(&files)
            .follows_links_in(&files)
            .arg("build")
            .arg(folder)
            .args([
                "--load-restrictor",
                "LoadRestrictionsNone",
                "--enable-helm",
                "--helm-command",
            ])
            .arg(&settings.helm);
        // One of the search path can be read anyway.
        if settings.helm.components().count() > 1 {
            command = command.read_only(&settings.helm);
        }
        for version in &self.plugin.helm.api_versions {
            command = command.arg("--helm-api-versions").arg(version);
        }
        if !self.plugin.helm.kube_version.is_empty() {
            command = command
                .arg("--helm-kube-version")
                .arg(&self.plugin.helm.kube_version);
        }
        if !settings.remote_bases {
            // What the look at the files did not find cannot be fetched either: git may speak no protocol, and there is
            // nothing where HTTP requests go.
            let nowhere = "http://127.0.0.1:1";
            command = command
                .env("GIT_ALLOW_PROTOCOL", "")
                .env("HTTPS_PROXY", nowhere)
                .env("HTTP_PROXY", nowhere)
                .env("NO_PROXY", "");
        }
        Ok(command
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_CONFIG_NOSYSTEM", "1"))
    }

    /// Gives every document the name of its file.
    fn files<'a>(&self, text: &'a str) -> Result<BTreeMap<String, &'a str>, StepError> {
        let mut files = BTreeMap::new();
        for document in manifests::split(text) {
            let object = yaml::read(document).map_err(|error| {
                StepError::Errored(in_one_line(&error)).with_next(see_yourself(&self.path))
            })?;
            let Some(object) = object.into_iter().find(Value::is_object) else {
                continue;
            };
            let resource = manifests::Resource::of(&object);
            let name = match self.output_format {
                Format::Kargo => resource.short_file_name(),
                Format::Kustomize => resource.long_file_name(),
            };
            let name = name.ok_or_else(|| {
                StepError::Errored(format!(
                    "{} {:?} cannot be a file name",
                    resource.kind, resource.name
                ))
                .with_next("let outPath end in .yaml")
            })?;
            if files.insert(name.clone(), document).is_some() {
                return Err(StepError::Errored(format!(
                    "two resources would be written to {name:?}: let outPath end in .yaml, or use outputFormat kustomize"
                )));
            }
        }
        Ok(files)
    }
}

/// What shows a person more than the step can.
fn see_yourself(path: &str) -> String {
    format!("build it from a clone of the repository: kustomize build {path}")
}

/// Refuses a kustomization that reads something by URL or from outside of the work directory, in itself or in one of
/// those it is made of.
fn refuse_remote(cx: &StepContext<'_>, file: &Path) -> Result<(), StepError> {
    let mut waiting = vec![file.to_owned()];
    let mut seen = BTreeSet::new();
    while let Some(file) = waiting.pop() {
        if !seen.insert(file.clone()) {
            continue;
        }
        if seen.len() > MOST_KUSTOMIZATIONS {
            return Err(StepError::Failed(format!(
                "more than {MOST_KUSTOMIZATIONS} kustomizations in one build"
            ))
            .with_next("build in several steps"));
        }
        let text = cx.work_dir.read_text(&file)?;
        let documents = yaml::read(&text).map_err(|error| {
            StepError::Errored(format!("{}: {}", file.display(), in_one_line(&error)))
                .with_next(error.hint())
        })?;
        for entry in documents.iter().flat_map(sources) {
            if is_remote(&entry) {
                return Err(StepError::Failed(format!(
                    "{} reads {entry:?}, and remote bases are off: keep a copy in the repository, or ask the operator for \
                     --kustomize-remote-bases",
                    file.display()
                )));
            }
            // A name in front of the path, as generators allow.
            let path = entry
                .split_once('=')
                .map_or(entry.as_str(), |(_, path)| path);
            let folder = file.parent().unwrap_or(Path::new("."));
            let leaves = || {
                StepError::Failed(format!(
                    "{} reads {entry:?}, outside of the work directory",
                    file.display()
                ))
                .with_next("keep a copy in the repository")
            };
            let path = FilePath::parse_beside(folder, path).ok_or_else(leaves)?;
            let path = cx.work_dir.existing(&path)?;
            waiting.extend(kustomization_in(cx, &path));
        }
    }
    Ok(())
}

fn kustomization_in(cx: &StepContext<'_>, folder: &Path) -> Option<PathBuf> {
    let files = cx.work_dir.files();
    super::kustomize_set_image::FILE_NAMES
        .iter()
        .map(|name| folder.join(name))
        .find(|it| files.is_file(it))
}

/// Every text of a kustomization that names a file, a folder or a URL.
fn sources(kustomization: &Value) -> Vec<String> {
    const LISTS: [&str; 9] = [
        "resources",
        "components",
        "bases",
        "crds",
        "configurations",
        "generators",
        "transformers",
        "validators",
        "patchesStrategicMerge",
    ];
    const LISTS_OF_OBJECTS: [(&str, &[&str]); 7] = [
        ("patches", &["path"]),
        ("patchesJson6902", &["path"]),
        ("replacements", &["path"]),
        ("configMapGenerator", &["files", "env", "envs"]),
        ("secretGenerator", &["files", "env", "envs"]),
        (
            "helmCharts",
            &["repo", "valuesFile", "additionalValuesFiles"],
        ),
        ("helmChartInflationGenerator", &["chartRepoUrl", "values"]),
    ];
    let texts = |value: &Value| match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(items) => items
            .iter()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => Vec::new(),
    };
    let mut found: Vec<String> = LISTS
        .iter()
        .flat_map(|key| texts(&kustomization[*key]))
        .collect();
    for (key, fields) in LISTS_OF_OBJECTS {
        for item in kustomization[key].as_array().into_iter().flatten() {
            found.extend(fields.iter().flat_map(|field| texts(&item[*field])));
        }
    }
    found.extend(texts(&kustomization["openapi"]["path"]));
    found.extend(texts(&kustomization["helmGlobals"]["chartHome"]));
    // Patches, transformers and the like may be written out in place.
    found.retain(|text| !text.contains('\n'));
    found
}

/// Says whether Kustomize or git would take the text for a URL.
fn is_remote(text: &str) -> bool {
    let host = text.split('/').next().unwrap_or(text);
    text.contains("://")
        || text.contains("::")
        || text.contains("?ref=")
        || text.contains(".git//")
        || (text.contains('@') && text.contains(':'))
        || (text.contains('/')
            && ["github.com", "gitlab.com", "bitbucket.org", "dev.azure.com"].contains(&host))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_kustomize_would_fetch_is_known_by_its_text() {
        for remote in [
            "https://example.com/a.yaml",
            "github.com/acme/app/base?ref=v1",
            "github.com/acme/app",
            "git@github.com:acme/app.git",
            "ssh://git@host/a",
            "git::https://host/a",
            "example.com/a.git//base",
        ] {
            assert!(is_remote(remote), "{remote}");
        }
        for local in [
            "../base",
            "a.yaml",
            "deploy@2x.yaml",
            "github.com.yaml",
            "./github.com/x",
        ] {
            assert!(!is_remote(local), "{local}");
        }
    }

    #[test]
    fn every_field_that_names_a_file_is_looked_at() {
        let kustomization = json!({
            "resources": ["a"], "patches": [{"path": "b"}, {"patch": "inline"}], "openapi": {"path": "c"},
            "configMapGenerator": [{"files": ["k=d", "e"], "envs": ["f"]}], "helmCharts": [{"repo": "https://x"}],
            "patchesStrategicMerge": ["g", "kind: A\nmetadata: {}\n"],
        });
        assert_eq!(
            sources(&kustomization),
            ["a", "g", "b", "k=d", "e", "f", "https://x", "c"]
        );
    }
}
