//! Giving way to everything else on the machine.

use nix::libc;

/// Makes the calling thread, and what it starts, give way to all others: nice 19, and the idle class of the disk's
/// scheduler. A hint: its failure is of no matter.
#[expect(unsafe_code, reason = "neither call has a safe wrapper; both take numbers only")]
pub fn give_way() {
    const WHO_PROCESS: libc::c_int = 1;
    const CLASS_IDLE: libc::c_int = 3 << 13;
    // SAFETY: no memory is passed; 0 is the calling thread for both.
    unsafe {
        libc::setpriority(libc::PRIO_PROCESS, 0, 19);
        libc::syscall(libc::SYS_ioprio_set, WHO_PROCESS, 0, CLASS_IDLE);
    }
}
