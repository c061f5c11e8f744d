//! The check of what is denied whatever was granted: a rule fails where it surely keeps the controller or a Project from
//! what they need, and warns where whom it means is not to be seen here.
//!
//! Source: <https://cloud.google.com/iam/docs/deny-overview>

use super::{Answer, Verdict};
use crate::facts::{DenyRule, Facts, Gap, Reading};
use crate::policy::{DOWNLOAD, MINT, Member, PoolSubject};
use crate::principal::ProjectId;
use crate::setup::Grantee;
use crate::setup::repair::organisation::except_from_denial;

/// How deny policies name one service account.
const ACCOUNT: &str = "principal://iam.googleapis.com/projects/-/serviceAccounts/";
/// How they name everybody, with an account of Google or without.
const EVERYBODY: &str = "principalSet://goog/public:all";

/// Somebody who needs a permission.
#[derive(Debug)]
struct Need {
    who: Grantee,
    permission: &'static str,
}

/// Whether a rule means somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Means {
    No,
    /// By a set whose members are not to be seen, or under a condition.
    Perhaps,
    Surely,
}

/// One result for each place that was looked at.
pub(super) fn rules(facts: &Facts) -> Vec<(String, Answer)> {
    if facts.deny_rules.is_empty() {
        let nobody = Reading::<()>::default().known().map(|()| Verdict::pass(""));
        return vec![(String::new(), nobody)];
    }
    let all = facts.deny_rules.iter();
    all.map(|(place, reading)| (place.clone(), judged(facts, place, reading)))
        .collect()
}

fn judged(facts: &Facts, place: &str, reading: &Reading<Vec<DenyRule>>) -> Answer {
    let rules = reading.known()?;
    let needs = needs(facts, place)?;
    let hits = rules
        .iter()
        .flat_map(|rule| needs.iter().map(move |need| (rule, need, rule.keeps(need))));
    let worst = hits.max_by_key(|(_, _, means)| *means);
    let Some((rule, need, means)) = worst.filter(|it| it.2 != Means::No) else {
        return Ok(Verdict::pass("no rule keeps anybody from what the chain needs").seen(reading));
    };
    let denies = format!(
        "{} denies {}",
        rule.policy,
        rule.denied_permissions.join(", ")
    );
    let kept = needs.iter().filter(|it| rule.keeps(it) != Means::No);
    let mut kept: Vec<_> = kept.map(|it| spelled(&it.who)).collect();
    kept.dedup();
    let fix = except_from_denial(place, rule, &kept);
    let whom = need.who.whom();
    let verdict = match &rule.condition {
        _ if means == Means::Surely => Verdict::fail(&format!("{denies} to {whom}"), fix),
        Some(condition) => Verdict::warn(&format!("{denies} to {whom} while {condition}"), fix),
        None => Verdict::warn(
            &format!("{denies}, and whether that means {whom} cannot be read"),
            fix,
        ),
    };
    Ok(verdict.seen(reading))
}

/// Lists who needs what at or below a place: accounts are acted as where the controller is, images are read where
/// repositories are.
fn needs(facts: &Facts, place: &str) -> Result<Vec<Need>, Gap> {
    let home = &facts.home.known()?.project;
    let mut needs = Vec::new();
    if is_around(facts, place, home) {
        needs.push(Need {
            who: super::accounts::controller_of(facts)?,
            permission: MINT,
        });
    }
    for used in facts.uses() {
        if !is_around(facts, place, &used.address.repository.project) {
            continue;
        }
        if let Some(who) = facts.reader_of(&used.project)? {
            needs.push(Need {
                who,
                permission: DOWNLOAD,
            });
        }
    }
    Ok(needs)
}

/// Says whether a place is a project or above it; of what is above is not always known what it is above of.
fn is_around(facts: &Facts, place: &str, project: &ProjectId) -> bool {
    if place.starts_with("projects/") {
        return place == format!("projects/{project}");
    }
    let above = facts.above.get(project);
    above.is_none_or(|it| it.iter().any(|it| it == place))
}

