//! How much of one connection is read or written in one turn of its task: who
//! sends or takes much keeps nobody else waiting.

use std::{
    borrow::Cow,
    io::{self, IoSlice},
    task::{Context, Poll},
};

use tokio::task::coop;

/// Bytes that count as one step of a task. It has 128 in a turn.
const STEP_BYTES: usize = 128;
/// LIMIT: bytes written at once. Within the kernel a thread gives nothing up
/// until all of them are copied and, to a peer on this machine, received.
const WRITE_BYTES_MAX: usize = 64 << 10;

/// Counts steps against the task's turn. The runtime counts each read of a
/// socket as one, however large: many small frames in one read or many small
/// records of TLS would keep everybody else waiting for milliseconds.
pub(crate) fn take(cx: &mut Context<'_>, steps: u32) {
    for _ in 0..steps {
        // When the turn is over, the task is woken for the next one.
        let Poll::Ready(step) = coop::poll_proceed(cx) else {
            return;
        };
        step.made_progress();
    }
}

/// Counts so many bytes, a step at least: a record of TLS may hold one.
pub(crate) fn take_for(cx: &mut Context<'_>, bytes: usize) {
    take(
        cx,
        u32::try_from(bytes / STEP_BYTES + 1).unwrap_or(u32::MAX),
    );
}

/// Counts what was written.
pub(crate) fn written(
    cx: &mut Context<'_>,
    outcome: Poll<io::Result<usize>>,
) -> Poll<io::Result<usize>> {
    if let Poll::Ready(Ok(bytes)) = &outcome {
        take_for(cx, *bytes);
    }
    outcome
}

/// As much of this as is written at once.
pub(crate) fn some(bytes: &[u8]) -> &[u8] {
    bytes.get(..WRITE_BYTES_MAX).unwrap_or(bytes)
}

/// Likewise, of several parts.
pub(crate) fn some_parts<'p, 'b>(parts: &'p [IoSlice<'b>]) -> Cow<'p, [IoSlice<'b>]>
where
    'p: 'b,
{
    let mut left = WRITE_BYTES_MAX;
    let fits = parts.iter().all(|part| {
        let fits = part.len() <= left;
        left = left.saturating_sub(part.len());
        fits
    });
    if fits {
        return Cow::Borrowed(parts);
    }
    let mut left = WRITE_BYTES_MAX;
    let some = parts.iter().map_while(|part| {
        let part = part.get(..left.min(part.len())).filter(|_| left > 0)?;
        left -= part.len();
        Some(IoSlice::new(part))
    });
    Cow::Owned(some.collect())
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    #[tokio::test]
    async fn the_least_that_is_read_is_a_step() {
        poll_fn(|cx| {
            take_for(cx, 1);
            assert!(coop::has_budget_remaining());
            (0..128).for_each(|_| take_for(cx, 1));
            assert!(!coop::has_budget_remaining());
            Poll::Ready(())
        })
        .await;
    }

    #[test]
    fn what_is_written_at_once_is_the_first_of_it_and_bounded() {
        let all: Vec<u8> = (0..200_000_u32).map(|n| n.to_le_bytes()[0]).collect();
        for cuts in [
            &[][..],
            &[0],
            &[10, 300],
            &[70_000],
            &[65_536],
            &[1, 65_537, 131_000],
        ] {
            for size in [0, 400, 65_536, 65_537, 200_000] {
                let mut rest = &all[..size];
                let mut parts = Vec::new();
                let mut from = 0;
                for cut in cuts {
                    let (part, behind) = rest.split_at((cut - from).min(rest.len()));
                    parts.push(IoSlice::new(part));
                    (rest, from) = (behind, *cut);
                }
                parts.push(IoSlice::new(rest));
                let some = some_parts(&parts)
                    .iter()
                    .map(|part| part.to_vec())
                    .collect::<Vec<_>>();
                let some = some.concat();
                assert_eq!(some, all[..size.min(WRITE_BYTES_MAX)], "{cuts:?} {size}");
                assert_eq!(some, self::some(&all[..size]));
            }
        }
    }
}
