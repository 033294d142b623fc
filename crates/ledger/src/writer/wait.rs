//! Waits for an order, but not for ever: what is written and not yet covered
//! by the head must be soon, even if no further entry comes.

use std::{
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
    time::{Duration, Instant},
};

use tokio::sync::mpsc::Receiver;

/// What ended a wait.
#[derive(Debug)]
pub(super) enum Woken<T> {
    /// An order came.
    Order(T),
    /// None came in time.
    Late,
    /// None will come.
    Gone,
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Waits in a thread of its own, at most this long, or for ever.
pub(super) fn wait<T>(queue: &mut Receiver<T>, patience: Option<Duration>) -> Woken<T> {
    let until = patience.and_then(|patience| Instant::now().checked_add(patience));
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(order) = queue.poll_recv(&mut context) {
            return order.map_or(Woken::Gone, Woken::Order);
        }
        let Some(until) = until else {
            thread::park();
            continue;
        };
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Woken::Late;
        }
        thread::park_timeout(left);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::mpsc;

    #[test]
    fn an_order_silence_and_the_end_are_told_apart() {
        let (sender, mut queue) = mpsc::channel(2);
        let soon = Some(Duration::from_millis(5));
        assert!(matches!(wait::<u8>(&mut queue, soon), Woken::Late));
        let other = thread::spawn(move || {
            thread::sleep(Duration::from_millis(20));
            sender.blocking_send(7).unwrap();
        });
        assert!(matches!(wait(&mut queue, None), Woken::Order(7)));
        other.join().unwrap();
        assert!(matches!(wait(&mut queue, None), Woken::Gone));
    }
}
