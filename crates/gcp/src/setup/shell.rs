//! Words that a shell takes as they are.

/// Quotes a word for a POSIX shell unless it is plain.
pub fn quote(word: &str) -> String {
    // No argument holds a NUL, which is all that cannot be quoted.
    let word = word.replace('\0', "");
    shlex::try_quote(&word).map_or_else(|_| String::new(), Into::into)
}

/// Writes a command, a long one over several lines.
pub(crate) fn command(words: &[&str], options: &[(&str, &str)]) -> String {
    let parts = parts(words, options);
    let line = parts.join(" ");
    if line.len() > 100 {
        parts.join(" \\\n  ")
    } else {
        line
    }
}

/// Writes a command on one line, as a part of a sentence.
pub(crate) fn line(words: &[&str], options: &[(&str, &str)]) -> String {
    parts(words, options).join(" ")
}

fn parts(words: &[&str], options: &[(&str, &str)]) -> Vec<String> {
    let mut parts = vec![
        words
            .iter()
            .map(|it| quote(it))
            .collect::<Vec<_>>()
            .join(" "),
    ];
    parts.extend(options.iter().map(|(name, value)| {
        if value.is_empty() {
            format!("--{name}")
        } else {
            format!("--{name}={}", quote(value))
        }
    }));
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_shell_would_read_is_quoted() {
        for (word, quoted) in [
            ("acme-gke", "acme-gke"),
            ("serviceAccount:a@b", "serviceAccount:a@b"),
            (
                "serviceAccount:p.svc.id.goog[ns/sa]",
                "'serviceAccount:p.svc.id.goog[ns/sa]'",
            ),
            ("it's", "\"it's\""),
            ("it's $(reboot)", "\"it's \"'$(reboot)'"),
            ("$(reboot)", "'$(reboot)'"),
            ("*", "'*'"),
            ("", "''"),
        ] {
            assert_eq!(quote(word), quoted);
        }
    }

    #[test]
    fn a_long_command_takes_several_lines() {
        let long = "x".repeat(90);
        let written = command(
            &["gcloud", "services"],
            &[("project", "acme-gke"), ("member", &long), ("quiet", "")],
        );
        assert_eq!(
            written,
            format!("gcloud services \\\n  --project=acme-gke \\\n  --member={long} \\\n  --quiet")
        );
    }
}
