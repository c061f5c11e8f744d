//! `argosy gcp sim` as a program: what it prints, what it takes, how it refuses, how it ends.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use loopback_servers::{Process, tools};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{OPERATOR, text};
use crate::binary;

const PATIENCE: Duration = Duration::from_secs(30);

/// The last line that is printed.
const LAST: &str = "GCE_METADATA_ROOT=";

/// A Pod more than the example has, by whose name it comes after the controller.
const SECOND_POD: &str = "
- {name: neighbour, cluster: acme-prod/europe-west1/main, namespace: web, serviceAccount: default}
";

/// A running simulator; what it prints lies in a file that a shell can source.
struct Sim {
    process: Process,
    folder: TempDir,
}

impl Sim {
    /// Starts with the text of a world, and waits until it has said everything about `pods` Pods.
    fn start(world: &str, pods: usize, arguments: &[&str]) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let file = |name: &str| folder.path().join(name);
        fs::write(file("world.yaml"), world)?;
        let mut command = Command::new("/bin/sh");
        command
            .env_clear()
            .args(["-c", "exec \"$@\" 2>errors", "sh"])
            .arg(binary())
            .args(["gcp", "sim", "--world=world.yaml"])
            .args(arguments)
            .current_dir(folder.path());
        let mut process = Process::start(&mut command, &file("printed"))?;
        let said = |text: &str| text.lines().filter(|line| line.contains(LAST)).count() == pods;
        process
            .wait_until(PATIENCE, || {
                fs::read_to_string(file("printed"))
                    .is_ok_and(|text| said(&text) && text.ends_with('\n'))
            })
            .with_context(|| fs::read_to_string(file("errors")).unwrap_or_default())?;
        Ok(Self { process, folder })
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn printed(&self) -> Result<String> {
        Ok(fs::read_to_string(self.file("printed"))?)
    }

    /// An address as a shell has it after sourcing.
    fn address(&self, name: &str) -> Result<SocketAddr> {
        let printed = self.printed()?;
        let mut lines = printed.lines();
        let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        Ok(value.with_context(|| printed.clone())?.parse()?)
    }

    /// Sources what was printed, exports it, and runs a scenario of Google's Python clients.
    fn python(&self, scenario: &str) -> Result<Value> {
        let clients =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../gcp-sim/tests/python/clients.py");
        let output = Command::new("/bin/sh")
            .env_clear()
            .env("HOME", self.folder.path())
            .args(["-c", "set -a; . ./printed; set +a; exec \"$@\"", "sh"])
            .arg(tools::path("python")?)
            .arg(clients)
            .arg(scenario)
            .current_dir(self.folder.path())
            .output()?;
        ensure!(output.status.success(), "{}", text(&output.stderr));
        Ok(serde_json::from_slice(&output.stdout)?)
    }
}

/// The world that the book starts with.
fn example() -> Result<String> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/gcp/world.yaml");
    Ok(fs::read_to_string(file)?)
}

/// Runs a simulator of a world that it is to refuse.
fn refused(world: &str, arguments: &[&str]) -> Result<Output> {
    let folder = tempfile::tempdir()?;
    fs::write(folder.path().join("world.yaml"), world)?;
    let arguments = [&["--world=world.yaml"], arguments].concat();
    ends(folder.path(), &arguments)
}

/// Runs a simulator that ends by itself, without having said that it listens.
fn ends(folder: &Path, arguments: &[&str]) -> Result<Output> {
    let output = Command::new("timeout")
        .arg(PATIENCE.as_secs().to_string())
        .arg(binary())
        .args(["gcp", "sim"])
        .args(arguments)
        .current_dir(folder)
        .output()?;
    ensure!(output.status.code() == Some(1), "{output:?}");
    ensure!(output.stdout.is_empty(), "{output:?}");
    Ok(output)
}

#[track_caller]
fn says(output: &Output, parts: &[&str]) {
    let words = text(&output.stderr);
    for part in parts {
        assert!(words.contains(part), "no {part:?} in: {words}");
    }
}

fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok(listener.local_addr()?.port())
}

