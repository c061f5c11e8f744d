//! `cargo xtask demo`: an image on its way through three Stages, driven as a user would drive it.
//!
//! ```text
//! skopeo ─► docker-registry ◄─ argosy gcp sim (Artifact Registry)        nginx + git
//!                                      ▲                                     ▲
//!                                      └───────────── argosy up ─────────────┘ ◄── kubectl apply, create, get
//! ```
//!
//! Everything runs on loopback and nothing of it is ours but `argosy`. Each thing that should happen has a time limit;
//! when it does not happen the demo fails and shows why.

mod identities;

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use loopback_servers::{Argosy, Google, Kubectl, PROJECT, Quickstart};

use crate::{generate, tools, workspace};

/// How long any one thing may take to happen.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long all of it takes at most on two quiet cores.
const ALL: Duration = Duration::from_mins(1);

/// The example, and the `argosy` that works on it.
struct World {
    example: Quickstart,
    argosy: Argosy,
}

/// Runs the story; with `keep` leaves everything running until Enter or Ctrl-C.
pub(crate) fn demo(keep: bool) -> Result<()> {
    end_with_us()?;
    let programs = tools::ensure_tools()?;
    let binary = generate::build_argosy(&[])?;
    let start = Instant::now();
    title("A Git host and an image registry, as a company has them");
    let example = workspace::root()?.join("examples/quickstart");
    let example = Quickstart::start_with_image(&example, Some(identities::IMAGE))?;
    say(&format!("git repository {}", example.repository_url()));
    push(&example, "1.0.0")?;
    title("Google Cloud, simulated: a cluster's identity, service accounts, Artifact Registry");
    let google = identities::start(&binary, &example)?;
    title("One command: a Kubernetes API and all of Argosy");
    say("argosy up, as the Pod of a GKE cluster that runs kargo-controller");
    let arguments = identities::arguments(&google);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let argosy = example.argosy(&binary, &arguments)?;
    say(&format!("ready on https://127.0.0.1:{}", argosy.port()));
    let world = World { example, argosy };
    tell(&world)?;
    identities::tell(&binary, &google, &world)?;
    title("Done");
    let took = start.elapsed();
    say(&format!(
        "{:.1} s from nothing to the last commit",
        took.as_secs_f64()
    ));
    if took > ALL {
        say(&format!(
            "that is more than {} s: see what else this machine is doing, or {}",
            ALL.as_secs(),
            world.argosy.log().display()
        ));
    }
    if keep {
        wait_for_enter(&world, &google, &programs)?;
    }
    Ok(())
}

fn tell(world: &World) -> Result<()> {
    let kubectl = world.kubectl();
    title("Ordinary Kargo manifests, by kubectl apply");
    for line in kubectl
        .run(&[
            "apply",
            "-f",
            &world.example.manifests().display().to_string(),
        ])?
        .lines()
    {
        say(line);
    }
    follow(world, "1.0.0")?;
    identities::show(world, PROJECT, "web")?;
    title("A newer image is pushed");
    push(&world.example, "1.1.0")?;
    kubectl.run(&[
        "-n",
        PROJECT,
        "annotate",
        "warehouse",
        "web",
        "--overwrite",
        "kargo.akuity.io/refresh=newer-image",
    ])?;
    follow(world, "1.1.0")?;
    title("What the API holds now");
    println!(
        "{}",
        kubectl.run(&[
            "-n",
            PROJECT,
            "get",
            "warehouses,freights,stages,promotions"
        ])?
    );
    title("What the Git host holds now");
    for stage in ["test", "uat", "prod"] {
        let branch = format!("stage/{stage}");
        let commits = world.example.git(&["log", "--format=  %h %s", &branch])?;
        print!("{}", indented(&format!("{branch}\n{commits}")));
        let last = world.example.git(&["show", "--format=", &branch])?;
        print!("{}", indented(&indented(&last)));
    }
    Ok(())
}

impl World {
    fn kubectl(&self) -> &Kubectl {
        self.argosy.kubectl()
    }
}

fn push(example: &Quickstart, version: &str) -> Result<()> {
    let digest = example.push_image(version)?;
    say(&format!(
        "skopeo copy: {}:{version} is {digest:.19}…",
        example.image()
    ));
    Ok(())
}

/// Follows one version from the registry into prod.
fn follow(world: &World, version: &str) -> Result<()> {
    let World { example, argosy } = world;
    let kubectl = argosy.kubectl();
    title(&format!("{version} on its way"));
    let freight = wait(world, "became Freight", || {
        example.find_freight(kubectl, version)
    })?;
    say(&format!("  Freight {freight}"));
    wait_in_stage(world, "test", &freight, "promoted to test by itself")?;
    for stage in ["uat", "prod"] {
        let promotion = wait(world, &format!("available to {stage}"), || {
            example.create_promotion(kubectl, stage, &freight)
        })?;
        say(&format!("  kubectl create: Promotion {promotion}"));
        wait_in_stage(world, stage, &freight, &format!("promoted to {stage}"))?;
    }
    Ok(())
}

fn wait_in_stage(world: &World, stage: &str, freight: &str, what: &str) -> Result<()> {
    wait(world, what, || {
        let found = world.example.freight_in(world.kubectl(), stage)?;
        Ok((found.as_deref() == Some(freight)).then_some(()))
    })
}

/// Asks until there is an answer, and prints the time it took.
fn wait<T>(world: &World, what: &str, ask: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let start = Instant::now();
    let answer = loopback_servers::wait(what, PATIENCE, ask)
        .with_context(|| world.example.state(&world.argosy))?;
    say(&format!(
        "✓ {what} ({:.1} s)",
        start.elapsed().as_secs_f64()
    ));
    Ok(answer)
}

/// Ctrl-C and SIGTERM end the servers too: they run in process groups of their own.
fn end_with_us() -> Result<()> {
    #[expect(
        clippy::exit,
        reason = "the end was asked for, and everything that runs is killed first"
    )]
    ctrlc::set_handler(|| {
        loopback_servers::kill_all();
        std::process::exit(130);
    })
    .context("failed to listen for Ctrl-C")
}

fn wait_for_enter(world: &World, google: &Google, programs: &Path) -> Result<()> {
    title("Still running; look around, then press Enter or Ctrl-C to end");
    say(&format!(
        "export KUBECONFIG={} PATH={}:$PATH",
        world.kubectl().kubeconfig().display(),
        programs.display()
    ));
    say(&format!(
        "kubectl -n {PROJECT} get warehouses,freights,stages,promotions"
    ));
    say(&format!("kubectl -n {PROJECT} describe stage prod"));
    say(&format!(
        "git -C {} log --all --oneline --graph",
        world.example.repository_path().display()
    ));
    say(&format!("less {}", world.argosy.log().display()));
    identities::invite(google);
    if std::io::stdin().read_line(&mut String::new())? > 0 {
        return Ok(());
    }
    // Without a terminal only a signal ends it.
    loop {
        std::thread::park();
    }
}

fn title(text: &str) {
    println!("\n── {text}");
}

fn say(text: &str) {
    println!("  {text}");
}

fn indented(text: &str) -> String {
    text.split_inclusive('\n')
        .flat_map(|line| ["  ", line])
        .collect()
}
