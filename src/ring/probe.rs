//! Whether this machine lets corelog run: one clear sentence with cause and remedy when not.

use super::process::{KernelVersion, kernel_version, limits};
use io_uring::{IoUring, Probe, opcode};
use std::io;

const KERNEL_MIN: KernelVersion = KernelVersion { major: 6, minor: 1 };
/// Less than this many descriptors do not hold the logs of a small broker and its clients.
const OPEN_FILES_MIN: u64 = 1024;
/// glommio registers 64 KiB a core and refuses to start below this.
const LOCKED_MEMORY_BYTES_MIN: u64 = 512 << 10;

/// The operations the ring uses, with their names for the sentence.
const OPERATIONS: [(u8, &str); 12] = [
    (opcode::AcceptMulti::CODE, "accept"),
    (opcode::RecvMulti::CODE, "recv"),
    (opcode::Send::CODE, "send"),
    (opcode::SendMsg::CODE, "sendmsg"),
    (opcode::Read::CODE, "read"),
    (opcode::Writev::CODE, "writev"),
    (opcode::Fsync::CODE, "fsync"),
    (opcode::Splice::CODE, "splice"),
    (opcode::PollAdd::CODE, "poll"),
    (opcode::Timeout::CODE, "timeout"),
    (opcode::AsyncCancel::CODE, "cancel"),
    (opcode::Connect::CODE, "connect"),
];

/// What was found out; judged by [`judge`], so that each case can be tried without the machine for it.
struct Facts {
    kernel: Option<KernelVersion>,
    /// `/proc/sys/kernel/io_uring_disabled`, where there is one (Linux 6.6).
    io_uring_disabled: Option<u8>,
    /// Setting up a ring as the cores do.
    ring: io::Result<()>,
    missing_operation: Option<&'static str>,
    open_files: u64,
    locked_memory_bytes: u64,
}

/// Checks kernel, io_uring and limits; raises the limit on open files as far as allowed first.
///
/// # Errors
/// One sentence that names the cause and the remedy.
pub fn check() -> Result<(), String> {
    // Failing to raise it shows as a limit too low below.
    let open_files = limits::raise_open_files().or_else(|_| limits::open_files()).unwrap_or(0);
    let (ring, missing_operation) = match try_ring() {
        Ok(missing) => (Ok(()), missing),
        Err(error) => (Err(error), None),
    };
    let disabled = std::fs::read_to_string("/proc/sys/kernel/io_uring_disabled").ok();
    judge(&Facts {
        kernel: kernel_version(),
        io_uring_disabled: disabled.and_then(|text| text.trim().parse().ok()),
        ring,
        missing_operation,
        open_files,
        locked_memory_bytes: limits::locked_memory_bytes().unwrap_or(u64::MAX),
    })
}

/// The io_uring operations corelog uses, and whether they are there.
///
/// # Errors
/// When no ring can be set up.
pub fn operations() -> io::Result<Vec<(&'static str, bool)>> {
    let ring: IoUring = IoUring::builder()
        .setup_single_issuer()
        .setup_defer_taskrun()
        .setup_coop_taskrun()
        .setup_taskrun_flag()
        .build(8)?;
    let mut probe = Probe::new();
    ring.submitter().register_probe(&mut probe)?;
    Ok(OPERATIONS.iter().map(|(code, name)| (*name, probe.is_supported(*code))).collect())
}

/// Sets up a ring and asks for its operations. The first that is missing.
fn try_ring() -> io::Result<Option<&'static str>> {
    Ok(operations()?.into_iter().find(|(_, there)| !there).map(|(name, _)| name))
}

fn judge(facts: &Facts) -> Result<(), String> {
    if let Some(kernel) = facts.kernel
        && kernel < KERNEL_MIN
    {
        return Err(format!(
            "Linux {kernel} is too old: corelog needs Linux {KERNEL_MIN} or newer; boot a newer kernel"
        ));
    }
    if let Err(error) = &facts.ring {
        return Err(explain_ring(error, facts.io_uring_disabled));
    }
    if let Some(operation) = facts.missing_operation {
        return Err(format!(
            "io_uring here lacks the operation \"{operation}\": a newer or fuller kernel (Linux {KERNEL_MIN} or newer) is needed"
        ));
    }
    if facts.open_files < OPEN_FILES_MIN {
        return Err(format!(
            "the limit on open files is {}, corelog needs at least {OPEN_FILES_MIN}: raise it (`ulimit -Hn`, LimitNOFILE= in systemd, /etc/security/limits.d)",
            facts.open_files
        ));
    }
    if facts.locked_memory_bytes < LOCKED_MEMORY_BYTES_MIN {
        return Err(format!(
            "the limit on locked memory is {} KiB, corelog needs at least {} KiB: raise it (`ulimit -l`, LimitMEMLOCK= in systemd, /etc/security/limits.d)",
            facts.locked_memory_bytes >> 10,
            LOCKED_MEMORY_BYTES_MIN >> 10
        ));
    }
    Ok(())
}