impl DenyRule {
    /// Says whether the rule keeps somebody from what they need.
    fn keeps(&self, need: &Need) -> Means {
        let wanted = in_words_of_denials(need.permission);
        let matches = |list: &[String]| list.iter().any(|it| is_among(&wanted, it));
        if !matches(&self.denied_permissions) || matches(&self.excepted_permissions) {
            return Means::No;
        }
        let strongest = |list: &[String]| {
            let all = list.iter().map(|it| means(it, &need.who));
            all.max().unwrap_or(Means::No)
        };
        let denied = strongest(&self.denied_principals);
        match strongest(&self.excepted_principals) {
            Means::Surely => Means::No,
            Means::Perhaps => denied.min(Means::Perhaps),
            Means::No if self.condition.is_some() => denied.min(Means::Perhaps),
            Means::No => denied,
        }
    }
}

/// Says whether a principal of a deny policy means somebody.
///
/// Source: <https://cloud.google.com/iam/docs/principal-identifiers#deny>
fn means(principal: &str, who: &Grantee) -> Means {
    let surely = |it: bool| if it { Means::Surely } else { Means::No };
    if principal == EVERYBODY {
        return Means::Surely;
    }
    if let Some(email) = principal.strip_prefix(ACCOUNT) {
        return surely(matches!(who, Grantee::ServiceAccount(it) if it.as_str() == email));
    }
    // People, and those who are gone.
    if principal.starts_with("principal://goog/subject/") || principal.starts_with("deleted:") {
        return Means::No;
    }
    match (Member::parse(principal), who) {
        (member @ Member::Pool(_), Grantee::Kubernetes(it)) if member.covers(it) => Means::Surely,
        (Member::Pool(set), Grantee::Kubernetes(it)) if set.pool == it.pool.as_str() => {
            let is_open = matches!(
                set.subject,
                PoolSubject::AccountUid(_) | PoolSubject::Cluster(_) | PoolSubject::Other(_)
            );
            if is_open { Means::Perhaps } else { Means::No }
        }
        (Member::Pool(_), _) => Means::No,
        // No federated identity is in a group.
        (_, Grantee::Kubernetes(_)) if principal.starts_with("principalSet://goog/group/") => {
            Means::No
        }
        _ => Means::Perhaps,
    }
}

/// Spells somebody as deny policies do.
fn spelled(who: &Grantee) -> String {
    match who {
        Grantee::ServiceAccount(email) => format!("{ACCOUNT}{email}"),
        Grantee::Kubernetes(principal) => principal.to_string(),
        Grantee::Member(text) => text.clone(),
    }
}

/// Spells a permission as deny policies do: `iam.serviceAccounts.x` becomes `iam.googleapis.com/serviceAccounts.x`.
fn in_words_of_denials(permission: &str) -> String {
    permission.replacen('.', ".googleapis.com/", 1)
}

