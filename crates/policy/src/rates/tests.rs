use proptest::prelude::*;

use super::*;

fn rates(requests: u64, tokens: u64, in_flight: u64) -> Rates {
    Rates {
        requests_per_minute: NonZeroU64::new(requests),
        tokens_per_minute: NonZeroU64::new(tokens),
        in_flight: NonZeroU64::new(in_flight),
    }
}

#[test]
fn the_one_too_many_is_refused_and_told_when_to_come_back() {
    let limits = rates(2, 0, 0);
    let mut meter = Meter::default();
    assert_eq!(meter.enter(&limits, 10_000), Ok(()));
    assert_eq!(meter.enter(&limits, 20_500), Ok(()));
    let refused = meter.enter(&limits, 21_000).unwrap_err();
    assert_eq!(refused, Exceeded::Requests { after_ms: 50_000 });
    assert_eq!(refused.retry_after_seconds(), Some(50));
    assert_eq!(
        meter.enter(&limits, 70_999).unwrap_err(),
        Exceeded::Requests { after_ms: 1 }
    );
    assert_eq!(meter.enter(&limits, 71_000), Ok(()));
}

#[test]
fn what_ended_makes_room_at_once() {
    let limits = rates(0, 0, 1);
    let mut meter = Meter::default();
    assert_eq!(meter.enter(&limits, 0), Ok(()));
    assert_eq!(meter.enter(&limits, 0), Err(Exceeded::InFlight));
    meter.leave();
    assert_eq!(meter.enter(&limits, 0), Ok(()));
}

#[test]
fn tokens_are_set_aside_and_settled() {
    let limits = rates(0, 100, 0);
    let mut meter = Meter::default();
    let first = meter.reserve(&limits, 60, 0).unwrap();
    assert!(matches!(
        meter.reserve(&limits, 60, 0),
        Err(Exceeded::Tokens { after_ms: Some(_) })
    ));
    assert_eq!(
        meter.reserve(&limits, 101, 0),
        Err(Exceeded::Tokens { after_ms: None })
    );
    meter.settle(first, 10, 0);
    assert_eq!(meter.tokens(0), 10);
    let second = meter.reserve(&limits, 60, 0).unwrap();
    // More than was set aside is counted all the same.
    meter.settle(second, 95, 0);
    assert_eq!(meter.tokens(0), 105);
    assert!(meter.reserve(&limits, 1, 59_999).is_err());
    assert!(meter.reserve(&limits, 1, 61_000).is_ok());
}

#[test]
fn an_idle_meter_can_be_forgotten() {
    let limits = rates(5, 5, 5);
    let mut meter = Meter::default();
    assert!(meter.is_idle(0));
    meter.enter(&limits, 5_000).unwrap();
    assert!(!meter.is_idle(5_000));
    meter.leave();
    assert!(!meter.is_idle(6_000));
    assert!(meter.is_idle(70_000));
}

proptest! {
    /// In no sixty seconds more than the limit, whatever the times are.
    #[test]
    fn no_minute_holds_more_than_the_limit(
        most in 1_u64..20,
        steps in prop::collection::vec(0_u64..15_000, 1..200),
    ) {
        let limits = rates(most, 0, 0);
        let mut meter = Meter::default();
        let (mut now, mut entered) = (1_000_000, Vec::new());
        for step in steps {
            now += step;
            match meter.enter(&limits, now) {
                Ok(()) => entered.push(now),
                Err(Exceeded::Requests { after_ms }) => {
                    // What it says is true: then one more fits.
                    let mut later = meter.clone();
                    prop_assert!(later.enter(&limits, now + after_ms).is_ok());
                }
                Err(other) => prop_assert!(false, "{other:?}"),
            }
            let within = entered.iter().filter(|at| **at + 60_000 > now).count();
            prop_assert!(within as u64 <= most);
        }
    }

    /// Counted and set aside together never pass the limit, as long as nobody
    /// uses more than was set aside; and all that was set aside comes back.
    #[test]
    fn reservations_hold_and_return(
        most in 1_u64..1_000,
        steps in prop::collection::vec((0_u64..5_000, 0_u64..400, 0_u64..=100), 1..200),
    ) {
        let limits = rates(0, most, 0);
        let mut meter = Meter::default();
        let (mut now, mut open) = (1_000_000, Vec::new());
        for (step, tokens, percent) in steps {
            now += step;
            if let Ok(reserved) = meter.reserve(&limits, tokens, now) {
                open.push((reserved, tokens * percent / 100));
            } else if let Some((reserved, used)) = open.pop() {
                meter.settle(reserved, used, now);
            }
            prop_assert!(meter.tokens(now) <= most);
        }
        for (reserved, _) in open {
            meter.settle(reserved, 0, now);
        }
        prop_assert!(meter.is_idle(now + 61_000));
    }

    #[test]
    fn within_is_an_order(a in any::<[u8; 3]>(), b in any::<[u8; 3]>(), c in any::<[u8; 3]>()) {
        let [a, b, c] = [a, b, c].map(|[x, y, z]| rates(x.into(), y.into(), z.into()));
        prop_assert!(a.within(&a));
        prop_assert!(a.within(&Rates::default()));
        prop_assert!(!(a.within(&b) && b.within(&c)) || a.within(&c));
        prop_assert!(!(a.within(&b) && b.within(&a)) || a == b);
    }
}
