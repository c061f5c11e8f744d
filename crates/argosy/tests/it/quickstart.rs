//! The upstream quickstart's pipeline in shape, from `kubectl apply` to pushed commits.

use std::time::Duration;

use testkit::servers::{PROJECT, Quickstart, wait};

use crate::{binary, example};

const PATIENCE: Duration = Duration::from_secs(40);

#[test]
fn an_image_goes_through_three_stages() {
    let example = Quickstart::start(&example()).unwrap();
    example.push_image("1.0.0").unwrap();
    // Outside the constraint, so it never becomes Freight.
    example.push_image("2.0.0").unwrap();
    let argosy = example.argosy(binary(), &[]).unwrap();
    let kubectl = argosy.kubectl();
    kubectl
        .run(&["apply", "-f", &example.manifests().display().to_string()])
        .unwrap();

    for (version, commits) in [("1.0.0", 1), ("1.1.0", 2)] {
        if version != "1.0.0" {
            example.push_image(version).unwrap();
            let refresh = format!("kargo.akuity.io/refresh={version}");
            kubectl
                .run(&[
                    "-n",
                    PROJECT,
                    "annotate",
                    "--overwrite",
                    "warehouse",
                    "web",
                    &refresh,
                ])
                .unwrap();
        }
        let freight = wait("Freight", PATIENCE, || {
            example.find_freight(kubectl, version)
        })
        .unwrap_or_else(|error| panic!("{error}: {}", example.state(&argosy)));
        for stage in ["test", "uat", "prod"] {
            if stage != "test" {
                wait("promotion", PATIENCE, || {
                    example.create_promotion(kubectl, stage, &freight)
                })
                .unwrap_or_else(|error| panic!("{error}: {}", example.state(&argosy)));
            }
            wait("freight in stage", PATIENCE, || {
                Ok(
                    (example.freight_in(kubectl, stage)?.as_deref() == Some(&freight))
                        .then_some(()),
                )
            })
            .unwrap_or_else(|error| panic!("{stage}: {error}: {}", example.state(&argosy)));
            let branch = format!("stage/{stage}");
            let rendered = example
                .git(&[
                    "grep",
                    "--fixed-strings",
                    &format!("acme/web:{version}"),
                    &branch,
                ])
                .unwrap();
            assert_eq!(rendered.lines().count(), 1, "{rendered}");
            let log = example.git(&["log", "--format=%B", &branch]).unwrap();
            assert_eq!(
                log.lines()
                    .filter(|line| line.contains("/acme/web:"))
                    .count(),
                commits,
                "{stage}: {log}"
            );
        }
    }
    assert_eq!(example.find_freight(kubectl, "2.0.0").unwrap(), None);
    let table = kubectl.run(&["-n", PROJECT, "get", "promotions"]).unwrap();
    assert_eq!(table.matches("Succeeded").count(), 6, "{table}");
    assert!(table.starts_with("NAME"), "{table}");
}
