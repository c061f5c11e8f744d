//! The list of images is changed, and nothing else.

use super::*;

fn wanted(name: &str, new_name: &str, new_tag: &str, digest: &str) -> Wanted {
    let text = str::to_owned;
    Wanted {
        name: text(name),
        new_name: text(new_name),
        new_tag: text(new_tag),
        digest: text(digest),
    }
}

#[track_caller]
fn check(before: &str, images: &[Wanted], after: &str) {
    assert_eq!(set_images(before, images).unwrap(), after);
}

#[test]
fn an_entry_changes_in_place() {
    let text = "resources: # all\n- a.yaml\nimages:\n# ours\n- name: web # the site\n  newTag: '1.0' # now\n- name: db\n  newTag: x\n";
    let after = text.replace("'1.0'", "'2.0'");
    check(text, &[wanted("web", "", "2.0", "")], &after);
    check(&after, &[wanted("web", "", "2.0", "")], &after);
}

#[test]
fn a_tag_gives_way_to_a_digest() {
    let text = "images:\n- name: web\n  newTag: '1.0'\n";
    check(
        text,
        &[wanted("web", "", "", "sha256:ab")],
        "images:\n- name: web\n  digest: sha256:ab\n",
    );
    let both = "images:\n- name: web\n  newTag: '1.0'\n  digest: sha256:ab\n";
    check(
        both,
        &[wanted("web", "", "2", "")],
        "images:\n- name: web\n  newTag: '2'\n",
    );
}

#[test]
fn a_star_keeps_what_is_there() {
    let text = "images:\n- name: web\n  newName: other\n  newTag: a\n";
    check(
        text,
        &[wanted("web", "*", "b", "")],
        "images:\n- name: web\n  newName: other\n  newTag: b\n",
    );
    check(
        text,
        &[wanted("web", "", "*", "")],
        "images:\n- name: web\n  newTag: a\n",
    );
}

#[test]
fn new_entries_follow_sorted_by_name() {
    let text = "images:\n- name: web\n  newTag: a\n";
    let after = "images:\n- name: web\n  newTag: a\n- name: api\n  newTag: b\n- name: db\n  digest: sha256:c\n";
    check(
        text,
        &[wanted("db", "", "", "sha256:c"), wanted("api", "", "b", "")],
        after,
    );
}

#[test]
fn a_file_without_images_gets_them() {
    let expected = "images:\n- name: web\n  newName: x/web\n  newTag: b\n";
    let images = [wanted("web", "x/web", "b", "")];
    check(
        "resources:\n- a.yaml\n",
        &images,
        &format!("resources:\n- a.yaml\n{expected}"),
    );
    check(
        "resources:\n- a.yaml",
        &images,
        &format!("resources:\n- a.yaml\n{expected}"),
    );
    check("", &images, expected);
    check(
        "images: []\nresources: []\n",
        &images,
        &format!("resources: []\n{expected}"),
    );
}

#[test]
fn an_image_of_the_freight_must_be_the_only_one_of_its_repository() {
    let image = |tag: &str| Image {
        repo_url: "r/web".to_owned(),
        tag: tag.to_owned(),
        ..Image::default()
    };
    assert!(from_freight([image("1"), image("2")].iter()).is_err());
    let one = from_freight([image("1"), image("1")].iter()).unwrap();
    assert_eq!(one, [wanted("r/web", "*", "1", "")]);
}
