//! Applies manifests server-side, as `kubectl apply --server-side -f` would.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use kube::Client;
use kube::api::{Api, DynamicObject, Patch, PatchParams};
use kube::core::GroupVersionKind;
use kube::discovery::{self, ApiCapabilities, ApiResource, Scope};

/// Who the fields of applied manifests belong to.
const FIELD_MANAGER: &str = "argosy-up";

/// How long manifests wait for a namespace that another of them brings, such as a Project's.
const NAMESPACE_WAIT: Duration = Duration::from_secs(30);

/// The largest manifest file that is read.
const FILE_BOUND: u64 = 16 * 1024 * 1024;

/// One document, and where it stands.
pub(crate) struct Manifest {
    file: PathBuf,
    object: DynamicObject,
}

/// Reads the documents of `paths`; folders without their sub-folders, as kubectl does, in the order of the file names.
///
/// # Errors
/// The first file that cannot be read or parsed.
pub(crate) fn read(paths: &[PathBuf]) -> Result<Vec<Manifest>> {
    let mut manifests = Vec::new();
    for path in paths {
        for file in files_of(path)? {
            for object in objects_of(&file)? {
                let file = file.clone();
                manifests.push(Manifest { file, object });
            }
        }
    }
    Ok(manifests)
}

/// Applies documents in their order; those whose namespace is not there yet come again after all others.
///
/// # Errors
/// The first document that cannot be applied, with its file, kind and name.
pub(crate) async fn apply(client: &Client, manifests: Vec<Manifest>) -> Result<usize> {
    let count = manifests.len();
    let mut kinds = BTreeMap::new();
    let mut waiting = manifests;
    let deadline = tokio::time::Instant::now() + NAMESPACE_WAIT;
    loop {
        let mut left = Vec::new();
        let mut missing = None;
        for manifest in waiting {
            let place = || {
                let file = manifest.file.display();
                format!("failed to apply {file}; correct it, then run argosy up again")
            };
            let applied = apply_object(client, &mut kinds, &manifest.object).await;
            if let Applied::NamespaceMissing(why) = applied.with_context(place)? {
                missing.get_or_insert_with(|| anyhow!(why).context(place()));
                left.push(manifest);
            }
        }
        let Some(missing) = missing else {
            return Ok(count);
        };
        if tokio::time::Instant::now() >= deadline {
            return Err(missing);
        }
        waiting = left;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn files_of(path: &Path) -> Result<Vec<PathBuf>> {
    let metadata = fs::metadata(path).with_context(|| {
        format!(
            "failed to read the manifests at {}; name what exists: argosy up -f FILE",
            path.display()
        )
    })?;
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
        if is_manifest && entry.is_file() {
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
    let documents: Vec<serde_json::Value> =
        serde_saphyr::from_multiple(&text).with_context(|| {
            format!(
                "failed to parse {}; mend it and start again",
                file.display()
            )
        })?;
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

enum Applied {
    Done,
    /// What the API said about the namespace.
    NamespaceMissing(String),
}

async fn apply_object(
    client: &Client,
    kinds: &mut Kinds,
    object: &DynamicObject,
) -> Result<Applied> {
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
        let found = match discovery::pinned_kind(client, &kind).await {
            Ok(found) => found,
            Err(kube::Error::Api(status)) if status.code == 404 => bail!(
                "the API knows no {} of {}; these are known: kubectl api-resources",
                types.kind,
                types.api_version
            ),
            Err(error) => return Err(error).context("failed to ask the API for its kinds"),
        };
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
    let refused = |message: &str| format!("{} {name:?} was refused: {message}", types.kind);
    match api.patch(&name, &parameters, &Patch::Apply(object)).await {
        Ok(_) => {}
        Err(kube::Error::Api(status)) if is_missing_namespace(&status) => {
            return Ok(Applied::NamespaceMissing(refused(&status.message)));
        }
        Err(kube::Error::Api(status)) => bail!(refused(&status.message)),
        Err(error) => {
            return Err(error).with_context(|| format!("failed to apply {} {name:?}", types.kind));
        }
    }
    tracing::info!(kind = types.kind, name, "applied");
    Ok(Applied::Done)
}

fn is_missing_namespace(status: &kube::core::Status) -> bool {
    status.code == 404
        && status
            .details
            .as_ref()
            .is_some_and(|details| details.kind == "namespaces")
}
