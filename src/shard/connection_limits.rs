//! How many connections there may be: `max.connections` and `max.connections.per.ip`, over all cores.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

/// The broker's connections by address. Taken at accept and at close only, never per request.
pub struct ConnectionLimits {
    max: usize,
    max_per_ip: usize,
    overrides: HashMap<IpAddr, usize>,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    total: usize,
    by_ip: HashMap<IpAddr, usize>,
}

/// A place among the connections; given back when dropped.
pub struct Permit {
    limits: Arc<ConnectionLimits>,
    ip: IpAddr,
}

impl ConnectionLimits {
    /// At most `max` connections, `max_per_ip` from one address unless `overrides` names another
    /// number for it.
    pub fn new(max: usize, max_per_ip: usize, overrides: HashMap<IpAddr, usize>) -> Arc<Self> {
        Arc::new(Self { max, max_per_ip, overrides, open: Mutex::default() })
    }

    /// A place for a connection from `ip`, or `None` where a limit is reached.
    pub fn admit(self: &Arc<Self>, ip: IpAddr) -> Option<Permit> {
        let per_ip = self.overrides.get(&ip).copied().unwrap_or(self.max_per_ip);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.total >= self.max || open.by_ip.get(&ip).copied().unwrap_or(0) >= per_ip {
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
        let limits = ConnectionLimits::new(3, 2, HashMap::from([(c, 0)]));
        let first = limits.admit(a);
        let _second = limits.admit(a);
        assert!(first.is_some() && limits.admit(a).is_none());
        assert!(limits.admit(c).is_none());
        let _third = limits.admit(b);
        assert!(limits.admit(b).is_none(), "the broker is full");
        drop(first);
        assert!(limits.admit(b).is_some());
    }
}
