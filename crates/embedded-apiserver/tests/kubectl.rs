//! A real kubectl against the server on loopback: what users type, and what they are shown.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use embedded_apiserver::{EmbeddedApi, Listen, Listening, Options, Reach};
use serde_json::Value;
use tempfile::TempDir;
use testkit::Kubectl;

const DEFINITION: &str = include_str!("kubectl/pipelines.yaml");

const PIPELINE: &str = "
apiVersion: example.com/v1alpha1
kind: Pipeline
metadata: {name: one, labels: {team: a}}
spec:
  shard: east
  freight: abc
  steps:
  - uses: git-clone
    config: {anything: [1, 2]}
";

/// A listening server and a kubectl that speaks to it.
struct Cluster {
    kubectl: Kubectl,
    server: EmbeddedApi,
    _listening: Listening,
    _directory: TempDir,
}

impl Cluster {
    async fn start() -> Self {
        let server = EmbeddedApi::open_in_memory(Options::default())
            .await
            .unwrap();
        let listen = Listen {
            address: "127.0.0.1:0".parse().unwrap(),
            reach: Reach::Loopback,
            token: "a-token-that-is-long-enough".to_owned(),
            directory: None,
            name: "embedded".to_owned(),
            routes: axum::Router::new(),
        };
        let listening = server.listen(listen).await.unwrap();
        let directory = tempfile::tempdir().unwrap();
        let kubeconfig = directory.path().join("kubeconfig");
        std::fs::write(&kubeconfig, listening.kubeconfig()).unwrap();
        Self {
            kubectl: Kubectl::new(&kubeconfig).unwrap(),
            server,
            _listening: listening,
            _directory: directory,
        }
    }

    async fn with_pipelines() -> Self {
        let cluster = Self::start().await;
        cluster.apply(DEFINITION);
        cluster.run("wait --for=condition=Established crd/pipelines.example.com --timeout=20s");
        cluster
    }

    /// Runs a command line; its words have no blanks in them.
    #[track_caller]
    fn run(&self, line: &str) -> String {
        let words: Vec<&str> = line.split_whitespace().collect();
        self.words(&words)
    }

    #[track_caller]
    fn words(&self, words: &[&str]) -> String {
        tokio::task::block_in_place(|| self.kubectl.run(words))
            .unwrap_or_else(|error| panic!("{error:#}"))
    }

    /// What kubectl says when it fails.
    #[track_caller]
    fn refused(&self, words: &[&str], input: &str) -> String {
        let outcome = tokio::task::block_in_place(|| self.kubectl.run_with(words, input));
        format!("{:#}", outcome.unwrap_err())
    }

    #[track_caller]
    fn input(&self, line: &str, input: &str) -> String {
        let words: Vec<&str> = line.split_whitespace().collect();
        let outcome = tokio::task::block_in_place(|| self.kubectl.run_with(&words, input));
        outcome.unwrap_or_else(|error| panic!("{error:#}"))
    }

    #[track_caller]
    fn apply(&self, manifest: &str) -> String {
        self.input("apply -f -", manifest)
    }

    #[track_caller]
    fn json(&self, line: &str) -> Value {
        serde_json::from_str(&self.run(&format!("{line} -o json"))).unwrap()
    }
}

