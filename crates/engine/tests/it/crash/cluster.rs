//! An API server that outlives the processes that are killed.

use std::path::PathBuf;

use serde_json::Value;
use testkit::World;
use tokio::runtime::Runtime;

use crate::fixture::PROJECT;

/// A world that other processes reach, and what lets it answer.
pub(super) struct Cluster {
    runtime: Runtime,
    world: World,
    folder: tempfile::TempDir,
}

impl Cluster {
    /// Starts it with the project's namespace.
    pub(super) fn start() -> Self {
        let runtime = Runtime::new().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let world = runtime.block_on(async {
            let world = World::new().await.unwrap();
            let project =
                format!("{{apiVersion: v1, kind: Namespace, metadata: {{name: {PROJECT}}}}}");
            world.apply(&project).await.unwrap();
            let kubeconfig = folder.path().join("kubeconfig");
            world.listen(&kubeconfig).await.unwrap();
            world
        });
        Self {
            runtime,
            world,
            folder,
        }
    }

    /// What a client needs to reach it.
    pub(super) fn kubeconfig(&self) -> PathBuf {
        self.folder.path().join("kubeconfig")
    }

    pub(super) fn create_stage(&self, name: &str) {
        let stage = format!(
            "
apiVersion: kargo.akuity.io/v1alpha1
kind: Stage
metadata: {{name: {name}, namespace: {PROJECT}}}
spec: {{requestedFreight: [{{origin: {{kind: Warehouse, name: web}}, sources: {{direct: true}}}}]}}
"
        );
        self.runtime.block_on(self.world.apply(&stage)).unwrap();
    }

    /// What `set-metadata` left on a Stage.
    pub(super) fn metadata_of_stage(&self, name: &str) -> Value {
        let version = "kargo.akuity.io/v1alpha1";
        let found = self.world.find(version, "Stage", Some(PROJECT), name);
        let stage = self.runtime.block_on(found).unwrap().unwrap();
        stage["status"]["metadata"].clone()
    }
}
