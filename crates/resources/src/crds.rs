//! The CustomResourceDefinitions, as YAML: the source of the kinds.

/// The name and the YAML of every CustomResourceDefinition, in the order of their names.
pub fn crds() -> &'static [(&'static str, &'static str)] {
    CRDS
}

const CRDS: &[(&str, &str)] = &[
    (
        "clusterconfigs.kargo.akuity.io",
        include_str!("../crds/clusterconfigs.yaml"),
    ),
    (
        "clusterpromotiontasks.kargo.akuity.io",
        include_str!("../crds/clusterpromotiontasks.yaml"),
    ),
    (
        "freights.kargo.akuity.io",
        include_str!("../crds/freights.yaml"),
    ),
    (
        "projectconfigs.kargo.akuity.io",
        include_str!("../crds/projectconfigs.yaml"),
    ),
    (
        "projects.kargo.akuity.io",
        include_str!("../crds/projects.yaml"),
    ),
    (
        "promotionrequests.kargo.akuity.io",
        include_str!("../crds/promotionrequests.yaml"),
    ),
    (
        "promotions.kargo.akuity.io",
        include_str!("../crds/promotions.yaml"),
    ),
    (
        "promotiontasks.kargo.akuity.io",
        include_str!("../crds/promotiontasks.yaml"),
    ),
    (
        "stages.kargo.akuity.io",
        include_str!("../crds/stages.yaml"),
    ),
    (
        "targets.kargo.akuity.io",
        include_str!("../crds/targets.yaml"),
    ),
    (
        "warehouses.kargo.akuity.io",
        include_str!("../crds/warehouses.yaml"),
    ),
];