/// The cells of a printed table, line by line.
fn cells(table: &str) -> Vec<Vec<&str>> {
    table
        .lines()
        .map(|it| it.split_whitespace().collect())
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kinds_are_found_and_explained() {
    let it = Cluster::with_pipelines().await;
    let resources = it.run("api-resources");
    for line in [
        "configmaps cm v1 true ConfigMap",
        "namespaces ns v1 false Namespace",
        "customresourcedefinitions crd,crds apiextensions.k8s.io/v1 false CustomResourceDefinition",
        "leases coordination.k8s.io/v1 true Lease",
        "rolebindings rbac.authorization.k8s.io/v1 true RoleBinding",
        "pipelines pl example.com/v1alpha1 true Pipeline",
    ] {
        let words: Vec<&str> = line.split_whitespace().collect();
        assert!(cells(&resources).contains(&words), "{line}: {resources}");
    }
    let versions = it.run("api-versions");
    assert!(
        versions.lines().any(|it| it == "example.com/v1alpha1"),
        "{versions}"
    );
    let explained = it.run("explain pipelines");
    for text in [
        "KIND:       Pipeline",
        "GROUP:      example.com",
        "Carries something from here to there",
        "spec\t<Object> -required-",
    ] {
        assert!(explained.contains(text), "{text}: {explained}");
    }
    let explained = it.run("explain pl.spec.interval");
    assert!(
        explained.contains("FIELD: interval <string>") && explained.contains("How often it runs"),
        "{explained}"
    );
    let explained = it.run("explain pl.metadata.labels");
    assert!(explained.contains("map[string]string"), "{explained}");
    let explained = it.run("explain --recursive secrets");
    assert!(explained.contains("stringData"), "{explained}");
    it.server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn objects_are_applied_shown_and_changed() {
    let it = Cluster::with_pipelines().await;
    assert_eq!(it.apply(PIPELINE), "pipeline.example.com/one created\n");
    assert_eq!(it.apply(PIPELINE), "pipeline.example.com/one unchanged\n");
    let one = it.json("get pl one");
    assert_eq!(one["spec"]["interval"], "5m0s");
    assert_eq!(one["spec"]["steps"][0]["config"]["anything"][1], 2);

    assert_eq!(
        it.run("label pl one team=b --overwrite"),
        "pipeline.example.com/one labeled\n"
    );
    assert_eq!(
        it.run("annotate pl one note=x"),
        "pipeline.example.com/one annotated\n"
    );
    it.words(&[
        "patch",
        "pl",
        "one",
        "--type=merge",
        "-p",
        r#"{"spec":{"interval":"1m"}}"#,
    ]);
    it.words(&[
        "patch",
        "pl",
        "one",
        "--type=json",
        "-p",
        r#"[{"op":"add","path":"/spec/steps/-","value":{"task":"t"}}]"#,
    ]);
    let ready = r#"{"status":{"phase":"Fine","conditions":[{"type":"Ready","status":"True"}]}}"#;
    it.words(&[
        "patch",
        "pl",
        "one",
        "--subresource=status",
        "--type=merge",
        "-p",
        ready,
    ]);
    it.run("wait pl/one --for=condition=Ready --timeout=20s");
    it.run("wait pl/one --for=jsonpath={.status.phase}=Fine --timeout=20s");

    let shown = it.run("get pl");
    let shown = cells(&shown);
    assert_eq!(shown[0], ["NAME", "SHARD", "READY", "AGE"]);
    assert_eq!(shown[1][..3], ["one", "east", "True"]);
    let wide = it.run("get pl -o wide");
    assert_eq!(
        cells(&wide)[0],
        ["NAME", "SHARD", "READY", "INTERVAL", "AGE"]
    );
    assert_eq!(cells(&wide)[1][3], "1m");
    assert_eq!(
        it.run("get pl -l team=b -o name"),
        "pipeline.example.com/one\n"
    );
    assert_eq!(it.run("get pl one -o jsonpath={.spec.steps[1].task}"), "t");
    assert_eq!(cells(&it.run("get all"))[1][0], "one");
    let described = it.run("describe pl one");
    for text in [
        "Name:         one",
        "Kind:         Pipeline",
        "Shard:",
        "Events:",
    ] {
        assert!(described.contains(text), "{text}: {described}");
    }

    let again = PIPELINE.replace("abc", "def");
    assert_eq!(
        it.input("apply --server-side --force-conflicts -f -", &again),
        "pipeline.example.com/one serverside-applied\n"
    );
    assert_eq!(it.json("get pl one")["spec"]["freight"], "def");
    assert_eq!(it.input("diff -f -", &again), "");
    assert_eq!(
        it.run("delete pl one"),
        "pipeline.example.com \"one\" deleted from default namespace\n"
    );
    it.run("delete crd pipelines.example.com --timeout=20s");
    it.server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refusals_say_what_is_wrong() {
    let it = Cluster::with_pipelines().await;
    let create = ["create", "-f", "-"];
    let said = it.refused(
        &create,
        &PIPELINE.replace("freight: abc", "freight: abc\n  origin: def"),
    );
    assert!(
        said.contains("exactly one of freight or origin must be set"),
        "{said}"
    );
    let said = it.refused(
        &create,
        &PIPELINE
            .replace("east", "\"e st\"")
            .replace("uses: git-clone", "uses: 5"),
    );
    assert!(
        said.contains(r"spec.shard in body should match '^[\w.\-]+$'"),
        "{said}"
    );
    assert!(
        said.contains("spec.steps[0].uses in body must be of type string"),
        "{said}"
    );
    let said = it.refused(&create, &PIPELINE.replace("shard: east", "shart: east"));
    assert!(said.contains("unknown field \"spec.shart\""), "{said}");
    it.apply(PIPELINE);
    let said = it.refused(&["apply", "-f", "-"], &PIPELINE.replace("east", "west"));
    assert!(said.contains("shard is immutable"), "{said}");
    let said = it.refused(&["get", "pl", "two"], "");
    assert!(
        said.contains("pipelines.example.com \"two\" not found"),
        "{said}"
    );
    let conflicting = PIPELINE.replace("abc", "def");
    let said = it.refused(
        &["apply", "--server-side", "--field-manager=other", "-f", "-"],
        &conflicting,
    );
    assert!(said.contains(".spec.freight"), "{said}");
    let twice = DEFINITION
        .replace("pipelines.example.com", "other.example.com")
        .replace("type: string", "type: strin");
    let said = it.refused(&create, &twice);
    assert!(
        said.contains("must be spec.names.plural") && said.contains("Unsupported value: \"strin\""),
        "{said}"
    );
    it.server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn builtin_kinds_are_created_and_printed() {
    let it = Cluster::start().await;
    it.run("create namespace room");
    it.run("-n room create configmap c --from-literal=a=1 --from-literal=b=2");
    it.run("-n room create secret generic s --from-literal=a=1");
    it.run("-n room create serviceaccount robot");
    it.run("-n room create role r --verb=get --resource=configmaps");
    it.run("-n room create rolebinding b --role=r --serviceaccount=room:robot");
    it.run("create clusterrole cr --verb=get --resource=configmaps");
    it.run("create clusterrolebinding cb --clusterrole=cr --user=u");
    for (line, head, row) in [
        (
            "get ns room",
            vec!["NAME", "STATUS", "AGE"],
            vec!["room", "Active"],
        ),
        (
            "-n room get cm c",
            vec!["NAME", "DATA", "AGE"],
            vec!["c", "2"],
        ),
        (
            "-n room get secret s",
            vec!["NAME", "TYPE", "DATA", "AGE"],
            vec!["s", "Opaque", "1"],
        ),
        (
            "-n room get sa robot",
            vec!["NAME", "SECRETS", "AGE"],
            vec!["robot", "0"],
        ),
        (
            "-n room get role r",
            vec!["NAME", "CREATED", "AT"],
            vec!["r"],
        ),
        (
            "-n room get rolebinding b -o wide",
            vec!["NAME", "ROLE", "AGE", "USERS", "GROUPS", "SERVICEACCOUNTS"],
            vec!["b", "Role/r"],
        ),
        (
            "get clusterrolebinding cb",
            vec!["NAME", "ROLE", "AGE"],
            vec!["cb", "ClusterRole/cr"],
        ),
    ] {
        let shown = it.run(line);
        let shown = cells(&shown);
        assert_eq!(shown[0], head, "{line}");
        assert_eq!(shown[1][..row.len()], row, "{line}");
    }
    let map =
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: d, namespace: room}\ndata: {a: '1'}\n";
    assert_eq!(it.apply(map), "configmap/d created\n");
    assert_eq!(
        it.apply(&map.replace("'1'", "'2'")),
        "configmap/d configured\n"
    );
    it.words(&[
        "-n",
        "room",
        "patch",
        "cm",
        "d",
        "-p",
        r#"{"data":{"b":"3"}}"#,
    ]);
    assert_eq!(
        it.json("-n room get cm d")["data"],
        serde_json::json!({"a": "2", "b": "3"})
    );
    let described = it.run("-n room describe cm d");
    assert!(described.contains("Name:         d"), "{described}");
    assert!(it.run("-n room describe secret s").contains("a:  1 bytes"));
    assert!(it.run("describe ns room").contains("Status:       Active"));
    it.run("-n room delete cm d");
    it.run("delete ns room --timeout=20s");
    assert!(it.refused(&["get", "ns", "room"], "").contains("not found"));
    it.server.shutdown().await;
}
