//! What settings are told that make no sense.

use super::*;

#[test]
fn a_network_that_is_none_is_told_with_what_to_write() {
    assert_eq!(
        network("10.1/16").unwrap_err(),
        "\"10.1/16\" is not a network: \"10.1\" is not an IP address; write an address and a prefix: \
         --deny-network 10.1.0.0/16"
    );
    assert_eq!(network("fd00::/8").unwrap().to_string(), "fd00::/8");
}

#[test]
fn the_hosts_that_are_trusted_with_logins_are_listed_one_by_one_or_together() {
    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        work: Work,
    }
    let parse = |arguments: &[&str]| {
        let arguments = std::iter::once(&"argosy").chain(arguments);
        let line = <Line as clap::Parser>::try_parse_from(arguments);
        line.map(|it| {
            it.work
                .trusted_realms
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
        })
        .map_err(|error| error.to_string())
    };
    assert_eq!(parse(&[]), Ok(Vec::new()));
    let two = ["login.example.com".to_owned(), "10.0.0.5".to_owned()];
    for arguments in [
        &["--trusted-realm=login.example.com,10.0.0.5"][..],
        &[
            "--trusted-realm=login.example.com",
            "--trusted-realm=10.0.0.5",
        ],
    ] {
        assert_eq!(parse(arguments), Ok(two.to_vec()));
    }
    let error = parse(&["--trusted-realm=https://login.example.com/token"]).unwrap_err();
    assert!(
        error.contains("is not a host; write its name alone"),
        "{error}"
    );
}

#[test]
fn a_size_has_a_unit() {
    assert_eq!(size("4Gi"), Ok(4 << 30));
    assert_eq!(size("500Mi"), Ok(500 << 20));
    for text in ["4", "Gi", "4GB", "-1Gi", "99999999Ti", "1.5Gi", ""] {
        let error = size(text).unwrap_err();
        assert!(error.ends_with("such as 500Mi or 4Gi"), "{error}");
    }
}

#[test]
fn a_duration_without_a_unit_is_told_with_what_to_write() {
    assert_eq!(
        duration("5").unwrap_err(),
        "missing unit in duration \"5\"; write a number with a unit, such as 30s or 5m"
    );
}
