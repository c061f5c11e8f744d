//! The script as a shell runs it, with a `gcloud` to which accounts become known late.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output};

use super::*;

/// Notes what it is asked; nothing is there, and members are known at the `KNOWN`th try.
const GCLOUD: &str = r#"#!/bin/sh
echo "$*" >> "$HOME/asked"
case "$*" in
  *" describe "*|*" undelete "*) exit 1 ;;
  *add-iam-policy-binding*)
    [ "$(grep -c add-iam-policy-binding "$HOME/asked")" -ge "$KNOWN" ] || {
      echo "ERROR: Service account kargo-project-web does not exist." >&2
      exit 1
    } ;;
esac
"#;

fn program(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    fs::write(&path, text).expect("a file");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("a program");
}

/// Runs a script for `web`; `known` is the try at which its account is known.
fn run(known: u32, options: Options) -> (Output, String) {
    let mut facts = bare();
    facts.intent.projects.retain(|it, _| it == "web");
    let plan = plan(&facts, options).expect("a plan");
    let folder = tempfile::tempdir().expect("a folder");
    program(folder.path(), "gcloud", GCLOUD);
    program(folder.path(), "sleep", "#!/bin/sh\n");
    let path = format!("{}:/usr/bin:/bin", folder.path().display());
    let output = Command::new("/bin/sh")
        .args(["-c", &gcloud::script(&plan)])
        .env_clear()
        .envs([("PATH", path.as_str()), ("KNOWN", &known.to_string())])
        .env("HOME", folder.path())
        .output()
        .expect("a shell");
    let asked = fs::read_to_string(folder.path().join("asked")).expect("it was asked");
    (output, asked)
}

#[test]
fn an_account_that_was_just_made_is_waited_for() {
    let (output, asked) = run(3, Options::default());
    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr);
    let waits = said.matches("waiting for what was just made to be known everywhere");
    assert_eq!(waits.count(), 2, "{said}");
    let grants = asked.matches("add-iam-policy-binding").count();
    assert_eq!(grants, 4, "{asked}");
}

#[test]
fn a_role_that_was_just_made_is_waited_for_too() {
    let options = Options {
        minter: Minter::CustomRole,
        ..Options::default()
    };
    let (output, asked) = run(2, options);
    assert!(output.status.success(), "{output:?}");
    for verb in ["undelete", "describe", "create"] {
        let command = format!("iam roles {verb} kargoGsaTokenMinter --project=acme-gke");
        assert!(asked.contains(&command), "no {command:?}: {asked}");
    }
}

#[test]
fn one_that_never_comes_ends_the_script() {
    let (output, asked) = run(1_000, Options::default());
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let grants = asked.matches("add-iam-policy-binding").count();
    assert_eq!(grants, 12, "{asked}");
}

#[test]
fn every_command_about_an_account_names_its_project() {
    for plan in [super::rendered::whole_plan(), super::rendered::repairs()] {
        let written = gcloud::commands(&plan).replace("\\\n", " ");
        let of_accounts = written
            .lines()
            .filter(|it| it.contains(" service-accounts "));
        for line in of_accounts {
            assert!(line.contains("--project=acme-gke"), "{line}");
        }
    }
}
