//! Where a long answer goes: standard output, or a file that is there only when it is whole.

use crate::Failure;
use crate::terminal::visible_lines;
use platform::private;
use std::fs::{self, File};
use std::io::{BufWriter, ErrorKind, IsTerminal as _, Stdout, Write, stdout};
use std::path::{Path, PathBuf};

/// Where it goes.
pub(crate) struct Output {
    to: To,
    /// Whoever read it has gone away.
    gone: bool,
}

enum To {
    Reader { out: BufWriter<Stdout>, terminal: bool },
    File { file: BufWriter<File>, new: PathBuf, path: PathBuf },
}

impl Output {
    /// To whoever reads standard output. A terminal is shown what it would obey; a file or a pipe has it as it is.
    pub(crate) fn stdout() -> Output {
        let terminal = stdout().is_terminal();
        Output { to: To::Reader { out: BufWriter::new(stdout()), terminal }, gone: false }
    }

    /// To a file that its owner alone may read.
    pub(crate) fn file(path: &Path) -> Result<Output, Failure> {
        let failed = |error: std::io::Error| Failure::new(format!("{}: {error}", path.display()));
        let (file, new) = private::create_beside(path).map_err(failed)?;
        Ok(Output { to: To::File { file: BufWriter::new(file), new, path: path.to_owned() }, gone: false })
    }

    /// Writes; to a reader who has gone away, nothing.
    pub(crate) fn write(&mut self, text: impl AsRef<[u8]>) -> Result<(), Failure> {
        if self.gone {
            return Ok(());
        }
        let written = match &mut self.to {
            To::Reader { out, terminal: true } => {
                // Rows of CSV end as its own rules have it.
                let text = String::from_utf8_lossy(text.as_ref()).replace("\r\n", "\n");
                out.write_all(visible_lines(&text).as_bytes())
            }
            To::Reader { out, terminal: false } => out.write_all(text.as_ref()),
            To::File { file, .. } => file.write_all(text.as_ref()),
        };
        self.taken(written)
    }

    /// Writes JSON, which says the same when what a terminal would obey is escaped in it.
    pub(crate) fn json(&mut self, text: &str) -> Result<(), Failure> {
        self.write(visible_lines(text).as_bytes())
    }

    fn taken(&mut self, written: std::io::Result<()>) -> Result<(), Failure> {
        match written {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => self.gone = true,
            Err(error) => return Err(Failure::new(format!("the answer cannot be written: {error}"))),
            Ok(()) => {}
        }
        Ok(())
    }

    /// Hands on what was written so far. Whether somebody still reads.
    pub(crate) fn flush(&mut self) -> Result<bool, Failure> {
        if !self.gone {
            let written = match &mut self.to {
                To::Reader { out, .. } => out.flush(),
                To::File { file, .. } => file.flush(),
            };
            self.taken(written)?;
        }
        Ok(!self.gone)
    }

    /// It is whole.
    pub(crate) fn end(mut self) -> Result<(), Failure> {
        self.flush()?;
        if let To::File { file, new, path } = &self.to {
            let ended = private::put(file.get_ref(), new, path);
            ended.map_err(|error| Failure::new(format!("{}: {error}", path.display())))?;
        }
        Ok(())
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        // Half a list is none. One that is whole has another name by now.
        if let To::File { new, .. } = &self.to {
            let _ = fs::remove_file(new);
        }
    }
}
