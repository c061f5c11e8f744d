//! Whom a plan is for: the service account of a Project, its Kubernetes account, or nobody while that is not known.

use super::*;

/// The controller has no service account of `web` to act as, whatever else was read.
fn without_account(facts: &mut Facts) -> &mut ProjectFacts {
    let web = facts.projects.get_mut("web").expect("web");
    web.account = Reading::absent("GET account");
    web.policy = Reading::absent("POST account:getIamPolicy");
    web.mint = Reading::default();
    web
}

fn denied<T>() -> Reading<T> {
    Reading::of_refusal(
        "GET serviceaccounts web/argosy-gcp",
        403,
        "serviceaccounts \"argosy-gcp\" is forbidden",
    )
}

/// Says whether a plan makes an account, or grants anybody anything.
fn touches_identities(plan: &Plan) -> bool {
    let touches = |it: &Action| {
        matches!(
            it,
            Action::CreateServiceAccount { .. }
                | Action::EnableServiceAccount { .. }
                | Action::Grant(_)
        )
    };
    plan.actions.iter().any(touches)
}

#[test]
fn a_project_with_a_kubernetes_account_needs_nothing_but_reading() {
    let plan = after(|facts| {
        without_account(facts).kubernetes_account = Reading::known_from("GET serviceaccount", ());
    });
    let principal = whole().kubernetes_principal("web").expect("a principal");
    let grant = RoleGrant::new(
        Resource::Repository(repository("apps")),
        READER,
        Grantee::Kubernetes(principal),
    );
    assert_eq!(plan.actions, [Action::Grant(grant)]);
    assert_eq!(plan.impossible, Vec::<String>::new());
}

#[test]
fn nothing_is_planned_where_it_was_not_to_be_read_who_acts() {
    let plan = after(|facts| without_account(facts).kubernetes_account = denied());
    assert!(!touches_identities(&plan), "{:?}", plan.actions);
    let [unknown] = plan.unknown.as_slice() else {
        panic!("{:?}", plan.unknown);
    };
    for part in [
        "who acts as web is unknown",
        "is forbidden",
        "kubectl get serviceaccount argosy-gcp --namespace=web",
        "without a cluster",
    ] {
        assert!(unknown.contains(part), "no {part:?}: {unknown}");
    }
    assert_eq!(plan.impossible, Vec::<String>::new());
}

#[test]
fn an_account_that_exists_and_may_not_be_acted_as_leaves_it_unknown_too() {
    let plan = after(|facts| {
        let web = without_account(facts);
        web.account = whole().project("web").account;
        web.policy = Reading::known_from("POST account:getIamPolicy", Policy::default());
        web.kubernetes_account = denied();
    });
    assert!(!touches_identities(&plan), "{:?}", plan.actions);
    assert_eq!(plan.unknown.len(), 1, "{:?}", plan.unknown);
}

#[test]
fn a_service_account_that_may_be_acted_as_goes_first_whatever_else_there_is() {
    let plan = after(|facts| {
        let web = facts.projects.get_mut("web").expect("web");
        web.mint = Reading::default();
        web.kubernetes_account = denied();
        let apps = facts
            .repositories
            .get_mut(&repository("apps"))
            .expect("apps");
        apps.policy = Reading::known_from("GET", Policy::default());
    });
    let grant = RoleGrant::new(
        Resource::Repository(repository("apps")),
        READER,
        Grantee::ServiceAccount(account("web")),
    );
    assert_eq!(plan.actions, [Action::Grant(grant)]);
    assert_eq!(plan.unknown, Vec::<String>::new());
}

#[test]
fn where_nobody_looked_a_service_account_is_planned_and_that_is_said() {
    let plan = after(|facts| without_account(facts).kubernetes_account = Reading::default());
    assert!(touches_identities(&plan), "{:?}", plan.actions);
    let says = |part: &str| plan.assumed.iter().any(|it| it.contains(part));
    assert!(
        says("web/argosy-gcp was not looked for") && says("kubectl get serviceaccount argosy-gcp"),
        "{:?}",
        plan.assumed
    );
    assert_eq!(plan.unknown, Vec::<String>::new());
}
