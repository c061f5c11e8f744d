//! Where git may go: redirects of hosts, and the addresses that names stand for.

use std::{fs, os::unix::fs::PermissionsExt as _, time::Duration};

use artifacts::child::Launcher;
use engine::Progress;
use resources::PromotionPhase;
use testkit::{
    proxy::{Asked, Proxy, Twist},
    servers::{Access, GitServer},
};

use crate::fixture::{certificate, context, empty_cluster, progress, promotion, run_once};

/// Clones, commits and pushes; the last step is `push`.
fn deploy(url: &str) -> String {
    format!(
        "
- {{uses: git-clone, as: clone, config: {{repoURL: '{url}', recurseSubmodules: true, checkout: [{{branch: main, path: src}}]}}}}
- {{uses: copy, as: copy, config: {{inPath: src/README, outPath: src/copy}}}}
- {{uses: git-commit, as: commit, config: {{path: src, message: Ours}}}}
- {{uses: git-push, as: push, config: {{path: src}}}}
"
    )
}

async fn run(steps: &str) -> Progress {
    let root = tempfile::tempdir().unwrap();
    let cx = context(empty_cluster(), root.path());
    progress(run_once(promotion(steps), &cx).await)
}

fn server() -> GitServer {
    let server = GitServer::start(Access::Open).unwrap();
    server.create("app", &[("README", "hello\n")]).unwrap();
    server
}

/// A host that sends whoever asks for anything of `/old.git` to `to`, and hands on all else.
async fn moved(server: &GitServer, to: String) -> Proxy {
    let behind = format!("127.0.0.1:{}", server.port());
    let script = move |asked: &Asked| match asked.target.strip_prefix("/old.git") {
        None => Twist::Pass,
        Some(rest) => Twist::Answer {
            status: 301,
            headers: vec![("location", format!("{to}{rest}"))],
            body: String::new(),
        },
    };
    Proxy::start(&behind, Duration::ZERO, script).await.unwrap()
}

#[tokio::test]
async fn a_repository_is_followed_to_where_its_host_sends_git() {
    let server = server();
    let host = moved(&server, "/app.git".to_owned()).await;
    let progress = run(&deploy(&format!("http://{}/old.git", host.host()))).await;
    assert_eq!(progress.phase, PromotionPhase::Succeeded, "{progress:?}");
    let log = server.git("app", &["log", "--format=%s", "main"]).unwrap();
    assert_eq!(log, "Ours\nStart\n");
}

#[tokio::test]
async fn a_repository_is_followed_to_another_host() {
    let server = server();
    let host = moved(&server, server.url("app")).await;
    let progress = run(&deploy(&format!("http://{}/old.git", host.host()))).await;
    assert_eq!(progress.phase, PromotionPhase::Succeeded, "{progress:?}");
    let log = server.git("app", &["log", "--format=%s", "main"]).unwrap();
    assert_eq!(log, "Ours\nStart\n");
}

#[tokio::test]
async fn a_repository_is_not_followed_to_where_git_may_not_go() {
    let server = server();
    for (to, why) in [
        (
            "https://169.254.169.254/app.git",
            "it is a link-local or cloud metadata address",
        ),
        (
            "https://kubernetes.default.svc/app.git",
            "it is the Kubernetes API server",
        ),
        (
            "http://git.example.com/app.git",
            "plain http is only for loopback hosts",
        ),
        ("http://127.0.0.1:1/login?from=", "to what is no repository"),
        ("/old.git", "again and again"),
    ] {
        let host = moved(&server, to.to_owned()).await;
        let url = format!("http://{}/old.git", host.host());
        let progress = run(&deploy(&url)).await;
        assert_eq!(progress.phase, PromotionPhase::Failed, "{to}: {progress:?}");
        let message = &progress.message;
        assert!(message.contains(why), "{to}: {message}");
        assert!(message.contains("; next: "), "{to}: {message}");
    }
}

#[tokio::test]
async fn a_submodule_is_followed_under_the_same_rules() {
    for (to, ends) in [
        ("/lib.git", Ok(())),
        (
            "https://169.254.169.254/lib.git",
            Err(
                "sends git to \"https://169.254.169.254/lib.git\": connections to 169.254.169.254 are refused",
            ),
        ),
    ] {
        let server = server();
        server.create("lib", &[("lib.txt", "lib\n")]).unwrap();
        let host = moved(&server, to.to_owned()).await;
        let url = format!("http://{}/old.git", host.host());
        server.add_submodule("app", "lib", "lib", &url).unwrap();
        let steps = deploy(&server.url("app"));
        let progress = run(&steps.replace("inPath: src/README", "inPath: src/lib/lib.txt")).await;
        match ends {
            Ok(()) => assert_eq!(progress.phase, PromotionPhase::Succeeded, "{progress:?}"),
            Err(why) => {
                assert_eq!(progress.phase, PromotionPhase::Failed, "{progress:?}");
                let named = format!("submodule \"lib\" at {url:?}: ");
                let message = &progress.message;
                assert!(message.contains(&named), "{message}");
                assert!(message.contains(why), "{message}");
            }
        }
    }
}

/// Writes down what git is called with, and calls it.
const SCRIPT: &str = "#!/bin/sh\nprintf '%s\\n' \"$*\" >>FILE\nexec /usr/bin/git \"$@\"\n";

#[tokio::test]
async fn git_is_held_to_the_addresses_that_were_looked_at() {
    let server = server();
    server.create("lib", &[("lib.txt", "lib\n")]).unwrap();
    server
        .add_submodule("app", "lib", "lib", "../lib.git")
        .unwrap();
    let root = tempfile::tempdir().unwrap();
    let file = root.path().join("calls");
    let script = root.path().join("git");
    fs::write(&script, SCRIPT.replace("FILE", &file.display().to_string())).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let mut cx = context(empty_cluster(), root.path());
    let path = format!("{}:/usr/bin:/bin", root.path().display());
    cx.launcher = Launcher::direct().with_search_path(path);
    let url = server.url("app").replace("127.0.0.1", "localhost");
    let progress = progress(run_once(promotion(&deploy(&url)), &cx).await);
    assert_eq!(progress.phase, PromotionPhase::Succeeded, "{progress:?}");
    let calls = fs::read_to_string(&file).unwrap();
    let held = format!("-c http.curloptResolve=localhost:{}:", server.port());
    for what in [" clone ", " submodule --quiet update ", " push "] {
        let mut found = calls.lines().filter(|call| call.contains(what)).peekable();
        assert!(found.peek().is_some(), "{what:?} is not in {calls}");
        for call in found {
            assert!(call.starts_with(&held), "{call}");
        }
    }
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_accepted_only_where_the_step_says_so() {
    let server = GitServer::start_tls(Access::Open, &certificate()).unwrap();
    server.create("app", &[("README", "hello\n")]).unwrap();
    let steps = deploy(&server.url("app"));
    let refused = run(&steps).await;
    assert_eq!(refused.phase, PromotionPhase::Errored, "{refused:?}");
    let why = "the certificate of its host is not trusted";
    assert!(refused.message.contains(why), "{}", refused.message);
    let insecure = steps.replace("recurseSubmodules: true", "insecureSkipTLSVerify: true");
    let accepted = run(&insecure).await;
    assert_eq!(accepted.phase, PromotionPhase::Succeeded, "{accepted:?}");
}
