//! What expressions say of a workload, and which are refused.

use super::*;

fn expression(text: &str) -> Result<Expression, UnknownCel> {
    Expression::try_from(text.to_owned())
}

fn names() -> Names {
    let claims = json!({
        "sub": "system:serviceaccount:argosy:controller", "kubernetes.io": {"namespace": "argosy"},
        "groups": ["ops", "dev"], "admin": true,
    });
    Names::with_mapped(&claims, "subject-1", &json!({"team": "web"}))
}

#[track_caller]
fn check(text: &str, holds: bool) {
    let expression = expression(text).expect(text);
    assert_eq!(expression.holds(&names()), holds, "{text}");
}

#[test]
fn fields_are_compared() {
    check("assertion['kubernetes.io']['namespace'] == 'argosy'", true);
    check(
        "assertion[\"kubernetes.io\"].namespace != \"argosy\"",
        false,
    );
    check(
        "google.subject == 'subject-1' && attribute.team == 'web'",
        true,
    );
    check("assertion.groups[1] == 'dev'", true);
    check("assertion.admin", true);
}

#[test]
fn text_is_tested_and_joined() {
    check(
        "assertion.sub.startsWith('system:serviceaccount:argosy:')",
        true,
    );
    check("assertion.sub.endsWith(':other')", false);
    check("assertion.sub.contains('argosy')", true);
    check("assertion.sub.matches('^system:.*:controller$')", true);
    check(
        "assertion.sub == 'system:' + 'serviceaccount:argosy:controller'",
        true,
    );
}

#[test]
fn lists_are_searched() {
    check("'ops' in assertion.groups", true);
    check("attribute.team in ['api', 'web']", true);
    check("!(attribute.team in ['api'])", true);
    check("'team' in attribute", true);
}

#[test]
fn what_is_missing_decides_nothing_by_itself() {
    check("assertion.email == 'ann@acme.example'", false);
    check("assertion.email != 'ann@acme.example'", false);
    check("assertion.admin || assertion.email == ''", true);
    check("assertion.email == '' || assertion.admin", true);
    check("has(assertion.email)", false);
    check("has(assertion.sub)", true);
    check("assertion.sub", false);
}

#[test]
fn what_would_have_to_be_guessed_is_refused() {
    for text in [
        "",
        "assertion.sub ==",
        "request.time < timestamp('2030-01-01T00:00:00Z')",
        "assertion.sub.extract('{a}') == 'b'",
        "assertion.admin ? 'a' : 'b'",
        "assertion.groups.exists(it, it == 'ops')",
        "assertion.sub == 'unfinished",
        "assertion.sub.matches('(')",
        "('a'",
        &format!("{}true", "(".repeat(64)),
        &"a".repeat(5000),
    ] {
        let error = expression(text).expect_err(text);
        assert!(error.to_string().contains("cannot evaluate the expression"));
    }
}

#[test]
fn a_deep_expression_is_evaluated_or_refused_and_never_overflows() {
    let negations = |levels: usize| "!".repeat(levels - 1) + "true";
    let chain = |sign: &'static str| {
        move |levels: usize| vec!["assertion.sub"; levels - 1].join(&format!(" {sign} "))
    };
    let fields = |levels: usize| format!("assertion{}", ".a".repeat(levels - 1));
    let indices = |levels: usize| format!("assertion{}", "['a']".repeat(levels - 1));
    let makers: [&dyn Fn(usize) -> String; 6] = [
        &negations,
        &chain("||"),
        &chain("&&"),
        &chain("+"),
        &fields,
        &indices,
    ];
    for made in makers {
        let deepest = expression(&made(100)).expect("it is at the bound");
        // What it comes to does not matter.
        let _value = deepest.clone().evaluate(&names());
        for levels in [101, 200] {
            let refused = expression(&made(levels)).expect_err("it is too deep");
            assert!(refused.to_string().contains("levels deep"), "{refused}");
        }
    }
    assert!(expression(&"!".repeat(4000)).is_err());
}

#[test]
fn an_expression_is_written_as_it_was_read() {
    let text = "assertion.sub";
    let read: Expression = serde_json::from_value(json!(text)).unwrap();
    assert_eq!(serde_json::to_value(&read).unwrap(), json!(text));
}
