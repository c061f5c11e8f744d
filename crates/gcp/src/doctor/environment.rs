//! Checks of the environment that the Pod's programs read. Argosy itself heeds none of it.

use std::net::{IpAddr, Ipv4Addr};

use super::{Answer, Verdict};
use crate::facts::Facts;
use crate::network::Range;
use crate::setup::repair::controller;

/// Where the metadata server is, by its name and its address.
const NAME: &str = "metadata.google.internal";
const ADDRESS: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 254);

/// Argosy itself reads no such variable; what else runs in the Pod, Google's own tools and this command among it, does.
pub(super) fn credentials(facts: &Facts) -> Answer {
    let reading = &facts.pod.environment;
    let set = reading.known()?.get("GOOGLE_APPLICATION_CREDENTIALS");
    let verdict = match set {
        None => Verdict::pass("GOOGLE_APPLICATION_CREDENTIALS is not set"),
        Some(kind) if kind == "external_account" => {
            Verdict::pass("GOOGLE_APPLICATION_CREDENTIALS leads to a configuration without a key")
        }
        Some(kind) => Verdict::warn(
            &format!(
                "GOOGLE_APPLICATION_CREDENTIALS leads to a file of type {kind}: Argosy does not use it, other programs \
                 in the Pod would before they ask the metadata server"
            ),
            controller::unset(facts, "GOOGLE_APPLICATION_CREDENTIALS"),
        ),
    };
    Ok(verdict.seen(reading))
}

pub(super) fn proxy(facts: &Facts) -> Answer {
    let reading = &facts.pod.environment;
    let environment = reading.known()?;
    let variable = |name: &str| {
        environment
            .get(name)
            .or_else(|| environment.get(&name.to_ascii_lowercase()))
    };
    let excepted = variable("NO_PROXY").is_some_and(|it| it.split(',').any(excepts_metadata));
    let verdict = match variable("HTTP_PROXY") {
        None => Verdict::pass("no proxy is set"),
        Some(_) if excepted => Verdict::pass("the proxy leaves the metadata server out"),
        Some(_) => {
            let others = variable("NO_PROXY").filter(|it| !it.is_empty());
            let others = others.map(|it| format!("{it},")).unwrap_or_default();
            let hosts = format!("{others}169.254.169.254,metadata.google.internal");
            // Argosy's own requests to Google are sent past any proxy.
            Verdict::warn(
                "HTTP_PROXY is set and NO_PROXY does not name the metadata server: Argosy asks no proxy, \
                 other programs in the Pod would",
                controller::set(facts, "NO_PROXY", &hosts),
            )
        }
    };
    Ok(verdict.seen(reading))
}

/// Says whether an entry of `NO_PROXY` means the metadata server: by its address, a range around it, its name, or a domain
/// that ends like it.
fn excepts_metadata(entry: &str) -> bool {
    let entry = entry.trim();
    if entry == "*" {
        return true;
    }
    if let Ok(range) = entry.parse::<Range>() {
        return range.contains(IpAddr::V4(ADDRESS));
    }
    let domain = entry.trim_start_matches('*').trim_start_matches('.');
    let rest = NAME.strip_suffix(domain);
    entry == ADDRESS.to_string()
        || !domain.is_empty() && rest.is_some_and(|it| it.is_empty() || it.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_metadata_server_is_excepted_by_whatever_means_it() {
        for (entry, is_meant) in [
            ("169.254.169.254", true),
            (" 169.254.0.0/16 ", true),
            ("metadata.google.internal", true),
            (".internal", true),
            ("google.internal", true),
            ("*.google.internal", true),
            ("*", true),
            ("", false),
            (".", false),
            ("10.0.0.0/8", false),
            ("svc.cluster.local", false),
            ("ternal", false),
        ] {
            assert_eq!(excepts_metadata(entry), is_meant, "{entry:?}");
        }
    }
}
