use std::collections::BTreeSet;

use terms::Verb;

use super::*;

fn ask(model: &str, tools: u32) -> Ask {
    Ask {
        who: Asker::Key {
            id: "mk-0123456789ab".into(),
            owner: "team-a".into(),
            verbs: BTreeSet::from([Verb::Infer]),
        },
        verb: Verb::Infer,
        what: Object::Model {
            vendor: "openai".into(),
            api: "openai",
            model: model.into(),
            route: "openai-chat",
            source: [127, 0, 0, 1].into(),
            stream: false,
            tools,
            output_tokens_max: None,
        },
        when: Moment::at_ms(1_795_000_000_000),
    }
}

fn admin(uid: &str) -> Ask {
    Ask {
        who: Asker::Account(uid.into()),
        verb: Verb::Admin,
        what: Object::Node("node".into()),
        when: Moment::at_ms(0),
    }
}

#[test]
fn without_a_file_everything_that_a_grant_allows_is_allowed() {
    let permission = Permission::new(DEFAULT).unwrap();
    let answer = permission.decide(&ask("gpt-5", 0));
    assert!(answer.allowed);
    assert_eq!(answer.because, ["grants-decide"]);
    assert!(permission.decide(&admin("uid:0")).allowed);
}

#[test]
fn sealed_content_is_shown_to_no_account_unless_a_policy_says_so() {
    let reveal = |who: Asker| Ask {
        who,
        verb: Verb::Reveal,
        ..admin("uid:0")
    };
    let account = reveal(Asker::Account("uid:0".into()));
    let permission = Permission::new(DEFAULT).unwrap();
    assert!(!permission.decide(&account).allowed);
    let key = reveal(ask("gpt-5", 0).who);
    assert!(permission.decide(&key).allowed, "its grant is asked before");
    let text = format!(
        "{DEFAULT}\npermit (principal == Account::\"uid:0\", action == Action::\"reveal\", resource);"
    );
    assert!(Permission::new(&text).unwrap().decide(&account).allowed);
}

#[test]
fn what_nothing_permits_is_denied() {
    let permission = Permission::new("permit (principal is Account, action, resource);").unwrap();
    let answer = permission.decide(&ask("gpt-5", 0));
    assert!(!answer.allowed && answer.because.is_empty() && answer.erred.is_empty());
}

#[test]
fn a_forbid_wins_and_is_named() {
    let text = format!(
        "{DEFAULT}\n@id(\"no-mini\") forbid (principal, action == Action::\"infer\", resource == Model::\"openai/gpt-5-mini\");"
    );
    let permission = Permission::new(&text).unwrap();
    assert!(permission.decide(&ask("gpt-5", 0)).allowed);
    let answer = permission.decide(&ask("gpt-5-mini", 0));
    assert!(!answer.allowed);
    assert_eq!(answer.because, ["no-mini"]);
}

/// Cedar alone would skip it and allow.
#[test]
fn a_forbid_that_errs_denies() {
    let text = format!(
        "{DEFAULT}\n@id(\"overflows\") forbid (principal, action == Action::\"infer\", resource) when {{ context.tools * 9223372036854775807 > 5 }};"
    );
    let permission = Permission::new(&text).unwrap();
    assert!(
        permission.decide(&ask("gpt-5", 0)).allowed,
        "0 times anything fits"
    );
    let answer = permission.decide(&ask("gpt-5", 2));
    assert!(!answer.allowed);
    assert_eq!(answer.erred, ["overflows"]);
}

#[test]
fn context_and_parents_can_be_asked_for() {
    let text = r#"
        permit (principal, action == Action::"infer", resource in Vendor::"openai")
        when { principal.owner == "team-a" && context.source.isLoopback() && context.hour >= 0 };
        forbid (principal, action == Action::"infer", resource)
        when { context has output_tokens_max && context.output_tokens_max > 1000 };
    "#;
    let permission = Permission::new(text).unwrap();
    assert!(permission.decide(&ask("gpt-5", 0)).allowed);
    let mut long = ask("gpt-5", 0);
    if let Object::Model {
        output_tokens_max, ..
    } = &mut long.what
    {
        *output_tokens_max = Some(2_000);
    }
    assert!(!permission.decide(&long).allowed);
}

#[test]
fn what_does_not_fit_the_schema_is_no_policy() {
    for (text, says) in [
        ("permit (principal, action, resource", "unexpected"),
        (
            "permit (principal, action, resource) when { principal.colour == 1 };",
            "colour",
        ),
        (
            "permit (principal, action == Action::\"invent\", resource);",
            "invent",
        ),
        (
            "permit (principal == ?principal, action, resource);",
            "template",
        ),
        (
            "permit (principal, action == Action::\"infer\", resource) when { context.output_tokens_max > 1 };",
            "output_tokens_max",
        ),
    ] {
        let fault = Permission::new(text).unwrap_err();
        assert!(fault.says.contains(says), "{text}: {fault}");
    }
}

#[test]
fn answers_are_remembered_and_bounded() {
    let permission = Permission::new(DEFAULT).unwrap();
    for tools in 0..40 {
        let _ = permission.decide(&ask("gpt-5", tools % 2));
    }
    assert_eq!(permission.remembered().len(), 2);
}

#[test]
fn the_moment_is_told_in_utc() {
    // 2026-11-26 was a Thursday.
    let moment = Moment::at_ms(1_795_687_200_000);
    assert_eq!(moment, Moment { hour: 10, day: 4 });
}
