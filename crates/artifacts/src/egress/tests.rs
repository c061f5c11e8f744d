//! Crafted addresses and names.

use super::*;

fn address(text: &str) -> SocketAddr {
    text.parse()
        .unwrap_or_else(|_| panic!("{text} is no address"))
}

fn policy() -> Policy {
    let denied =
        ["10.9.0.0/16", "fd99::/16"].map(|text| text.parse::<Network>().expect("a network"));
    let policy = denied.into_iter().fold(Policy::new(), Policy::deny);
    policy
        .with_api_server(address("10.96.0.1:443"))
        .with_api_server(address("127.0.0.1:7443"))
}

/// Checks a URL without and with loopback; `open` is a dash where it may be reached.
fn check(url: &str, closed: Option<Why>, open: Option<Why>) {
    let parsed = Url::parse(url).unwrap_or_else(|error| panic!("{url}: {error}"));
    let outcome = |policy: &Policy| policy.check_url(&parsed).err().map(|refused| refused.why);
    assert_eq!(
        (outcome(&policy()), outcome(&policy().with_loopback())),
        (closed, open),
        "{url}"
    );
}

#[test]
fn metadata_and_the_api_server_are_refused_whatever_their_spelling() {
    for url in [
        "http://169.254.169.254/latest",
        "http://0xa9fea9fe/",
        "http://2852039166/",
        "http://0251.0376.0251.0376/",
        "https://169.254.1.1/",
        "http://[::ffff:169.254.169.254]/",
        "http://[::ffff:a9fe:a9fe]/",
        "http://[64:ff9b::a9fe:a9fe]/",
        "http://[2002:a9fe:a9fe::1]/",
        "http://[fe80::1]/",
        "http://[fd00:ec2::254]/",
        "http://[fd20:ce::254]/",
        "http://100.100.100.200/",
        "http://168.63.129.16/",
        "http://metadata.google.internal/",
        "http://METADATA.google.internal./",
    ] {
        check(url, Some(Why::Metadata), Some(Why::Metadata));
    }
    for url in [
        "https://10.96.0.1/",
        "https://[::ffff:10.96.0.1]/",
        "https://kubernetes.default.svc/",
        "https://Kubernetes.default.svc.cluster.local./",
    ] {
        check(url, Some(Why::ApiServer), Some(Why::ApiServer));
    }
    check(
        "https://127.0.0.1:7443/",
        Some(Why::ApiServer),
        Some(Why::ApiServer),
    );
    check("https://10.96.0.1:5000/", None, None);
}

#[test]
fn loopback_is_open_only_where_allowed() {
    for url in [
        "http://127.0.0.1:5000/",
        "http://127.1:5000/",
        "http://localhost:5000/",
        "http://git.localhost/",
        "http://[::1]:5000/",
        "http://[::ffff:127.0.0.1]/",
    ] {
        check(url, Some(Why::Loopback), None);
    }
    for url in [
        "http://0.0.0.0:5000/",
        "http://[::]/",
        "http://224.0.0.1/",
        "http://255.255.255.255/",
        "http://[ff02::1]/",
        "http://0.1.2.3/",
    ] {
        check(url, Some(Why::NotUnicast), Some(Why::NotUnicast));
    }
}

#[test]
fn private_networks_are_open_unless_denied() {
    for url in [
        "https://10.1.2.3/",
        "https://192.168.1.1/",
        "https://172.16.0.1:8080/",
        "https://[fd12::1]/",
        "https://github.com/",
        "https://8.8.8.8/",
    ] {
        check(url, None, None);
    }
    for url in [
        "https://10.9.1.2/",
        "https://[fd99::1]/",
        "https://[::ffff:10.9.1.2]/",
        "http://10.9.1/",
    ] {
        check(url, Some(Why::Denied), Some(Why::Denied));
    }
}

