//! A project with one Stage, one piece of Freight, and steps of the test's choice.

use std::time::Duration;

use serde_json::{Value, json};
use testkit::Kubectl;
use testkit::servers::wait;

pub(crate) const NAMESPACE: &str = "shop";
pub(crate) const STAGE: &str = "test";

const PATIENCE: Duration = Duration::from_secs(20);

const PROJECT: &str = "
apiVersion: kargo.akuity.io/v1alpha1
kind: Project
metadata: {name: shop}
";

/// Freight is made by hand: nothing answers at the Warehouse's address.
const OBJECTS: &str = "
apiVersion: kargo.akuity.io/v1alpha1
kind: Warehouse
metadata: {name: web, namespace: shop}
spec: {freightCreationPolicy: Manual, subscriptions: [{image: {repoURL: 127.0.0.1:1/web}}]}
---
apiVersion: kargo.akuity.io/v1alpha1
kind: Stage
metadata: {name: test, namespace: shop}
spec:
  requestedFreight: [{origin: {kind: Warehouse, name: web}, sources: {direct: true}}]
  promotionTemplate:
    spec:
      steps:
";

const FREIGHT: &str = "
apiVersion: kargo.akuity.io/v1alpha1
kind: Freight
metadata: {generateName: web-, namespace: shop}
origin: {kind: Warehouse, name: web}
images: [{repoURL: 127.0.0.1:1/web, tag: 1.0.0}]
";

/// The objects of the project, as they are in a running `argosy up`.
#[derive(Debug)]
pub(crate) struct Pipeline {
    kubectl: Kubectl,
    /// The name of its Freight.
    pub(crate) freight: String,
}

impl Pipeline {
    /// Creates everything; `login` is the contents of the Secret for its Git repository.
    pub(crate) fn create(kubectl: &Kubectl, login: &Value, steps: &str) -> Self {
        let apply = |manifest: &str| {
            kubectl
                .run_with(&["apply", "-f", "-"], manifest)
                .unwrap_or_else(|error| panic!("{error:#}: {manifest}"))
        };
        apply(PROJECT);
        wait("the project's namespace", PATIENCE, || {
            Ok(kubectl.run(&["get", "namespace", NAMESPACE]).ok())
        })
        .unwrap();
        let secret = json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {
                "name": "deploy",
                "namespace": NAMESPACE,
                "labels": {"kargo.akuity.io/cred-type": "git"},
            },
            "stringData": login,
        });
        apply(&secret.to_string());
        let steps: Vec<String> = steps
            .lines()
            .map(|line| format!("        {line}"))
            .collect();
        apply(&format!("{OBJECTS}{}", steps.join("\n")));
        Self {
            freight: create(kubectl, FREIGHT),
            kubectl: kubectl.clone(),
        }
    }

    /// Asks for a promotion and gives the Promotion's name.
    pub(crate) fn promote(&self) -> String {
        let promotion = json!({
            "apiVersion": "kargo.akuity.io/v1alpha1",
            "kind": "Promotion",
            "metadata": {"generateName": "promotion-", "namespace": NAMESPACE},
            "spec": {"stage": STAGE, "freight": self.freight},
        });
        create(&self.kubectl, &promotion.to_string())
    }

    /// Waits until a Promotion has ended and gives its status.
    pub(crate) fn wait_for_end(&self, promotion: &str) -> Value {
        wait("the end of the promotion", 2 * PATIENCE, || {
            let status = self.status("promotion", promotion);
            Ok(status["finishedAt"].is_string().then_some(status))
        })
        .unwrap()
    }

    /// Reads the status of an object.
    pub(crate) fn status(&self, kind: &str, name: &str) -> Value {
        self.json(&["get", kind, name])["status"].clone()
    }

    /// Runs kubectl in the project's namespace.
    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        let arguments = [&["-n", NAMESPACE], arguments].concat();
        self.kubectl.json(&arguments).unwrap()
    }
}

fn create(kubectl: &Kubectl, manifest: &str) -> String {
    let name = kubectl
        .run_with(&["create", "-f", "-", "-o", "name"], manifest)
        .unwrap();
    name.trim().rsplit('/').next().unwrap().to_owned()
}
