//! Lets a thread's disk accesses give way to everybody else's.

use nix::libc;
use std::marker::PhantomData;

/// The calling thread is in the idle I/O class (ioprio_set(2)) until this is dropped.
///
/// A hint: schedulers that know no classes do nothing with it.
#[derive(Debug)]
pub struct IdleIo {
    before: Option<i64>,
    /// It belongs to the thread that made it.
    _thread: PhantomData<*const ()>,
}

const WHO_PROCESS: libc::c_int = 1;
const CLASS_IDLE: i64 = 3 << 13;

// === impl IdleIo ===

impl IdleIo {
    /// Enters the class, if `wanted`; the thread keeps its own otherwise, or when the system refuses.
    pub fn enter(wanted: bool) -> Self {
        let before = wanted.then(get).filter(|it| *it >= 0 && set(CLASS_IDLE));
        Self { before, _thread: PhantomData }
    }
}

impl Drop for IdleIo {
    fn drop(&mut self) {
        if let Some(before) = self.before {
            set(before);
        }
    }
}

#[expect(unsafe_code, reason = "no safe wrapper; the call takes and gives numbers only")]
fn get() -> i64 {
    // SAFETY: numbers only; 0 is the calling thread.
    unsafe { libc::syscall(libc::SYS_ioprio_get, WHO_PROCESS, 0) }
}

#[expect(unsafe_code, reason = "no safe wrapper; the call takes and gives numbers only")]
fn set(class: i64) -> bool {
    // SAFETY: numbers only; 0 is the calling thread.
    unsafe { libc::syscall(libc::SYS_ioprio_set, WHO_PROCESS, 0, class) == 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_thread_is_idle_only_meanwhile() {
        let before = get();
        {
            let _idle = IdleIo::enter(true);
            assert_eq!(get() >> 13, 3, "the idle class");
        }
        assert_eq!(get(), before);
        let _same = IdleIo::enter(false);
        assert_eq!(get(), before);
    }
}
