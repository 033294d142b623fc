//! Any text as policies: refused with a reason, or in force and answering.
#![no_main]

use libfuzzer_sys::fuzz_target;
use policy::permission::{Ask, Asker, Moment, Object, Permission};
use terms::Verb;

fuzz_target!(|text: &str| {
    let Ok(permission) = Permission::new(text) else { return };
    let answer = permission.decide(&Ask {
        who: Asker::Account("uid:0".into()),
        verb: Verb::Admin,
        what: Object::Node("node".into()),
        when: Moment::at_ms(0),
    });
    assert!(!answer.allowed || answer.erred.is_empty());
});
