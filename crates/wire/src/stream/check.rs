//! Checks that each place in a delta has one name, so that no two texts pass
//! for one channel and no text for two.

use super::MapFault;
use crate::{Document, Kind, NodeId, json::Halves};

/// LIMIT: levels of a delta.
const DEPTH_MAX: usize = 12;
/// LIMIT: bytes of a key in a delta.
const KEY_BYTES_MAX: usize = 256;

/// The index of a choice. Without one it is the first and only one: clients
/// would not tell several apart as the gate does.
pub(super) fn index(document: &Document, choice: NodeId, position: usize) -> Result<u64, MapFault> {
    let given = document
        .member(choice, "index")
        .filter(|index| document.kind(*index) != Kind::Null);
    match given {
        Some(index) => document.whole(index).ok_or(MapFault::UNFIT),
        None if position == 0 => Ok(0),
        None => Err(MapFault::UNFIT),
    }
}

/// Refuses keys that read like several steps of a path, and an `index` that
/// some take for another number than others (`0.0`, `"0"`).
pub(super) fn places(document: &Document, delta: NodeId) -> Result<(), MapFault> {
    let mut left = vec![(delta, 0_usize)];
    while let Some((node, depth)) = left.pop() {
        if depth > DEPTH_MAX {
            return Err(MapFault::UNFIT);
        }
        let list = document.kind(node) == Kind::Array;
        for child in document.children(node) {
            let named = document.key(child).is_none_or(|key| plain(document, key));
            if !named || (list && !counted(document, child)) {
                return Err(MapFault::UNFIT);
            }
            if matches!(document.kind(child), Kind::Object | Kind::Array) {
                left.push((child, depth + 1));
            }
        }
    }
    Ok(())
}

fn plain(document: &Document, key: NodeId) -> bool {
    let text = document.text(key).unwrap_or_default();
    text.len() <= KEY_BYTES_MAX
        && !text.contains(['.', '[', ']'])
        && document.halves(key) == Halves::default()
}

/// Whether an element of a list names its place clearly, or not at all.
fn counted(document: &Document, element: NodeId) -> bool {
    document
        .member(element, "index")
        .is_none_or(|index| match document.kind(index) {
            Kind::Number | Kind::String => document.whole(index).is_some(),
            Kind::Object | Kind::Array | Kind::True | Kind::False | Kind::Null => true,
        })
}