/// Says whether a permission is one of a group such as `iam.googleapis.com/serviceAccounts.*`; without a star it is one.
fn is_among(permission: &str, group: &str) -> bool {
    let parts = |text: &str| {
        let (service, rest) = text.split_once('/')?;
        let (resource, verb) = rest.split_once('.')?;
        Some([service, resource, verb].map(str::to_owned))
    };
    match (parts(permission), parts(group)) {
        (Some(permission), Some(group)) => {
            let mut pairs = permission.iter().zip(&group);
            pairs.all(|(one, pattern)| pattern == "*" || one == pattern)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::whole::{account, controller, whole};

    const POOL: &str = "iam.googleapis.com/projects/4711/locations/global/workloadIdentityPools/acme-gke.svc.id.goog";
    const MINTING: &str = "iam.googleapis.com/serviceAccounts.getAccessToken";

    fn rule(denied: &str) -> DenyRule {
        DenyRule {
            denied_principals: vec![denied.to_owned()],
            denied_permissions: vec![MINTING.to_owned()],
            ..DenyRule::default()
        }
    }

    fn minting() -> Need {
        Need {
            who: Grantee::Kubernetes(controller()),
            permission: MINT,
        }
    }

    #[test]
    fn groups_of_permissions_are_read_part_by_part() {
        for (group, is_in) in [
            (MINTING, true),
            ("iam.googleapis.com/serviceAccounts.*", true),
            ("iam.googleapis.com/*.*", true),
            ("iam.googleapis.com/*.getAccessToken", true),
            ("iam.googleapis.com/serviceAccounts.get", false),
            ("iam.googleapis.com/roles.*", false),
            ("storage.googleapis.com/*.*", false),
            ("*", false),
        ] {
            assert_eq!(is_among(MINTING, group), is_in, "{group}");
        }
    }

    #[test]
    fn whom_a_principal_means_is_certain_or_cannot_be_seen() {
        let controller = Grantee::Kubernetes(controller());
        let web = Grantee::ServiceAccount(account("web"));
        for (principal, of_controller, of_web) in [
            (EVERYBODY.to_owned(), Means::Surely, Means::Surely),
            (spelled(&controller), Means::Surely, Means::No),
            (spelled(&web), Means::No, Means::Surely),
            (format!("principalSet://{POOL}/*"), Means::Surely, Means::No),
            (
                format!("principalSet://{POOL}/namespace/other"),
                Means::No,
                Means::No,
            ),
            (
                format!("principal://{POOL}/kubernetes.serviceaccount.uid/1"),
                Means::Perhaps,
                Means::No,
            ),
            (
                "principal://goog/subject/ann@acme.example".to_owned(),
                Means::No,
                Means::No,
            ),
            (
                "principalSet://goog/group/all@acme.example".to_owned(),
                Means::No,
                Means::Perhaps,
            ),
            (
                "principalSet://cloudresourcemanager.googleapis.com/projects/4711".to_owned(),
                Means::Perhaps,
                Means::Perhaps,
            ),
            (
                format!("deleted:{}?uid=1", spelled(&web)),
                Means::No,
                Means::No,
            ),
        ] {
            assert_eq!(means(&principal, &controller), of_controller, "{principal}");
            assert_eq!(means(&principal, &web), of_web, "{principal}");
        }
    }

    #[test]
    fn who_or_what_is_excepted_is_not_kept_from_anything() {
        let everybody = rule(EVERYBODY);
        assert_eq!(everybody.keeps(&minting()), Means::Surely);
        let excepted = |principal: &str| DenyRule {
            excepted_principals: vec![principal.to_owned()],
            ..everybody.clone()
        };
        assert_eq!(
            excepted(&controller().to_string()).keeps(&minting()),
            Means::No
        );
        let cluster = format!("principalSet://{POOL}/kubernetes.cluster/one");
        assert_eq!(excepted(&cluster).keeps(&minting()), Means::Perhaps);
        let permission = DenyRule {
            excepted_permissions: vec![MINTING.to_owned()],
            ..everybody.clone()
        };
        assert_eq!(permission.keeps(&minting()), Means::No);
        let condition = DenyRule {
            condition: Some("resource.matchTag('7/env', 'test')".to_owned()),
            ..everybody
        };
        assert_eq!(condition.keeps(&minting()), Means::Perhaps);
    }

    #[test]
    fn what_is_above_one_project_alone_counts_for_that_one() {
        let mut facts = whole();
        let project = |it: &str| it.parse::<ProjectId>().expect("an id");
        let above = |it: &str| vec![it.to_owned(), "organizations/7".to_owned()];
        facts.above = [
            (project("acme-gke"), above("folders/1")),
            (project("acme-art"), above("folders/9")),
        ]
        .into();
        for (place, permissions) in [
            ("folders/1", vec![MINT]),
            ("folders/9", vec![DOWNLOAD, DOWNLOAD]),
            ("organizations/7", vec![MINT, DOWNLOAD, DOWNLOAD]),
            ("projects/acme-gke", vec![MINT]),
            ("projects/acme-art", vec![DOWNLOAD, DOWNLOAD]),
        ] {
            let needs = needs(&facts, place).expect("a project");
            let found: Vec<_> = needs.iter().map(|it| it.permission).collect();
            assert_eq!(found, permissions, "{place}");
        }
    }
}
