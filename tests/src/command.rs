//! The real command, built by whatever profile these tests are built by, and folders for what it keeps.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

/// The command.
///
/// # Panics
/// Where it cannot be built.
pub fn postledger() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| crate::lambda::built().join("postledger"))
}

/// The command with nothing of a developer's environment but where programs and the home are: no access to AWS, no
/// endpoint, no stack.
pub fn command() -> Command {
    let mut command = Command::new(postledger());
    let kept = ["PATH", "HOME"].map(|name| (name, platform::env::text(name).unwrap_or_default()));
    command.env_clear().envs(kept);
    command
}

/// Runs a command to its end, with an input.
///
/// # Panics
/// Where it does not start.
pub fn run(command: &mut Command, input: &[u8]) -> Output {
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = piped.spawn().expect("a process");
    let mut stdin = child.stdin.take().expect("its input");
    let input = input.to_vec();
    let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().expect("its output");
    writer.join().expect("a thread");
    output
}

/// What was printed.
///
/// # Panics
/// Where it is not UTF-8.
pub fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

/// A folder that is gone when the test is.
pub struct Folder(PathBuf);

impl Folder {
    /// A folder of a name that no other test has.
    ///
    /// # Panics
    /// Where it cannot be made.
    pub fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("postledger-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a folder");
        Folder(path)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
