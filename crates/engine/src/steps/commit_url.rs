//! Where a person can look at a commit: differs by Git host.

use serde::Deserialize;
use url::Url;

/// A kind of Git host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Provider {
    Azure,
    Bitbucket,
    Gitea,
    Github,
    Gitlab,
}

/// The page of a commit, where the kind of host is told or its name tells.
pub(crate) fn find(provider: Option<Provider>, repo_url: &str, commit: &str) -> Option<String> {
    let url = Url::parse(&browsable(repo_url)).ok()?;
    let provider = provider.or_else(|| infer(url.host_str()?))?;
    let base = url.as_str().trim_end_matches('/');
    Some(match provider {
        Provider::Azure | Provider::Gitea | Provider::Github => format!("{base}/commit/{commit}"),
        Provider::Bitbucket => format!("{base}/commits/{commit}"),
        Provider::Gitlab => format!("{base}/-/commit/{commit}"),
    })
}

/// The https address of a repository, whatever protocol it is cloned by.
fn browsable(repo_url: &str) -> String {
    let url = repo_url.trim_end_matches('/').trim_end_matches(".git");
    let without_user = |rest: &str| {
        rest.split_once('@')
            .map_or(rest, |(_, host)| host)
            .to_owned()
    };
    match url.split_once("://") {
        Some(("http", rest)) => format!("http://{}", without_user(rest)),
        Some((_, rest)) => format!("https://{}", without_user(rest)),
        None => format!("https://{}", without_user(url).replacen(':', "/", 1)),
    }
}

fn infer(host: &str) -> Option<Provider> {
    let within = |domain: &str| host == domain || host.ends_with(&format!(".{domain}"));
    match host {
        _ if within("dev.azure.com") || within("visualstudio.com") => Some(Provider::Azure),
        _ if within("bitbucket.org") => Some(Provider::Bitbucket),
        _ if host.contains("github") || within("ghe.com") => Some(Provider::Github),
        _ if host.contains("gitlab") => Some(Provider::Gitlab),
        _ if host.contains("gitea") => Some(Provider::Gitea),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(provider: Option<Provider>, url: &str, expected: Option<&str>) {
        assert_eq!(find(provider, url, "abc").as_deref(), expected, "{url}");
    }

    #[test]
    fn the_page_of_a_commit_depends_on_the_host() {
        check(
            None,
            "https://github.com/acme/app.git",
            Some("https://github.com/acme/app/commit/abc"),
        );
        check(
            None,
            "git@github.com:acme/app.git",
            Some("https://github.com/acme/app/commit/abc"),
        );
        check(
            None,
            "https://gitlab.example.com/acme/app",
            Some("https://gitlab.example.com/acme/app/-/commit/abc"),
        );
        check(
            None,
            "https://bitbucket.org/acme/app.git",
            Some("https://bitbucket.org/acme/app/commits/abc"),
        );
        check(
            None,
            "https://dev.azure.com/o/p/_git/r",
            Some("https://dev.azure.com/o/p/_git/r/commit/abc"),
        );
        check(None, "https://git.example.com/acme/app.git", None);
        check(
            Some(Provider::Gitea),
            "https://git.example.com/a/b.git",
            Some("https://git.example.com/a/b/commit/abc"),
        );
    }
}
