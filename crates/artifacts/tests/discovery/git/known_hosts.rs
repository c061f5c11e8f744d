//! Keys of SSH hosts, where the operator lists those that are accepted.

use std::sync::Arc;

use artifacts::Limits;
use artifacts::child::Launcher;
use artifacts::egress::Policy;
use artifacts::git::{Mirrors, Repositories};
use credentials::Login;
use secret::Secret;
use testkit::servers::SshServer;
use testkit::tools;

use super::{discover, subjects, subscription};
use crate::told;

#[tokio::test]
async fn a_host_is_known_by_its_name_though_ssh_is_given_its_address() {
    let folder = tempfile::tempdir().expect("a folder");
    let host = SshServer::start().expect("an SSH host");
    host.create("acme/deploy", &[("README.md", "hello")])
        .expect("a repository");
    let by_name = |text: String| text.replace("127.0.0.1", "localhost");
    // The name may have two addresses, of which the server listens on one.
    let subscription = subscription(by_name(host.url("acme/deploy")));
    let key = Login::SshKey(Secret::from(host.private_key().expect("a key")));
    let search_path = tools::search_path(None).expect("folders of programs");
    let file = folder.path().join("known_hosts");
    let find = async |line: String| {
        std::fs::write(&file, line).expect("written");
        let launcher = Launcher::direct().with_search_path(&search_path);
        let repositories = Repositories::new(
            launcher.with_known_hosts(&file),
            Arc::new(Policy::new().with_loopback()),
            Limits::default(),
            Mirrors::new(folder.path().join("mirrors"), Mirrors::DISK),
        );
        discover(&repositories, &subscription, Some(&key), None).await
    };
    let known = host.known_host().expect("a line");
    let found = find(by_name(known.clone())).await.expect("commits");
    assert_eq!(subjects(&found), ["Start"]);
    let another = host.known_host_of_another().expect("a line");
    for line in [by_name(another), known] {
        let error = find(line).await.expect_err("a key that nobody listed");
        let told = told(&error);
        assert!(told.contains("not an accepted one"), "{told}");
        assert!(error.hint().contains("ssh-keyscan"), "{}", error.hint());
    }
}
