//! `setup --enable-wif` for clusters and node pools without the metadata server of GKE, and for those that have it.

use anyhow::{Context as _, Result};
use gcp_sim::{Cluster, NodePool};

use super::audit::own_rules;
use super::{ACCOUNT, Place, status, text};

const PROJECT: &str = "--project=web";
const WRITE: &[&str] = &["setup", PROJECT, "--enable-wif"];
const APPLY: &[&str] = &["setup", PROJECT, "--enable-wif", "--apply", "--yes"];

/// A cluster, and the commands that it needs.
type Case = (fn(&mut Cluster), &'static [&'static str]);

const SWITCH_ON: &str = "gcloud container clusters update main --project=acme-prod --location=europe-west1 \
    --workload-pool=acme-prod.svc.id.goog";
const OLD_POOL: &str = "gcloud container node-pools update old --project=acme-prod --location=europe-west1 \
    --cluster=main --workload-metadata=GKE_METADATA";
const SPOT_POOL: &str = "gcloud container node-pools update spot --project=acme-prod --location=europe-west1 \
    --cluster=main --workload-metadata=GKE_METADATA";

/// A Standard cluster that nobody has switched over, one that is half way, one that is, and Autopilot.
const CASES: [Case; 4] = [
    (standard, &[SWITCH_ON, OLD_POOL, SPOT_POOL]),
    (half_way, &[OLD_POOL]),
    (switched_over, &[]),
    (autopilot, &[]),
];

fn standard(cluster: &mut Cluster) {
    cluster.workload_identity = false;
    cluster.node_pools = vec![pool("old", "GCE_METADATA"), pool("spot", "GCE_METADATA")];
}

fn half_way(cluster: &mut Cluster) {
    cluster.node_pools = vec![pool("new", "GKE_METADATA"), pool("old", "GCE_METADATA")];
}

fn switched_over(cluster: &mut Cluster) {
    cluster.node_pools = vec![pool("new", "GKE_METADATA")];
}

fn autopilot(cluster: &mut Cluster) {
    cluster.autopilot = true;
    cluster.workload_identity = false;
}

fn pool(name: &str, mode: &str) -> NodePool {
    NodePool {
        name: name.to_owned(),
        workload_metadata: mode.to_owned(),
        ..NodePool::default()
    }
}

/// Nothing is set up but the cluster as it is.
async fn place(change: fn(&mut Cluster)) -> Result<Place> {
    let place = Place::empty().await?;
    place
        .google()
        .change(|world| change(&mut world.projects[0].clusters[0]));
    Ok(place)
}

fn cluster(place: &Place) -> Cluster {
    place.google().read(|it| it.projects[0].clusters[0].clone())
}

/// Puts each command of a text on a line of its own.
fn lines(text: &str) -> Vec<String> {
    let joined = text.replace("\\\n", " ");
    let plain = |it: &str| it.split_whitespace().collect::<Vec<_>>().join(" ");
    joined.lines().map(plain).collect()
}

/// Finds the commands about clusters and node pools; those that a program left to people come with its word for it.
fn commands<'a>(lines: &'a [String], word: &'a str) -> Vec<&'a str> {
    let stripped = lines.iter().filter_map(|it| it.strip_prefix(word));
    stripped
        .filter(|it| it.starts_with("gcloud container "))
        .collect()
}

/// Does what a command about a node pool does.
fn run_by_hand(place: &Place, command: &str) -> Result<()> {
    let words: Vec<_> = command.split(' ').collect();
    let ["gcloud", "container", "node-pools", "update", name, ..] = words.as_slice() else {
        anyhow::bail!("unknown: {command}");
    };
    place.google().change(|world| {
        let cluster = &mut world.projects[0].clusters[0];
        let found = cluster.node_pools.iter_mut().find(|it| it.name == *name);
        let pool = found.with_context(|| command.to_owned())?;
        "GKE_METADATA".clone_into(&mut pool.workload_metadata);
        Ok(())
    })
}

#[tokio::test]
async fn the_script_switches_over_what_is_not_and_the_cluster_before_its_nodes() -> Result<()> {
    for (change, expected) in CASES {
        let place = place(change).await?;
        let written = place.run(WRITE).await?;
        assert!(written.status.success(), "{}", text(&written.stderr));
        let script = lines(&text(&written.stdout));
        assert_eq!(commands(&script, ""), expected, "{script:#?}");
        let without = place.run(&["setup", PROJECT]).await?;
        let script = lines(&text(&without.stdout));
        assert_eq!(commands(&script, ""), [""; 0], "{script:#?}");
    }
    Ok(())
}

