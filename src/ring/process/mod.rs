//! The process: cores, limits, signals, randomness, the kernel.

pub mod cores;
pub mod kernel;
pub mod limits;
pub mod signals;

pub use kernel::{KernelVersion, kernel_version};
pub use signals::{Signal, Signals};

/// Fills `bytes` from the kernel's random source.
pub fn random_bytes(bytes: &mut [u8]) {
    let mut filled = 0;
    while filled < bytes.len() {
        let rest = &mut bytes[filled..];
        // SAFETY: the pointer and length are those of `rest`.
        let n = unsafe { libc::getrandom(rest.as_mut_ptr().cast(), rest.len(), 0) };
        // It fails only when interrupted before the source is ready, early in the machine's start.
        filled += n.max(0) as usize;
    }
}

/// The process's id.
pub fn id() -> u32 {
    std::process::id()
}

#[cfg(test)]
mod tests {
    #[test]
    fn random_bytes_differ_from_call_to_call() {
        let (mut a, mut b) = ([0; 32], [0; 32]);
        super::random_bytes(&mut a);
        super::random_bytes(&mut b);
        assert_ne!(a, b);
        assert_ne!(a, [0; 32]);
    }
}