#[test]
fn each_line_is_for_a_shell_and_only_the_first_pod_counts() -> Result<()> {
    let sim = Sim::start(&(example()? + SECOND_POD), 2, &[])?;
    let printed = sim.printed()?;
    let names: Vec<String> = printed
        .lines()
        .map(|line| match line.split_once('=') {
            Some((name, address)) if address.parse::<SocketAddr>().is_ok() => name.to_owned(),
            _ => line.to_owned(),
        })
        .collect();
    let expected = [
        "SIMULATOR_APIS",
        "SIMULATOR_REGISTRY",
        "SIMULATOR_ADMIN",
        "# the metadata server of the pod controller",
        "GCE_METADATA_HOST",
        "GCE_METADATA_IP",
        "GCE_METADATA_ROOT",
        "# the metadata server of the pod neighbour",
        "# GCE_METADATA_HOST",
        "# GCE_METADATA_IP",
        "# GCE_METADATA_ROOT",
    ];
    assert_eq!(names, expected);
    Ok(())
}

#[test]
fn googles_python_client_finds_the_metadata_server_by_what_is_printed() -> Result<()> {
    let sim = Sim::start(&(example()? + SECOND_POD), 2, &[])?;
    let expected =
        json!({"project": "acme-prod", "simulated": true, "cached": true, "another": true});
    assert_eq!(sim.python("metadata")?, expected);
    Ok(())
}

#[test]
fn a_token_of_somebody_is_written_for_nobody_else_to_read() -> Result<()> {
    let sim = Sim::start(&example()?, 1, &[&format!("--token={OPERATOR}=token")])?;
    let mode = fs::metadata(sim.file("token"))?.permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let token = fs::read_to_string(sim.file("token"))?;
    let mut stream = TcpStream::connect(sim.address("SIMULATOR_APIS")?)?;
    write!(
        stream,
        "GET /cloudresourcemanager.googleapis.com/v3/projects/acme-prod HTTP/1.1\r\nhost: simulator\r\n\
         authorization: Bearer {token}\r\nconnection: close\r\n\r\n"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let errors = fs::read_to_string(sim.file("errors"))?;
    assert!(!sim.printed()?.contains(&token) && !errors.contains(&token));
    Ok(())
}

#[test]
fn it_listens_where_it_is_told_and_stops_when_it_is_told() -> Result<()> {
    let ports = [free_port()?, free_port()?, free_port()?];
    let [apis, registry, admin] = ports;
    let arguments = [
        &format!("--apis-port={apis}"),
        &format!("--registry-port={registry}"),
        &format!("--admin-port={admin}"),
    ];
    let mut sim = Sim::start(&example()?, 1, &arguments.map(String::as_str))?;
    for (name, port) in ["SIMULATOR_APIS", "SIMULATOR_REGISTRY", "SIMULATOR_ADMIN"]
        .into_iter()
        .zip(ports)
    {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        assert_eq!(sim.address(name)?, address, "{name}");
        TcpStream::connect(address).with_context(|| name)?;
    }
    let metadata = sim.address("GCE_METADATA_HOST")?;
    TcpStream::connect(metadata)?;
    assert_eq!(sim.process.terminate(PATIENCE)?, Some(0));
    assert!(TcpStream::connect(metadata).is_err());
    assert!(TcpStream::connect((Ipv4Addr::LOCALHOST, apis)).is_err());
    Ok(())
}

#[test]
fn a_port_that_is_taken_is_named() -> Result<()> {
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = taken.local_addr()?;
    let port = format!("--registry-port={}", address.port());
    let output = refused(&example()?, &[&port])?;
    says(
        &output,
        &[
            &format!("failed to listen on {address}"),
            "choose another port",
        ],
    );
    Ok(())
}

#[test]
fn a_world_that_is_none_is_refused_with_its_file_and_field() -> Result<()> {
    let example = example()?;
    let wrong = example.replace("parent: folders/100", "parent: folders/101");
    says(
        &refused(&wrong, &[])?,
        &[
            "world.yaml:",
            "projects[0].parent",
            "\"folders/101\"",
            "examples/gcp/",
        ],
    );
    let unknown = example.replace("  displayName: acme.example", "  displayNam: acme.example");
    says(
        &refused(&unknown, &[])?,
        &["world.yaml:7:", "displayNam", "examples/gcp/"],
    );
    let absent = ends(tempfile::tempdir()?.path(), &["--world=none.yaml"])?;
    says(&absent, &["failed to read none.yaml", "--world FILE"]);
    Ok(())
}

#[test]
fn a_token_of_nobody_is_refused() -> Result<()> {
    let output = refused(&example()?, &["--token=group:all@acme.example=token"])?;
    says(&output, &["group:all@acme.example", "user:NAME@DOMAIN"]);
    Ok(())
}
