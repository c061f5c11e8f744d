//! Programs that ask before they run: git and kustomize, each behind a script of a few lines.
//!
//! `argosy up` finds the scripts first on its PATH, so `argosy child` becomes a script behind the fence. A script says on
//! a loopback port what it is about to run, waits to be let on, runs the real program, says that it ended, and waits
//! once more. Not letting it on holds the promotion exactly there.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use testkit::tools;

use super::kill::When;
use super::pause;
use super::watch::Watch;

const SCRIPT: &str = r#"#!/bin/bash
exec 3<>/dev/tcp/127.0.0.1/PORT
echo "NAME ${*//$'\n'/ }" >&3
read -r _ <&3
"PROGRAM" "$@" <&0 3>&- &
wait $!
code=$?
echo ended >&3
read -r _ <&3
exit $code
"#;

/// Writes the scripts into `folder` and lets `watch` answer them, for as long as this process lives.
pub(super) fn stand_before(folder: &Path, watch: &Arc<Watch>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    fs::create_dir_all(folder).unwrap();
    let kustomize = tools::path("kustomize").unwrap().canonicalize().unwrap();
    for (name, program) in [("git", find("git")), ("kustomize", kustomize)] {
        let text = SCRIPT
            .replace("PORT", &port.to_string())
            .replace("NAME", name)
            .replace("PROGRAM", &program.display().to_string());
        let script = folder.join(name);
        fs::write(&script, text).unwrap();
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let watch = Arc::clone(watch);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let watch = Arc::clone(&watch);
            std::thread::spawn(move || answer(stream, &watch));
        }
    });
}

/// Finds a program of the system.
fn find(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap();
    std::env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|program| program.exists())
        .unwrap()
}

/// Answers one script; one whose process is to be killed gets no answer and dies with it.
fn answer(mut stream: TcpStream, watch: &Watch) {
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
    let Some(Ok(command)) = lines.next() else {
        return;
    };
    let (child, when) = watch.child_starts(&command);
    match when {
        Some(When::Before) => watch.strike(&child),
        Some(When::During(share)) => {
            let usual = watch.usual_of_child(&child);
            writeln!(stream, "go on").unwrap();
            pause(usual.mul_f64(share));
            watch.strike(&child);
        }
        Some(When::After) | None => writeln!(stream, "go on").unwrap(),
    }
    let start = Instant::now();
    // Nothing more comes from a script that was killed.
    let Some(Ok(_ended)) = lines.next() else {
        return;
    };
    if when == Some(When::After) {
        watch.strike(&child);
    } else {
        watch.child_ended(child, start.elapsed());
        // One that is killed at this very moment does not listen any more.
        writeln!(stream, "go on").ok();
    }
    lines.next();
}