#[tokio::test]
async fn terraform_is_told_what_to_add_to_the_cluster_and_to_its_node_pools() -> Result<()> {
    for (change, expected) in CASES {
        let place = place(change).await?;
        let arguments = [WRITE, &["--format=terraform"]].concat();
        let written = place.run(&arguments).await?;
        assert!(written.status.success(), "{}", text(&written.stderr));
        let written = text(&written.stdout);
        let pools = [("old", OLD_POOL), ("spot", SPOT_POOL), ("new", "")];
        for (name, command) in pools {
            let said = format!("# In the google_container_node_pool {name} of main:");
            let is_expected = expected.contains(&command);
            assert_eq!(written.contains(&said), is_expected, "{name}: {written}");
        }
        let cluster = "# In the google_container_cluster of main:";
        let is_expected = expected.contains(&SWITCH_ON);
        assert_eq!(written.contains(cluster), is_expected, "{written}");
        let pool = "workload_pool = \"acme-prod.svc.id.goog\"";
        assert_eq!(written.contains(pool), is_expected, "{written}");
        let modes = written.matches("mode = \"GKE_METADATA\"").count();
        assert_eq!(
            modes,
            expected.len() - usize::from(is_expected),
            "{written}"
        );
        loopback_servers::terraform::accepts(&written)?;
    }
    Ok(())
}

#[tokio::test]
async fn what_makes_nodes_anew_is_left_to_people_and_then_everything_works() -> Result<()> {
    for (change, expected) in CASES {
        let place = place(change).await?;
        let (switched, pools) = match expected {
            [SWITCH_ON, pools @ ..] => (&expected[..1], pools),
            pools => (&[][..], pools),
        };
        let mut after = cluster(&place);
        after.workload_identity |= !switched.is_empty();
        let applied = place.run(APPLY).await?;
        let said = text(&applied.stderr);
        let done = lines(&said);
        let left = commands(&done, "left to you: ");
        assert_eq!(left, pools, "{said}");
        assert_eq!(commands(&done, "done: "), switched, "{said}");
        assert_eq!(cluster(&place), after, "no node was touched");
        let has_account = |it: &gcp_sim::World| it.service_account(ACCOUNT).is_some();
        assert!(place.google().read(has_account), "the rest is done: {said}");
        if !pools.is_empty() {
            let steps = match pools.len() {
                1 => "1 step is left to you".to_owned(),
                many => format!("{many} steps are left to you"),
            };
            assert_eq!(applied.status.code(), Some(1), "{said}");
            assert!(said.contains(&steps), "no {steps:?}: {said}");
            assert!(!said.contains("waiting"), "nothing to wait for: {said}");
            let (code, report) = place.json(&["doctor", "-o", "json"]).await?;
            assert_eq!(
                (code, status(&report, "NODEPOOL-MODE")?),
                (1, "fail"),
                "{report:#}"
            );
            assert_eq!(status(&report, "CLUSTER-WIF")?, "pass", "{report:#}");
            for command in &left {
                run_by_hand(&place, command)?;
            }
        }
        let applied = place.run(APPLY).await?;
        let said = text(&applied.stderr);
        assert!(applied.status.success(), "{said}");
        assert!(said.contains("it works"), "{said}");
        let (code, report) = place.json(&["doctor", "-o", "json"]).await?;
        assert_eq!(code, 0, "{report:#}");
        for link in ["CLUSTER-WIF", "NODEPOOL-MODE", "MDS-EMAIL", "AR-PULL"] {
            assert_eq!(status(&report, link)?, "pass", "{link}: {report:#}");
        }
        let (code, report) = place.json(&["audit", "-o", "json"]).await?;
        assert!(own_rules(&report).is_empty(), "{report:#}");
        assert_eq!((code, &report["unread"]), (0, &serde_json::json!([])));
    }
    Ok(())
}

#[tokio::test]
async fn a_cluster_that_may_not_be_read_is_left_alone_and_that_is_no_success() -> Result<()> {
    let place = place(standard).await?;
    let google = place.google();
    google.disable_api("acme-prod", "container.googleapis.com")?;
    let written = place.run(WRITE).await?;
    let (script, said) = (lines(&text(&written.stdout)), text(&written.stderr));
    assert_eq!(written.status.code(), Some(1), "{said}");
    assert!(said.contains("the cluster was not seen"), "{said}");
    assert_eq!(commands(&script, ""), [""; 0], "{script:#?}");
    Ok(())
}
