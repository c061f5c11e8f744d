//! What a script of skopeo or crane takes, where they are: the tags listed, and then one image inspected after another.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use benches::{compare, skip};
use testkit::tools;

use crate::as_float;
use crate::plain::images;

/// Images that are inspected, for what one takes.
const INSPECTED: usize = 10;

/// A program, and how it is told what to do.
struct Script {
    program: &'static str,
    /// Comes before the host.
    scheme: &'static str,
    list: &'static [&'static str],
    inspect: &'static [&'static str],
}

const SCRIPTS: &[Script] = &[
    Script {
        program: "skopeo",
        scheme: "docker://",
        list: &["list-tags", "--tls-verify=false"],
        inspect: &["inspect", "--no-tags", "--tls-verify=false"],
    },
    Script {
        program: "crane",
        scheme: "",
        list: &["ls", "--insecure"],
        inspect: &["config", "--insecure"],
    },
];

/// Lists all tags and inspects a few images; what that comes to for all of them is computed, and stands beside `ours`.
pub(crate) fn measure(host: &str, tags: usize, ours: Duration) -> Result<()> {
    for script in SCRIPTS {
        match find(script.program)? {
            Some(program) => script.measure(&program, host, tags, ours)?,
            None => skip(script.program, "it is neither on PATH nor among the tools"),
        }
    }
    Ok(())
}

/// Finds a program on `PATH`, or among those that `cargo xtask tools` has fetched.
fn find(program: &str) -> Result<Option<PathBuf>> {
    let folders = tools::search_path(None)?;
    let mut places = std::env::split_paths(&folders).map(|it| it.join(program));
    Ok(places.find(|it| it.is_file()))
}

impl Script {
    fn measure(&self, program: &Path, host: &str, tags: usize, ours: Duration) -> Result<()> {
        let Self {
            program: name,
            scheme,
            list,
            inspect,
        } = self;
        let listing = run(program, list, &format!("{scheme}{host}/acme/web"))?;
        let mut inspecting = Duration::ZERO;
        for image in images(0, INSPECTED) {
            let reference = format!("{scheme}{host}/acme/small:{}", image.tag);
            inspecting += run(program, inspect, &reference)?;
        }
        let each = inspecting.as_secs_f64() / as_float(INSPECTED);
        println!(
            "{name}: {} {:.2} s for {tags} tags, {} {each:.3} s for each of {INSPECTED} images, measured",
            list[0],
            listing.as_secs_f64(),
            inspect[0]
        );
        let theirs = listing.as_secs_f64() + each * as_float(tags);
        let peer = format!("{name}, one image after another, computed");
        compare(
            "plain registry, cold: seconds",
            ours.as_secs_f64(),
            "s",
            &peer,
            theirs,
        );
        Ok(())
    }
}

fn run(program: &Path, arguments: &[&str], reference: &str) -> Result<Duration> {
    let started = Instant::now();
    let output = Command::new(program)
        .args(arguments)
        .arg(reference)
        .output()?;
    ensure!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(started.elapsed())
}
