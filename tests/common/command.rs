//! Subcommands that end by themselves.

use std::process::{Command, Output, Stdio};

/// What a finished command left.
pub(crate) struct Finished {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs `pisink` with arguments parted by blanks, until it ends.
pub(crate) fn pisink(args: &str) -> Finished {
    let output = command(args).stdin(Stdio::null()).output().unwrap();
    finished(&output)
}

/// The same by another program, as in `nsenter ... pisink status`.
pub(crate) fn pisink_by(before: &[String], args: &str) -> Finished {
    let program = env!("CARGO_BIN_EXE_pisink").to_owned();
    let mut words = before.iter().chain(std::iter::once(&program));
    let mut command = Command::new(words.next().unwrap());
    command.args(words).args(args.split_whitespace()).stdin(Stdio::null());
    finished(&command.output().unwrap())
}

/// `pisink` with arguments parted by blanks and a clean environment, to be run.
pub(crate) fn command(args: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pisink"));
    command.args(args.split_whitespace());
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("PISINK_") || name == "RUST_LOG") {
        command.env_remove(name);
    }
    command
}

/// What a command left that has ended.
pub(crate) fn finished(output: &Output) -> Finished {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_owned()).unwrap();
    Finished { code: output.status.code(), stdout: text(&output.stdout), stderr: text(&output.stderr) }
}
