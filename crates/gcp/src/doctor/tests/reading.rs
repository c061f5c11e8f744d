//! What is said of each image by itself, and of repositories of other Projects.

use super::broken::*;
use super::*;
use crate::facts::whole::repository;
use crate::repository::ImageAddress;

#[test]
fn of_two_images_in_one_repository_the_one_that_is_missing_is_named() {
    const MISSING: &str = "europe-west1-docker.pkg.dev/acme-art/apps/absent";
    for is_first in [true, false] {
        let report = after(|it| {
            subscribe(it, MISSING);
            if is_first {
                it.intent.projects.get_mut("web").expect("web").reverse();
            }
            let mut seen = web_use(it).clone();
            seen.pull = Reading::absent("GET tags/list");
            let address = ImageAddress::parse(MISSING).expect("an address");
            web(it).uses.insert(address, seen);
        });
        let of = |image: &str| {
            let mut all = report.results.iter().filter(|it| it.id == "AR-PULL");
            let found = all.find(|it| it.subject.address.as_deref() == Some(image));
            found.expect("a result")
        };
        let web = of("europe-west1-docker.pkg.dev/acme-art/apps/web");
        assert_eq!(web.status, Status::Pass, "{}", web.says);
        let missing = of(MISSING);
        assert_eq!(missing.status, Status::Fail);
        assert!(missing.says.contains("no image absent"), "{}", missing.says);
    }
}

/// What is said of whether `web` reads what only others use.
fn isolation(change: impl FnOnce(&mut Facts)) -> CheckResult {
    let report = after(change);
    let mut all = report.results.into_iter();
    let found =
        all.find(|it| it.id == "AR-ISOLATION" && it.subject.project.as_deref() == Some("web"));
    found.expect("a result")
}

#[test]
fn a_leak_that_was_found_outlives_what_was_not_to_be_read() {
    for unread in [denied(), Reading::absent("POST testIamPermissions")] {
        let it = isolation(|it| {
            let other = "europe-west1-docker.pkg.dev/acme-art/gone/gone";
            let shop = it.intent.projects.get_mut("shop").expect("shop");
            shop.push(other.to_owned());
            reads_shop(it);
            web(it)
                .foreign_permissions
                .insert(repository("gone"), unread);
        });
        assert_eq!(it.status, Status::Warn, "{}", it.says);
        assert!(it.says.ends_with("repositories/shop"), "{}", it.says);
    }
}

#[test]
fn what_nobody_asked_is_no_evidence() {
    let alone = isolation(|it| {
        it.intent.projects.remove("shop");
        web(it).foreign_permissions.clear();
    });
    assert_eq!(alone.status, Status::Skip, "{}", alone.says);
    assert!(alone.evidence.is_empty(), "{:?}", alone.evidence);
    let untried = isolation(|it| web(it).foreign_permissions.clear());
    assert_eq!(untried.status, Status::Skip, "{}", untried.says);
    let refused = isolation(|it| {
        web(it)
            .foreign_permissions
            .insert(repository("shop"), denied());
    });
    assert_eq!(refused.status, Status::Unknown, "{}", refused.says);
    let absent = Reading::absent("POST testIamPermissions");
    let gone = isolation(|it| {
        web(it)
            .foreign_permissions
            .insert(repository("shop"), absent);
    });
    assert_eq!(gone.status, Status::Pass, "what is not there leaks nothing");
}
