//! The upstream quickstart's pipeline in shape, from `kubectl apply` to pushed commits.

use std::time::Duration;

use testkit::servers::{Argosy, PROJECT, Quickstart, wait};

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
    apply(&example, &argosy);
    goes_through_all_stages(&example, &argosy, "1.0.0", 1);
    example.push_image("1.1.0").unwrap();
    kubectl
        .run(&[
            "-n",
            PROJECT,
            "annotate",
            "--overwrite",
            "warehouse",
            "web",
            "kargo.akuity.io/refresh=1.1.0",
        ])
        .unwrap();
    goes_through_all_stages(&example, &argosy, "1.1.0", 2);
    assert_eq!(example.find_freight(kubectl, "2.0.0").unwrap(), None);
    let table = kubectl.run(&["-n", PROJECT, "get", "promotions"]).unwrap();
    assert_eq!(table.matches("Succeeded").count(), 6, "{table}");
    assert!(table.starts_with("NAME"), "{table}");
}

/// Whoever upgrades replaces the file of a program that runs, and restarts it later.
#[test]
fn a_program_whose_file_is_gone_goes_on_promoting() {
    let example = Quickstart::start(&example()).unwrap();
    example.push_image("1.0.0").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("argosy");
    std::fs::copy(binary(), &program).unwrap();
    let argosy = example.argosy(&program, &[]).unwrap();
    std::fs::remove_file(&program).unwrap();
    apply(&example, &argosy);
    goes_through_all_stages(&example, &argosy, "1.0.0", 1);
}

fn apply(example: &Quickstart, argosy: &Argosy) {
    let manifests = example.manifests().display().to_string();
    let kubectl = argosy.kubectl();
    kubectl.run(&["apply", "-f", &manifests]).unwrap();
}

/// Waits for the Freight of a version, and promotes it to each Stage, whose branch then has so many commits.
fn goes_through_all_stages(example: &Quickstart, argosy: &Argosy, version: &str, commits: usize) {
    let kubectl = argosy.kubectl();
    let freight = wait("Freight", PATIENCE, || {
        example.find_freight(kubectl, version)
    })
    .unwrap_or_else(|error| panic!("{error}: {}", example.state(argosy)));
    for stage in ["test", "uat", "prod"] {
        if stage != "test" {
            wait("promotion", PATIENCE, || {
                example.create_promotion(kubectl, stage, &freight)
            })
            .unwrap_or_else(|error| panic!("{error}: {}", example.state(argosy)));
        }
        wait("freight in stage", PATIENCE, || {
            Ok((example.freight_in(kubectl, stage)?.as_deref() == Some(&freight)).then_some(()))
        })
        .unwrap_or_else(|error| panic!("{stage}: {error}: {}", example.state(argosy)));
        let branch = format!("stage/{stage}");
        let image = format!("acme/web:{version}");
        let words = ["grep", "--fixed-strings", &image, &branch];
        let rendered = example.git(&words).unwrap();
        assert_eq!(rendered.lines().count(), 1, "{rendered}");
        let log = example.git(&["log", "--format=%B", &branch]).unwrap();
        let count = log.lines().filter(|line| line.contains("/acme/web:"));
        assert_eq!(count.count(), commits, "{stage}: {log}");
    }
}