fn explain_ring(error: &io::Error, disabled: Option<u8>) -> String {
    match (error.raw_os_error(), disabled) {
        (Some(libc::EPERM), Some(level @ 1..)) => format!(
            "io_uring is disabled on this machine (kernel.io_uring_disabled={level}): set it to 0 with `sysctl -w kernel.io_uring_disabled=0`"
        ),
        (Some(libc::EPERM | libc::EACCES), _) => {
            "io_uring is forbidden here, most likely by a seccomp filter (containers have one): allow io_uring_setup, io_uring_enter and io_uring_register (with Docker: --security-opt seccomp=<profile>)".into()
        }
        (Some(libc::ENOSYS), _) => {
            "this kernel has no io_uring, or a seccomp filter hides it: use a kernel built with CONFIG_IO_URING=y, or allow io_uring_setup, io_uring_enter and io_uring_register".into()
        }
        (Some(libc::EINVAL), _) => format!(
            "io_uring here does not know the ring flags corelog uses (SINGLE_ISSUER, DEFER_TASKRUN): Linux {KERNEL_MIN} or newer is needed"
        ),
        (Some(libc::ENOMEM), _) => {
            "no memory for an io_uring ring: free memory, or raise the limit on locked memory (`ulimit -l`, LimitMEMLOCK= in systemd)".into()
        }
        (Some(libc::EMFILE | libc::ENFILE), _) => {
            "no file descriptor left for an io_uring ring: raise the limit on open files (`ulimit -n`, LimitNOFILE= in systemd)".into()
        }
        _ => format!("an io_uring ring cannot be set up: {error}; corelog needs Linux {KERNEL_MIN} or newer with io_uring allowed"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> Facts {
        Facts {
            kernel: Some(KERNEL_MIN),
            io_uring_disabled: Some(0),
            ring: Ok(()),
            missing_operation: None,
            open_files: OPEN_FILES_MIN,
            locked_memory_bytes: LOCKED_MEMORY_BYTES_MIN,
        }
    }

    fn sentence(facts: &Facts) -> String {
        judge(facts).unwrap_err()
    }

    #[test]
    fn this_machine_will_do() {
        assert_eq!(check(), Ok(()));
        assert_eq!(judge(&good()), Ok(()));
    }

    #[test]
    fn each_cause_is_named_with_its_remedy() {
        let ring = |code, io_uring_disabled| Facts {
            ring: Err(io::Error::from_raw_os_error(code)),
            io_uring_disabled,
            ..good()
        };
        let cases = [
            (Facts { kernel: Some(KernelVersion { major: 5, minor: 15 }), ..good() }, "Linux 5.15", "newer kernel"),
            (ring(libc::EPERM, Some(2)), "kernel.io_uring_disabled=2", "sysctl"),
            (ring(libc::EPERM, Some(0)), "forbidden", "seccomp"),
            (ring(libc::ENOSYS, None), "no io_uring", "CONFIG_IO_URING"),
            (ring(libc::EINVAL, None), "DEFER_TASKRUN", "6.1"),
            (ring(libc::ENOMEM, None), "memory", "ulimit -l"),
            (ring(libc::EMFILE, None), "descriptor", "ulimit -n"),
            (Facts { missing_operation: Some("recv"), ..good() }, "\"recv\"", "newer"),
            (Facts { open_files: 256, ..good() }, "open files is 256", "LimitNOFILE"),
            (Facts { locked_memory_bytes: 64 << 10, ..good() }, "locked memory is 64 KiB", "LimitMEMLOCK"),
        ];
        for (facts, cause, remedy) in cases {
            let sentence = sentence(&facts);
            assert!(sentence.contains(cause) && sentence.contains(remedy), "{sentence}");
            assert!(!sentence.contains('\n'));
        }
    }

    #[test]
    fn a_seccomp_filter_is_recognised_as_such() {
        // The filter holds for the thread that sets it: one of its own.
        let result = std::thread::spawn(|| {
            forbid_io_uring_setup();
            check()
        });
        let sentence = result.join().unwrap().unwrap_err();
        assert!(sentence.contains("seccomp"), "{sentence}");
    }

    fn forbid_io_uring_setup() {
        const LOAD_SYSCALL_NUMBER: u16 = 0x20;
        const JUMP_IF_EQUAL: u16 = 0x15;
        const RETURN: u16 = 0x06;
        let step = |code, jt, jf, k| libc::sock_filter { code, jt, jf, k };
        let mut filter = [
            step(LOAD_SYSCALL_NUMBER, 0, 0, 0),
            step(JUMP_IF_EQUAL, 0, 1, libc::SYS_io_uring_setup as u32),
            step(RETURN, 0, 0, libc::SECCOMP_RET_ERRNO | libc::EPERM as u32),
            step(RETURN, 0, 0, libc::SECCOMP_RET_ALLOW),
        ];
        let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_mut_ptr() };
        // SAFETY: the program points to the filter above, which outlives the calls; they concern this thread only.
        unsafe {
            assert_eq!(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
            assert_eq!(libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program), 0);
        }
    }
}
