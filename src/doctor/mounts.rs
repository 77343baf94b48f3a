//! Which file system a directory is on, and how that is mounted (pure).

use std::path::Path;

/// One line of `/proc/self/mountinfo`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// Where it is mounted.
    pub point: String,
    /// `xfs`, `ext4` ...
    pub kind: String,
    /// The options of the mount and of the file system.
    pub options: Vec<String>,
    /// Major and minor number of the device, `259:1`.
    pub device: String,
}

impl Mount {
    /// Whether an option is set.
    pub fn has(&self, option: &str) -> bool {
        self.options.iter().any(|one| one == option)
    }
}

/// The mount that holds `path`, which begins at the root: of those above it the lowest, and of those on one point the last.
pub fn of(mountinfo: &str, path: &Path) -> Option<Mount> {
    let above = mountinfo.lines().filter_map(parse).filter(|mount| path.starts_with(&mount.point));
    above.max_by_key(|mount| mount.point.len())
}

fn parse(line: &str) -> Option<Mount> {
    let (mount, file_system) = line.split_once(" - ")?;
    let mut words = mount.split(' ');
    let device = words.nth(2)?;
    let point = words.nth(1)?;
    let options = words.next()?;
    let mut words = file_system.split(' ');
    let kind = words.next()?;
    let more = words.nth(1).unwrap_or_default();
    Some(Mount {
        point: unescape(point),
        kind: kind.to_owned(),
        options: options.split(',').chain(more.split(',')).filter(|one| !one.is_empty()).map(str::to_owned).collect(),
        device: device.to_owned(),
    })
}

/// Blanks and backslashes are written as octal numbers.
fn unescape(text: &str) -> String {
    text.replace("\\040", " ").replace("\\011", "\t").replace("\\012", "\n").replace("\\134", "\\")
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTINFO: &str = "\
22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/root rw,discard
30 22 259:1 / /data/disk\\0401 rw,noatime shared:2 master:7 - xfs /dev/nvme0n1 rw,attr2,inode64
31 22 0:30 / /data rw - tmpfs tmpfs rw
not a line";

    #[test]
    fn the_lowest_mount_above_a_path_is_its_own() {
        let of = |path: &str| of(MOUNTINFO, Path::new(path)).unwrap();
        let xfs = of("/data/disk 1/logs");
        assert_eq!((xfs.kind.as_str(), xfs.device.as_str()), ("xfs", "259:1"));
        assert!(xfs.has("noatime") && xfs.has("inode64") && !xfs.has("relatime"));
        assert_eq!(of("/data/disk").kind, "tmpfs");
        assert_eq!(of("/database").kind, "ext4");
    }
}
