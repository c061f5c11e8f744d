//! A Project's namespace, roles and farewell, case by case.

use resources::condition::find;

use super::*;

fn project() -> Project {
    let mut project = Project::default();
    project.metadata.name = Some("acme".to_owned());
    project.metadata.finalizers = Some(vec![FINALIZER.to_owned()]);
    project
}

fn terminating() -> Project {
    let mut project = project();
    project.metadata.deletion_timestamp = Some(Time(Timestamp::UNIX_EPOCH));
    project
}

fn namespace() -> Namespace {
    let mut namespace = Namespace::default();
    namespace.metadata.labels = Some([(label::PROJECT.to_owned(), "true".to_owned())].into());
    namespace.metadata.finalizers = Some(vec![FINALIZER.to_owned()]);
    namespace
}

#[track_caller]
fn check(project: &Project, namespace: Option<&Namespace>, expected: Act) -> ProjectStatus {
    let plan = decide(&Seen {
        now: Timestamp::UNIX_EPOCH,
        project,
        namespace,
        stats: ProjectStats::default(),
    });
    assert_eq!(plan.act, expected);
    plan.status
}

#[track_caller]
fn check_ready(status: &ProjectStatus, value: &str, reason: &str) {
    let ready = find(&status.conditions, READY).expect("the condition is set");
    assert_eq!(
        (ready.status.as_str(), ready.reason.as_str()),
        (value, reason)
    );
}

#[test]
fn a_project_is_held_first_then_gets_a_namespace_then_roles() {
    let mut new = project();
    new.metadata.finalizers = None;
    check(&new, None, Act::Hold);
    check_ready(
        &check(&project(), None, Act::CreateNamespace),
        "False",
        "Syncing",
    );
    let status = check(&project(), Some(&namespace()), Act::GrantAccess);
    check_ready(&status, "True", "Synced");
    assert!(status.stats.is_some());
}

#[test]
fn a_namespace_is_adopted_only_if_it_is_labelled() {
    let mut unheld = namespace();
    unheld.metadata.finalizers = None;
    check(&project(), Some(&unheld), Act::AdoptNamespace);
    unheld.metadata.labels = None;
    let status = check(&project(), Some(&unheld), Act::Refuse);
    check_ready(&status, "False", "EnsuringNamespaceFailed");
    let stalled = find(&status.conditions, STALLED).expect("the condition is set");
    assert_eq!(stalled.reason, "ExistingNamespaceMissingLabel");
    let mut later = project();
    later.status = Some(status);
    let status = check(&later, Some(&namespace()), Act::GrantAccess);
    assert!(find(&status.conditions, STALLED).is_none());
}

#[test]
fn a_namespace_that_is_going_is_waited_for() {
    let mut going = namespace();
    going.metadata.deletion_timestamp = Some(Time(Timestamp::UNIX_EPOCH));
    check(&project(), Some(&going), Act::AwaitNamespace);
}

#[test]
fn a_project_takes_its_namespace_along_unless_somebody_wants_to_keep_it() {
    check(&terminating(), Some(&namespace()), Act::DeleteNamespace);
    check(&terminating(), None, Act::Release);
    let keep = || Some([(annotation::KEEP_NAMESPACE.to_owned(), "true".to_owned())].into());
    let mut kept = namespace();
    kept.metadata.annotations = keep();
    check(&terminating(), Some(&kept), Act::ReleaseNamespace);
    let mut keeping = terminating();
    keeping.metadata.annotations = keep();
    check(&keeping, Some(&namespace()), Act::ReleaseNamespace);
    let mut strange = namespace();
    strange.metadata.finalizers = None;
    check(&terminating(), Some(&strange), Act::Release);
}

#[test]
fn control_flow_stages_are_not_counted() {
    let mut promoting = Stage::default();
    let template = promoting.spec.promotion_template.get_or_insert_default();
    template.spec.steps = vec![resources::PromotionStep::default()];
    let healthy = condition::new(
        HEALTHY,
        TRUE,
        "Healthy",
        "",
        None,
        Time(Timestamp::UNIX_EPOCH),
    );
    promoting.status.get_or_insert_default().conditions = vec![healthy];
    let stats = stats([&Warehouse::default()], [&promoting, &Stage::default()]);
    assert_eq!(
        (stats.warehouses.count, stats.warehouses.health.healthy),
        (1, 0)
    );
    assert_eq!((stats.stages.count, stats.stages.health.healthy), (1, 1));
}

fn granted() -> Access {
    let mut project = project();
    project.metadata.annotations = Some(
        [(
            annotation::CREATE_ACTOR.to_owned(),
            "email:jo@example.com".to_owned(),
        )]
        .into(),
    );
    access(
        &project,
        &Installation {
            namespace: "argosy".to_owned(),
            controllers: vec!["kargo-controller".to_owned()],
        },
    )
}

#[test]
fn people_have_three_roles_and_our_parts_what_they_need() {
    let access = granted();
    let names: Vec<_> = access
        .roles
        .iter()
        .filter_map(|it| it.metadata.name.as_deref())
        .collect();
    assert_eq!(names, ["kargo-admin", "kargo-promoter", "kargo-viewer"]);
    let bindings: Vec<_> = access
        .bindings
        .iter()
        .filter_map(|it| it.metadata.name.as_deref())
        .collect();
    let components = [
        "kargo-project-admin",
        "kargo-project-secrets-reader",
        "kargo-controller-read-secrets",
    ];
    assert_eq!(bindings, [&names[..], &components[..]].concat());
    assert_eq!(
        access.cluster_role.metadata.name.as_deref(),
        Some("kargo-project-admin-acme")
    );
}

#[test]
fn a_viewer_may_neither_promote_nor_read_secrets() {
    let access = granted();
    let may = |role: usize, resource: &str, verb: &str| {
        access.roles[role].rules.iter().flatten().any(|rule| {
            let about = rule.resources.iter().flatten().any(|it| it == resource);
            about && rule.verbs.iter().any(|it| it == verb || it == "*")
        })
    };
    assert!(may(0, "secrets", "get") && !may(1, "secrets", "get") && !may(2, "secrets", "get"));
    assert!(
        may(0, "stages", "promote") && may(1, "stages", "promote") && !may(2, "stages", "promote")
    );
    assert!(
        may(2, "promotions", "list")
            && !may(2, "promotions", "create")
            && may(1, "promotions", "create")
    );
}

#[test]
fn who_created_a_project_is_its_admin_and_nothing_else() {
    let claims: Vec<_> = granted()
        .accounts
        .iter()
        .map(|it| {
            it.metadata
                .annotations
                .clone()
                .unwrap_or_default()
                .get(annotation::RBAC_CLAIMS)
                .cloned()
        })
        .collect();
    assert_eq!(
        claims,
        [
            Some(r#"{"email":["jo@example.com"]}"#.to_owned()),
            None,
            None
        ]
    );
}
