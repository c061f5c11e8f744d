//! `cargo xtask demo`: an image on its way through three Stages, driven as a user would drive it.
//!
//! ```text
//! docker-registry ◄─ skopeo        nginx + git
//!        ▲                            ▲
//!        └───────── argosy up ────────┘ ◄── kubectl apply, create, get
//! ```
//!
//! Everything runs on loopback and nothing of it is ours but `argosy`. Each thing that should happen has a time limit;
//! when it does not happen the demo fails and shows why.

mod world;

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use serde_json::Value;

use self::world::{Prepared, World};

const PROJECT: &str = "quickstart";

/// How long any one thing may take to happen.
const PATIENCE: Duration = Duration::from_secs(30);

/// Runs the story; with `keep` leaves everything running until Enter or Ctrl-C.
pub(crate) fn demo(keep: bool) -> Result<()> {
    let parts = Prepared::new()?;
    let start = Instant::now();
    title("One command: a Kubernetes API and all of Argosy");
    let world = parts.start()?;
    title("Ordinary Kargo manifests");
    for line in world
        .kubectl()
        .run(&["apply", "-f", &world.manifests().display().to_string()])?
        .lines()
    {
        say(line);
    }
    let first = follow(&world, "1.0.0")?;
    title("A newer image is pushed");
    world.push_image("1.1.0")?;
    world.kubectl().run(&[
        "-n",
        PROJECT,
        "annotate",
        "warehouse",
        "web",
        "--overwrite",
        "kargo.akuity.io/refresh=newer-image",
    ])?;
    let second = follow(&world, "1.1.0")?;
    title("What the Git host holds now");
    for stage in ["test", "uat", "prod"] {
        println!("{}", world.git_log(stage)?);
    }
    println!("{}", world.last_diff("prod")?);
    println!(
        "{}",
        world.kubectl().run(&[
            "-n",
            PROJECT,
            "get",
            "warehouses,freights,stages,promotions"
        ])?
    );
    title("Done");
    say(&format!(
        "1.0.0 (Freight {first:.7}) and 1.1.0 (Freight {second:.7}) went through test, uat and prod"
    ));
    say(&format!(
        "{:.1} s from the first command to the last commit",
        start.elapsed().as_secs_f64()
    ));
    if keep {
        world.keep()?;
    }
    Ok(())
}

/// Follows one version from the registry into prod; gives the name of its Freight.
fn follow(world: &World, version: &str) -> Result<String> {
    let freight = wait(&format!("{version} becomes Freight"), || {
        let list = world.kubectl().json(&["-n", PROJECT, "get", "freights"])?;
        Ok(items(&list)
            .iter()
            .find(|freight| {
                freight.pointer("/images/0/tag").and_then(Value::as_str) == Some(version)
            })
            .and_then(name))
    })
    .with_context(|| world.why())?;
    wait_in_stage(world, "test", &freight, "promoted to test by itself")?;
    for stage in ["uat", "prod"] {
        let promotion = wait(&format!("{stage} may take it"), || {
            world.create_promotion(stage, &freight)
        })?;
        say(&format!("kubectl create: Promotion {promotion}"));
        wait_in_stage(world, stage, &freight, &format!("promoted to {stage}"))?;
    }
    Ok(freight)
}

fn wait_in_stage(world: &World, stage: &str, freight: &str, what: &str) -> Result<()> {
    wait(what, || {
        let found = world
            .kubectl()
            .json(&["-n", PROJECT, "get", "stage", stage])?;
        let current = found
            .pointer("/status/freightHistory/0/items/Warehouse~1web/name")
            .and_then(Value::as_str);
        Ok((current == Some(freight)).then_some(()))
    })
    .with_context(|| world.why())
}

/// Asks until there is an answer, at most [`PATIENCE`]; prints the time it took.
fn wait<T>(what: &str, mut ask: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let start = Instant::now();
    loop {
        if let Some(answer) = ask()? {
            println!("  ✓ {what} ({:.1} s)", start.elapsed().as_secs_f64());
            return Ok(answer);
        }
        anyhow::ensure!(
            start.elapsed() < PATIENCE,
            "{what}: did not happen within {PATIENCE:?}"
        );
        world::pause(Duration::from_millis(100));
    }
}

fn items(list: &Value) -> &[Value] {
    list.get("items")
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

fn name(object: &Value) -> Option<String> {
    object
        .pointer("/metadata/name")
        .and_then(Value::as_str)
        .map(str::to_owned)
}

fn title(text: &str) {
    println!("\n── {text}");
}

fn say(text: &str) {
    println!("  {text}");
}
