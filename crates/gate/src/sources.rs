//! How many connections each source holds open, counted from their acceptance
//! on, so that none can take all the places.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use ipnet::IpNet;

use crate::parties;

/// All sources. There are at most as many of them as there are connections.
#[derive(Debug)]
pub(crate) struct Sources {
    open: Mutex<HashMap<IpAddr, usize>>,
    connections_max: usize,
    exempt: Vec<IpNet>,
}

impl Sources {
    /// LIMIT: `connections_max` open connections for each source, but for
    /// those of these networks.
    pub(crate) fn new(connections_max: usize, exempt: Vec<IpNet>) -> Self {
        Self {
            open: Mutex::default(),
            connections_max,
            exempt,
        }
    }

    fn open(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a place for a connection; `None` if its source has all of its own.
    pub(crate) fn enter(self: &Arc<Self>, address: IpAddr) -> Option<Place> {
        let source = parties::source(address);
        let address = address.to_canonical();
        let bounded = !self.exempt.iter().any(|net| net.contains(&address));
        let mut open = self.open();
        let count = open.get(&source).copied().unwrap_or_default();
        if bounded && count >= self.connections_max {
            return None;
        }
        open.insert(source, count + 1);
        drop(open);
        Some(Place {
            sources: Arc::clone(self),
            source,
        })
    }

    /// How many connections are open.
    pub(crate) fn count(&self) -> usize {
        self.open().values().sum()
    }
}

/// One connection's place; given back when dropped.
#[derive(Debug)]
pub(crate) struct Place {
    sources: Arc<Sources>,
    source: IpAddr,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.sources.open();
        match open.get_mut(&self.source) {
            Some(count) if *count > 1 => *count -= 1,
            Some(_) | None => drop(open.remove(&self.source)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_source_has_its_places_and_no_more() {
        let sources = Arc::new(Sources::new(2, Vec::new()));
        let first = sources.enter(address("10.1.2.3")).unwrap();
        let _second = sources.enter(address("::ffff:10.1.2.3")).unwrap();
        assert!(sources.enter(address("10.1.2.3")).is_none());
        let _other = sources.enter(address("10.1.2.4")).unwrap();
        assert_eq!(sources.count(), 3);
        drop(first);
        assert!(sources.enter(address("10.1.2.3")).is_some());
        assert_eq!(sources.count(), 2, "a place is given back");
    }

    #[test]
    fn addresses_of_one_64_are_one_source() {
        let sources = Arc::new(Sources::new(1, Vec::new()));
        let place = sources.enter(address("2001:db8:1:2::1")).unwrap();
        assert!(sources.enter(address("2001:db8:1:2:3:4:5:6")).is_none());
        assert!(sources.enter(address("2001:db8:1:3::1")).is_some());
        drop(place);
        assert!(sources.open().is_empty(), "no source is kept for nothing");
    }

    #[test]
    fn an_exempt_network_is_counted_and_not_bounded() {
        let exempt = vec!["10.0.0.0/8".parse().unwrap()];
        let sources = Arc::new(Sources::new(1, exempt));
        let places: Vec<_> = (0..9)
            .map(|_| sources.enter(address("::ffff:10.9.9.9")).unwrap())
            .collect();
        assert_eq!(sources.count(), places.len());
        let _place = sources.enter(address("11.0.0.1")).unwrap();
        assert!(sources.enter(address("11.0.0.1")).is_none());
    }
}
