//! Applies manifests server-side, as `kubectl apply --server-side -f` would.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use kube::Client;
use kube::api::{Api, DynamicObject, Patch, PatchParams};
use kube::core::GroupVersionKind;
use kube::discovery::{self, ApiCapabilities, ApiResource, Scope};

/// Who the fields of applied manifests belong to.
const FIELD_MANAGER: &str = "argosy-up";

/// How long a manifest waits for a namespace that an earlier one brings, such as a Project's.
const NAMESPACE_WAIT: Duration = Duration::from_secs(30);

/// The largest manifest file that is read.
const FILE_BOUND: u64 = 16 * 1024 * 1024;

/// Applies the documents of `paths` in their order; folders are read in the order of their file names, with sub-folders.
///
/// # Errors
/// The first document that cannot be read or applied, with its file, kind and name.
pub(crate) async fn apply(client: &Client, paths: &[PathBuf]) -> Result<usize> {
    let mut kinds = BTreeMap::new();
    let mut count = 0;
    for path in paths {
        for file in files_of(path)? {
            for object in objects_of(&file)? {
                apply_object(client, &mut kinds, object)
                    .await
                    .with_context(|| format!("in {}", file.display()))?;
                count += 1;
            }
        }
    }
    Ok(count)
}

fn files_of(path: &Path) -> Result<Vec<PathBuf>> {
    let metadata = fs::metadata(path)
        .with_context(|| format!("failed to read the manifests at {}", path.display()))?;
    if metadata.is_file() {
        return Ok(vec![path.to_owned()]);
    }
    let mut entries: Vec<PathBuf> = fs::read_dir(path)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    entries.sort();
    let mut files = Vec::new();
    for entry in entries {
        let is_manifest = entry
            .extension()
            .is_some_and(|extension| ["yaml", "yml", "json"].iter().any(|it| extension == *it));
        if entry.is_dir() {
            files.extend(files_of(&entry)?);
        } else if is_manifest {
            files.push(entry);
        }
    }
    Ok(files)
}

fn objects_of(file: &Path) -> Result<Vec<DynamicObject>> {
    let size = fs::metadata(file)?.len();
    ensure!(
        size <= FILE_BOUND,
        "{} has {size} bytes; a manifest file has at most {FILE_BOUND}",
        file.display()
    );
    let text =
        fs::read_to_string(file).with_context(|| format!("failed to read {}", file.display()))?;
    let documents: Vec<serde_json::Value> = serde_saphyr::from_multiple(&text)
        .with_context(|| format!("failed to parse {}", file.display()))?;
    documents
        .into_iter()
        .filter(|document| !document.is_null())
        .map(|document| {
            serde_json::from_value(document).with_context(|| {
                format!(
                    "{} holds a document that is no Kubernetes object",
                    file.display()
                )
            })
        })
        .collect()
}

type Kinds = BTreeMap<(String, String), (ApiResource, ApiCapabilities)>;

async fn apply_object(client: &Client, kinds: &mut Kinds, object: DynamicObject) -> Result<()> {
    let types = object
        .types
        .clone()
        .context("a document without apiVersion and kind")?;
    let name = object
        .metadata
        .name
        .clone()
        .with_context(|| format!("a {} without metadata.name", types.kind))?;
    let key = (types.api_version.clone(), types.kind.clone());
    if !kinds.contains_key(&key) {
        let kind = GroupVersionKind::try_from(&types)?;
        let found = discovery::pinned_kind(client, &kind)
            .await
            .with_context(|| format!("the API knows no {} of {}", types.kind, types.api_version))?;
        kinds.insert(key.clone(), found);
    }
    let (resource, capabilities) = &kinds[&key];
    let api: Api<DynamicObject> = match capabilities.scope {
        Scope::Cluster => Api::all_with(client.clone(), resource),
        Scope::Namespaced => {
            let namespace = object.metadata.namespace.as_deref().unwrap_or("default");
            Api::namespaced_with(client.clone(), namespace, resource)
        }
    };
    let parameters = PatchParams::apply(FIELD_MANAGER).force();
    let deadline = tokio::time::Instant::now() + NAMESPACE_WAIT;
    loop {
        match api.patch(&name, &parameters, &Patch::Apply(&object)).await {
            Ok(_) => break,
            Err(kube::Error::Api(status))
                if is_missing_namespace(&status) && tokio::time::Instant::now() < deadline =>
            {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            Err(kube::Error::Api(status)) => {
                bail!("{} {name:?} was refused: {}", types.kind, status.message)
            }
            Err(error) => {
                return Err(error)
                    .with_context(|| format!("failed to apply {} {name:?}", types.kind));
            }
        }
    }
    tracing::info!(kind = types.kind, name, "applied");
    Ok(())
}

fn is_missing_namespace(status: &kube::core::Status) -> bool {
    status.code == 404
        && status
            .details
            .as_ref()
            .is_some_and(|details| details.kind == "namespaces")
}
