//! Settings that hold a secret, and code and prose that only name one.

use super::*;

/// The text with the match between bars.
fn found(text: &str, valid: fn(&str, &Range<usize>) -> Option<Range<usize>>) -> Option<String> {
    let start = text.find('|').unwrap();
    let plain = text.replacen('|', "", 1);
    let end = plain.find('|').unwrap();
    let plain = plain.replacen('|', "", 1);
    valid(&plain, &(start..end)).map(|range| plain[range].to_owned())
}

#[test]
fn the_value_is_found_and_nothing_around_it() {
    for (text, value) in [
        ("DB_|PASSWORD=hunter2hunter2|\n", "hunter2hunter2"),
        ("{\"db_|password\": \"Tr0ub4dor&3|\"}", "Tr0ub4dor&3"),
        ("{\\\"|password\\\":\\\"Tr0ub4dor3\\|\"}", "Tr0ub4dor3"),
        ("<|password>s3cr3t99</password>|", "s3cr3t99"),
        ("key=\"Db|Password\" value=\"s3cr3t99|\"", "s3cr3t99"),
        ("set|Password(\"s3cr3t99|\")", "s3cr3t99"),
        ("spring.datasource.|password=swordfishes|\n", "swordfishes"),
        ("The |password is hunter2!,| but", "hunter2!"),
        ("|password 'gr4dle-pw|'", "gr4dle-pw"),
    ] {
        assert_eq!(found(text, password).as_deref(), Some(value), "{text}");
    }
}

#[test]
fn code_and_prose_that_name_a_password_hold_none() {
    for text in [
        "|password = request.form.get|(\"password\")",
        "|password: userPassword,|",
        "|password: string;|",
        "'|password' => 'required|min:8|confirmed|'",
        "|password=\"$DB_PASSWORD|\"",
        "|password = \"Enter| your password\"",
        "|password: 'auth.password.label|'",
        "|password is required.|",
        "reset_|password: \"/account/reset|\"",
        "|password = get_password|()",
        "|password: Optional|[str]",
        "|password=user_password,|",
    ] {
        assert_eq!(found(text, password), None, "{text}");
    }
}

#[test]
fn keys_are_told_from_names() {
    assert!(found("|api_key = \"k8Jd02mQx7RzT4vB|\"", key).is_some());
    assert!(found("my |api key is k8Jd02mQx7RzT4vB9,| but", key).is_some());
    for text in [
        "|api_key = settings.api_key|",
        "|api_key: process.env.API_KEY2|",
        "public_|token = \"9Cnzj4p4WGeKLs1Pt8QuKU|\"",
        "|token: 1.2.3-beta4|",
        "|token=k8Jd02mQx7RzT4vB|...",
        "|secret: \"ConnectionStringSecret|\"",
    ] {
        assert_eq!(found(text, key), None, "{text}");
    }
}
