//! What the kernel tells of a process, and how it is given less: CPU time, memory, and a share of the CPU such as
//! Lambda gives a function.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// How long all threads of a process have run, in nanoseconds.
///
/// # Panics
/// Where the kernel does not tell.
pub fn cpu_ns(pid: u32) -> u64 {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).expect("a Linux kernel");
    threads.filter_map(|thread| on_cpu(&thread.ok()?.path())).sum()
}

/// How long this thread has run, in nanoseconds.
///
/// # Panics
/// Where the kernel does not tell.
pub fn own_cpu_ns() -> u64 {
    on_cpu(Path::new("/proc/thread-self")).expect("a Linux kernel")
}

fn on_cpu(thread: &Path) -> Option<u64> {
    let told = fs::read_to_string(thread.join("schedstat")).ok()?;
    told.split_whitespace().next()?.parse().ok()
}

/// The most memory that a process has had resident, in kilobytes.
///
/// # Panics
/// Where the kernel does not tell.
pub fn resident_kb(pid: u32) -> u64 {
    let told = fs::read_to_string(format!("/proc/{pid}/status")).expect("a Linux kernel");
    let line = told.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a Linux kernel");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

/// The middle one of some numbers; of an even count the upper.
///
/// # Panics
/// Where there is none.
pub fn median(numbers: &[f64]) -> f64 {
    let mut sorted = numbers.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

/// The share of one CPU that Lambda gives to a function's memory, in megabytes: 1,769 have one whole.
pub const fn share_of(memory_mb: u32) -> f64 {
    memory_mb as f64 / 1_769.0
}

/// The period in which CPU is dealt out. An assumption: Lambda does not publish its own.
const PERIOD_US: u32 = 20_000;

/// A control group whose processes have a share of one CPU.
pub struct Share {
    folder: PathBuf,
}

impl Share {
    /// One with a share, such as 0.145 for 256 MB. It goes before whatever else the machine does.
    ///
    /// # Errors
    /// Where the controller `cpu` of neither version of control groups can be written to.
    pub fn new(share: f64) -> io::Result<Share> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let quota = (f64::from(PERIOD_US) * share).round();
        let name = format!("postledger-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let first = Path::new("/sys/fs/cgroup/cpu");
        let folder = if first.exists() { first } else { Path::new("/sys/fs/cgroup") }.join(name);
        fs::create_dir(&folder)?;
        let share = Share { folder };
        if first.exists() {
            fs::write(share.folder.join("cpu.cfs_period_us"), PERIOD_US.to_string())?;
            fs::write(share.folder.join("cpu.cfs_quota_us"), quota.to_string())?;
            fs::write(share.folder.join("cpu.shares"), "262144")?;
        } else {
            fs::write(share.folder.join("cpu.max"), format!("{quota} {PERIOD_US}"))?;
            fs::write(share.folder.join("cpu.weight"), "10000")?;
        }
        Ok(share)
    }

    /// Holds a process to it, from here on.
    ///
    /// # Errors
    /// Where the process is gone.
    pub fn hold(&self, pid: u32) -> io::Result<()> {
        fs::write(self.folder.join("cgroup.procs"), pid.to_string())
    }
}

/// Its processes have ended by then.
impl Drop for Share {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.folder);
    }
}
