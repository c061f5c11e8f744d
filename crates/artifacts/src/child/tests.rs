//! Children: what they see, and that they end.

use std::time::Duration;

use super::*;

fn shell(work_dir: &Path, script: &str) -> Command {
    Command::new("/bin/sh", work_dir).arg("-c").arg(script)
}

#[tokio::test]
async fn a_child_sees_nothing_of_our_environment() {
    let dir = tempfile::tempdir().unwrap();
    let output = Launcher::direct()
        .run(shell(dir.path(), "env | cut -d= -f1 | sort | tr '\n' ' '"))
        .await
        .unwrap();
    assert_eq!(
        output.text(),
        "HOME LC_ALL PATH PWD TMPDIR TZ XDG_CACHE_HOME XDG_CONFIG_HOME XDG_DATA_HOME"
    );
}

#[tokio::test]
async fn a_child_that_takes_too_long_is_killed_with_all_it_started() {
    let dir = tempfile::tempdir().unwrap();
    let script = "(sleep 300 & echo $! >pid; wait) & wait";
    let error = Launcher::direct()
        .run(shell(dir.path(), script).time_out(Duration::from_millis(300)))
        .await;
    assert!(matches!(error, Err(Error::TimedOut { .. })), "{error:?}");
    assert_ends(dir.path()).await;
}

#[tokio::test]
async fn dropping_the_future_kills_the_child_and_all_it_started() {
    let dir = tempfile::tempdir().unwrap();
    let launcher = Launcher::direct();
    let running = launcher.run(shell(dir.path(), "(sleep 300 & echo $! >pid; wait) & wait"));
    tokio::time::timeout(Duration::from_millis(300), running)
        .await
        .unwrap_err();
    assert_ends(dir.path()).await;
}

/// Waits until the process whose id is in the file `pid` is gone (or waits to be collected).
async fn assert_ends(dir: &Path) {
    let id = fs::read_to_string(dir.join("pid")).unwrap();
    let stat = format!("/proc/{}/stat", id.trim());
    for _ in 0..200 {
        match fs::read_to_string(&stat) {
            Ok(text) if !text.contains(") Z ") => {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            Ok(_) | Err(_) => return,
        }
    }
    panic!("process {id} still runs");
}

#[tokio::test]
async fn a_child_that_prints_too_much_is_killed() {
    let dir = tempfile::tempdir().unwrap();
    let error = Launcher::direct()
        .run(shell(dir.path(), "yes").output_limit(1000))
        .await;
    assert!(
        matches!(error, Err(Error::TooMuchOutput { limit: 1000, .. })),
        "{error:?}"
    );
}

#[tokio::test]
async fn secrets_are_masked_in_messages() {
    let dir = tempfile::tempdir().unwrap();
    let command = shell(
        dir.path(),
        "echo \"denied $TOKEN for https://me:pw@host/x\" >&2; exit 3",
    )
    .secret_env("TOKEN", "hunter2".into());
    let error = Launcher::direct()
        .run(command)
        .await
        .unwrap()
        .checked()
        .unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("exited with 3: denied **** for https://****@host/x"),
        "{error}"
    );
}

#[tokio::test]
async fn a_missing_program_says_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let error = Launcher::direct()
        .run(Command::new("no-such-program", dir.path()))
        .await
        .unwrap_err();
    assert_eq!(error.to_string(), "failed to start \"no-such-program\"");
    assert_eq!(
        error.hint(),
        "install no-such-program, or name the folder it is in with PATH"
    );
}

#[tokio::test]
async fn a_tree_with_a_link_out_of_it_is_refused_to_a_program_that_follows_links() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("tree")).unwrap();
    std::os::unix::fs::symlink("inside", dir.path().join("tree/fine")).unwrap();
    fs::write(dir.path().join("tree/inside"), "").unwrap();
    let launcher = Launcher::direct();
    let run = || launcher.run(shell(dir.path(), "true").follows_links_in(dir.path().join("tree")));
    run().await.unwrap();
    std::os::unix::fs::symlink("/etc/passwd", dir.path().join("tree/out")).unwrap();
    assert!(matches!(run().await, Err(Error::LinkLeaves { .. })));
}

#[tokio::test]
async fn git_reads_only_our_configuration() {
    let dir = tempfile::tempdir().unwrap();
    let launcher = Launcher::direct();
    let command = launcher.local_git(dir.path()).unwrap().args([
        "config",
        "--list",
        "--show-origin",
        "--name-only",
    ]);
    let output = launcher
        .run(command)
        .await
        .unwrap()
        .checked()
        .unwrap()
        .text();
    for line in output.lines() {
        assert!(line.contains("home/gitconfig"), "{line}");
    }
    assert!(output.contains("core.hookspath"), "{output}");
}

#[tokio::test]
async fn the_credential_helper_answers_only_for_its_own_host() {
    let dir = tempfile::tempdir().unwrap();
    let launcher = Launcher::direct();
    let access = GitAccess {
        url: "https://git.example.com/acme/app.git".to_owned(),
        login: Some(credentials::Login::Basic {
            username: "me".to_owned(),
            password: "hunter2".into(),
        }),
        insecure_skip_tls_verify: false,
    };
    let ask = async |host: &str| {
        let command = launcher
            .remote_git(dir.path(), &access)
            .unwrap()
            .args(["credential", "fill"])
            .input(format!("protocol=https\nhost={host}\n\n"));
        launcher.run(command).await.unwrap()
    };
    assert!(
        ask("git.example.com")
            .await
            .text()
            .ends_with("username=me\npassword=hunter2")
    );
    assert!(!ask("git.example.com.evil.org").await.succeeded());
}

#[tokio::test]
async fn children_of_a_killed_process_are_found_and_ended() {
    let [ours, other] = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let start = |dir: &Path| {
        let mut command = std::process::Command::new("sleep");
        command
            .arg("300")
            .env("HOME", dir.join("home"))
            .spawn()
            .unwrap()
    };
    let mut stray = start(ours.path());
    let mut bystander = start(other.path());
    let kill = kill_strays(ours.path());
    let (killed, status) = tokio::join!(kill, tokio::task::spawn_blocking(move || stray.wait()));
    assert_eq!(killed.unwrap(), 1);
    assert_eq!(status.unwrap().unwrap().code(), None);
    assert_eq!(kill_strays(ours.path()).await.unwrap(), 0);
    assert!(bystander.try_wait().unwrap().is_none());
    bystander.kill().unwrap();
    bystander.wait().unwrap();
}
