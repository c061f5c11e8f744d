//! Patterns as Go reads them, and what is refused.

use proptest::prelude::*;

use super::*;

fn check(pattern: &str, matching: &[&str], other: &[&str]) {
    let regex = compile(pattern).unwrap_or_else(|error| panic!("{pattern}: {error}"));
    for text in matching {
        assert!(regex.is_match(text), "{pattern} should match {text:?}");
    }
    for text in other {
        assert!(!regex.is_match(text), "{pattern} should not match {text:?}");
    }
}

#[test]
fn perl_classes_are_ascii() {
    check(r"^[\w.\-\_]+$", &["naive", "a.b-c_d"], &["naïve", "a b"]);
    check(r"^\d+$", &["12"], &["١٢"]);
    check(r"^\s$", &[" ", "\t"], &["\u{a0}", "\u{b}"]);
    check(r"^\W$", &["ï", "-"], &["a"]);
    check(r"^[^\W]$", &["a"], &["ï"]);
    check(r"^[\w-.]+$", &["a-b.c"], &["a+b"]);
    check(r"\bb", &["a b", "ïb"], &["ab"]);
}

#[test]
fn classes_know_no_set_operations() {
    check("^[[a]$", &["[", "a"], &["b"]);
    check("^[a&&b]$", &["a", "b", "&"], &["c"]);
    check("^[a-z--x]$", &["a", "x", "z", "-", "0"], &["!", "{"]);
    check("^[a~~b]$", &["~"], &["c"]);
    check("^[]a]$", &["]", "a"], &["b"]);
    check("^[^]a]$", &["b"], &["]", "a"]);
    check("^[[:alpha:]_]$", &["a", "_"], &["1", "ä"]);
    check("^[a-]$", &["a", "-"], &["b"]);
}

#[test]
fn what_only_go_reads_is_translated() {
    check(r"^\Qa.b\E$", &["a.b"], &["axb"]);
    check(r"^\Qa.b", &["a.bc"], &["axb"]);
    check(r"^\x41\x{42}\103$", &["ABC"], &["abc"]);
    check("^a{,2}$", &["a{,2}"], &["aa"]);
    check("^{x}$", &["{x}"], &["x"]);
    check(r"^\<a\>$", &["<a>"], &["a"]);
    check("^(?P<1a>x)$", &["x"], &[]);
    check("^a b#c$", &["a b#c"], &["abc"]);
    check(r"^\p{Greek}\pN\p{^Greek}$", &["α1a"], &["a1a"]);
    check(r"^a{2,3}$", &["aa", "aaa"], &["a"]);
    check(r"^(?i:k)$", &["K", "k"], &["x"]);
}

#[test]
fn what_go_refuses_is_refused() {
    for pattern in [
        "[a",
        "[z-a]",
        r"\8",
        r"\1",
        "(?x)a",
        "(?u)a",
        "a{1001}",
        "a{2,1}",
        "(",
        r"\y",
        "\\",
        r"[a-\d]",
        "(?=a)",
        "(?!a)",
        "[[:nothing:]]",
    ] {
        assert!(compile(pattern).is_err(), "{pattern}");
    }
}

#[test]
fn a_colon_and_a_bracket_alone_name_no_class() {
    let class = compile("^[[:]$").expect("a class of two characters");
    for (text, fits) in [("[", true), (":", true), ("]", false)] {
        assert_eq!(class.is_match(text), fits, "{text}");
    }
}

proptest! {
    #[test]
    fn nothing_panics(pattern in ".{0,60}") {
        drop(compile(&pattern));
    }

    #[test]
    fn likely_patterns_do_not_panic(pattern in r"[\[\]\\^$(){}?*+|a-c0-9,:QEpPxwdsbW&~<> -]{0,40}") {
        drop(compile(&pattern));
    }
}
