//! Which kernel this is.

/// Major and minor number, as `uname -r` begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct KernelVersion {
    /// 6 in 6.1.
    pub major: u32,
    /// 1 in 6.1.
    pub minor: u32,
}

impl std::fmt::Display for KernelVersion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

impl KernelVersion {
    /// The numbers at the beginning of a release such as `6.1.0-13-amd64`.
    pub fn parse(release: &str) -> Option<Self> {
        let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(str::parse);
        Some(Self { major: numbers.next()?.ok()?, minor: numbers.next()?.ok()? })
    }
}

/// The running kernel's version; `None` when it does not tell one.
pub fn kernel_version() -> Option<KernelVersion> {
    let name = nix::sys::utsname::uname().ok()?;
    KernelVersion::parse(name.release().to_str()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_of_all_kinds_are_read_and_compared_by_number() {
        let version = |major, minor| Some(KernelVersion { major, minor });
        assert_eq!(KernelVersion::parse("6.1.0-13-amd64"), version(6, 1));
        assert_eq!(KernelVersion::parse("6.18.44-fc-v595"), version(6, 18));
        assert_eq!(KernelVersion::parse("5.14"), version(5, 14));
        assert_eq!(KernelVersion::parse("strange"), None);
        assert!(version(6, 9) < version(6, 14));
        assert!(kernel_version().is_some());
    }
}
