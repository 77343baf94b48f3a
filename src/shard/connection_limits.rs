//! How many connections there may be: `max.connections` and `max.connections.per.ip`, over all cores.

use crate::config::{Settings, connections_per_ip_overrides};
use crate::ring::net;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

/// How many there may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bounds {
    max: usize,
    max_per_ip: usize,
    overrides: HashMap<IpAddr, usize>,
}

impl Bounds {
    /// Takes them out of the settings. Host names are looked up: blocking.
    pub fn of(settings: &Settings) -> Self {
        // What cannot be read was refused before it was set.
        let overrides =
            connections_per_ip_overrides(settings).unwrap_or_default().into_iter().filter_map(|(host, n)| {
                let address = net::resolve(&host, 0).ok()?.ip();
                Some((address, n.unsigned_abs() as usize))
            });
        Self {
            max: settings.number("max.connections"),
            max_per_ip: settings.number("max.connections.per.ip"),
            overrides: overrides.collect(),
        }
    }
}

/// The broker's connections by address. Taken at accept and at close only, never per request.
pub struct ConnectionLimits {
    open: Mutex<Open>,
}

struct Open {
    bounds: Bounds,
    total: usize,
    by_ip: HashMap<IpAddr, usize>,
}

/// A place among the connections; given back when dropped.
pub struct Permit {
    limits: Arc<ConnectionLimits>,
    ip: IpAddr,
}

impl ConnectionLimits {
    /// No connection yet.
    pub fn new(bounds: Bounds) -> Arc<Self> {
        Arc::new(Self { open: Mutex::new(Open { bounds, total: 0, by_ip: HashMap::new() }) })
    }

    /// Other bounds for connections to come.
    pub fn set(&self, bounds: Bounds) {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).bounds = bounds;
    }

    /// A place for a connection from `ip`, or `None` where a limit is reached.
    pub fn admit(self: &Arc<Self>, ip: IpAddr) -> Option<Permit> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let per_ip = open.bounds.overrides.get(&ip).copied().unwrap_or(open.bounds.max_per_ip);
        if open.total >= open.bounds.max || open.by_ip.get(&ip).copied().unwrap_or(0) >= per_ip {
            return None;
        }
        open.total += 1;
        *open.by_ip.entry(ip).or_default() += 1;
        Some(Permit { limits: self.clone(), ip })
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut open = self.limits.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.total = open.total.saturating_sub(1);
        if let Some(n) = open.by_ip.get_mut(&self.ip) {
            *n -= 1;
            if *n == 0 {
                open.by_ip.remove(&self.ip);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    #[test]
    fn places_are_limited_in_all_and_by_address_and_come_back() {
        let [a, b, c] = [1, 2, 3].map(|n| IpAddr::V4(Ipv4Addr::new(10, 0, 0, n)));
        let limits = ConnectionLimits::new(Bounds { max: 3, max_per_ip: 2, overrides: HashMap::from([(c, 0)]) });
        let first = limits.admit(a);
        let _second = limits.admit(a);
        assert!(first.is_some() && limits.admit(a).is_none());
        assert!(limits.admit(c).is_none());
        let _third = limits.admit(b);
        assert!(limits.admit(b).is_none(), "the broker is full");
        drop(first);
        assert!(limits.admit(b).is_some());
    }

    #[test]
    fn bounds_change_for_connections_to_come() {
        let bounds =
            |pairs: &[(&str, &str)]| Bounds::of(&crate::config::Config::from_overrides(pairs).unwrap().settings);
        let ip = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let limits = ConnectionLimits::new(bounds(&[("max.connections", "1")]));
        let first = limits.admit(ip);
        assert!(first.is_some() && limits.admit(ip).is_none());
        limits.set(bounds(&[("max.connections.per.ip", "9"), ("max.connections.per.ip.overrides", "127.0.0.1:2")]));
        let second = limits.admit(ip);
        assert!(second.is_some() && limits.admit(ip).is_none());
        limits.set(bounds(&[("max.connections", "1")]));
        drop(second);
        assert!(limits.admit(ip).is_none(), "the first is still there");
        drop(first);
        assert!(limits.admit(ip).is_some());
    }
}
