//! Words for commands that people paste into a shell, and that git hands to one.
//!
//! Addresses come from Warehouses and Promotions, whose patterns allow what a shell would run: a path may hold `$(…)`.

/// Quotes `word` for a POSIX shell unless it is plain.
pub(crate) fn quote(word: &str) -> String {
    // No argument holds a NUL, which is all that cannot be quoted.
    let word = word.replace('\0', "");
    shlex::try_quote(&word).map_or_else(|_| String::new(), Into::into)
}

/// `git ls-remote` for people to run, with `options` before the address.
pub(crate) fn git_ls_remote(options: &[&str], repo_url: &str) -> String {
    let mut words = vec!["git", "ls-remote"];
    words.extend(options);
    format!("{} {}", words.join(" "), quote(repo_url))
}

/// `skopeo list-tags` for people to run.
pub(crate) fn skopeo_list_tags(repository: &str) -> String {
    format!(
        "skopeo list-tags {}",
        quote(&format!("docker://{repository}"))
    )
}

/// The same, with every request and answer shown.
pub(crate) fn skopeo_debug_list_tags(repository: &str) -> String {
    format!(
        "skopeo --debug list-tags {}",
        quote(&format!("docker://{repository}"))
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_plain_stays_and_what_a_shell_would_run_is_text() {
        assert_eq!(
            git_ls_remote(&["--heads"], "https://github.com/acme/app.git"),
            "git ls-remote --heads https://github.com/acme/app.git"
        );
        assert_eq!(
            skopeo_list_tags("ghcr.io/acme/app"),
            "skopeo list-tags docker://ghcr.io/acme/app"
        );
        for address in [
            "https://github.com/acme/$(reboot)",
            "https://github.com/acme/`reboot`",
            "https://github.com/acme/a b;reboot",
            "https://github.com/acme/it's|reboot",
            "https://github.com/acme/a\nreboot",
            "https://github.com/acme/$(it's)\"",
            "https://github.com/acme/\0$(reboot)",
        ] {
            let written = git_ls_remote(&[], address);
            let read = shlex::split(&written).expect("a shell should read it");
            assert_eq!(
                read,
                ["git", "ls-remote", &address.replace('\0', "")],
                "{written}"
            );
        }
    }

    /// What a real shell makes of it.
    #[test]
    fn a_shell_runs_nothing_of_an_address() {
        for address in [
            "https://h/$(echo run)",
            "https://h/`echo run`",
            "https://h/it's \"$HOME\"!",
            "https://h/\\$(echo run)'`echo run`'",
        ] {
            let output = std::process::Command::new("sh")
                .args(["-c", &format!("printf %s {}", quote(address))])
                .output()
                .expect("sh should run");
            assert_eq!(String::from_utf8_lossy(&output.stdout), address);
        }
    }
}