#[test]
fn a_foreign_name_never_leads_to_this_machine() {
    let policy = policy().with_loopback();
    let why = |host: &str, to: &str| {
        policy
            .check_address(host, address(to))
            .err()
            .map(|refused| refused.why)
    };
    assert_eq!(why("evil.test", "127.0.0.1:80"), Some(Why::Rebound));
    assert_eq!(why("evil.test", "[::1]:80"), Some(Why::Rebound));
    assert_eq!(
        why("localhost.evil.test", "127.0.0.1:80"),
        Some(Why::Rebound)
    );
    assert_eq!(why("localhost", "127.0.0.1:80"), None);
    assert_eq!(why("localhost", "127.0.0.1:7443"), Some(Why::ApiServer));
    assert_eq!(why("evil.test", "169.254.169.254:80"), Some(Why::Metadata));
    assert_eq!(why("evil.test", "10.96.0.1:443"), Some(Why::ApiServer));
    assert_eq!(why("evil.test", "10.9.0.1:443"), Some(Why::Denied));
    assert_eq!(why("git.corp", "10.8.0.1:443"), None);
}

#[tokio::test]
async fn names_are_resolved_before_the_decision() {
    let open = Policy::new().with_loopback();
    let found = open
        .resolve("localhost", 5000)
        .await
        .expect("localhost is open");
    assert!(
        found
            .iter()
            .all(|address| address.ip().is_loopback() && address.port() == 5000),
        "{found:?}"
    );
    assert!(matches!(
        Policy::new().resolve("localhost", 5000).await,
        Err(ResolveError::Refused(_))
    ));
    assert!(matches!(
        open.resolve("169.254.169.254", 80).await,
        Err(ResolveError::Refused(_))
    ));
}

#[test]
fn a_network_is_read_strictly() {
    for text in [
        "",
        "10.0.0.0/33",
        "10.0.0.0/",
        "fd00::/129",
        "acme/8",
        "10.0.0.0/8/8",
        "10.0.0.0/-1",
    ] {
        assert!(text.parse::<Network>().is_err(), "{text}");
    }
    for (network, inside, outside) in [
        ("0.0.0.0/0", "1.2.3.4", "::1"),
        ("10.0.0.0/8", "10.255.0.1", "11.0.0.1"),
        ("10.1.2.3", "10.1.2.3", "10.1.2.4"),
        ("::/0", "fd00::1", "1.2.3.4"),
    ] {
        let network: Network = network.parse().expect("a network");
        let is_inside = |text: &str| network.contains(text.parse().expect("an address"));
        assert!(is_inside(inside) && !is_inside(outside), "{network}");
    }
}

#[test]
fn what_is_no_network_is_told_with_what_was_found_and_how_to_write_it() {
    for (text, found, example) in [
        ("acme/8", r#""acme" is not an IP address"#, "10.0.0.0/8"),
        ("10.1/16", r#""10.1" is not an IP address"#, "10.1.0.0/16"),
        (
            "10.0.0.0/255.0.0.0",
            r#"the prefix "255.0.0.0" is not a number from 0 to 32"#,
            "10.0.0.0/8",
        ),
        (
            "192.168.0.0/33",
            r#"the prefix "33" is not a number from 0 to 32"#,
            "10.0.0.0/8",
        ),
        (
            "fd00::/129",
            r#"the prefix "129" is not a number from 0 to 128"#,
            "10.0.0.0/8",
        ),
    ] {
        let error = text.parse::<Network>().expect_err(text);
        assert_eq!(
            (error.to_string(), error.example()),
            (
                format!("{text:?} is not a network: {found}"),
                example.to_owned()
            )
        );
    }
}

#[test]
fn a_port_that_the_operator_named_is_open_without_its_neighbours() {
    let policy = Policy::new().with_loopback_at(5000);
    for (url, is_open) in [
        ("http://127.0.0.1:5000/v2/", true),
        ("http://localhost:5000/v2/", true),
        ("http://[::1]:5000/v2/", true),
        ("http://127.0.0.1:5001/v2/", false),
        ("http://localhost/v2/", false),
        ("http://169.254.169.254:5000/", false),
    ] {
        let url = Url::parse(url).unwrap();
        assert_eq!(policy.check_url(&url).is_ok(), is_open, "{url}");
    }
}
