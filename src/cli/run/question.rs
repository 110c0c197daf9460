//! The one question that `pisink run` asks: whether this node of a ring starts with the token. Only somebody who is
//! there is asked, and not for long: a node never waits for a person.

use std::io::{IsTerminal, Write};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use anyhow::Result;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::{RoleName, RunArgs, Which, role};
use crate::cli::config::FileConfig;

/// Who has not answered by then has nothing against the ring choosing by itself.
const PATIENCE: Duration = Duration::from_secs(15);
/// The longest answer, in bytes: what a terminal's line can hold.
const ANSWER_MAX_BYTES: usize = 4_096;

const QUESTION: &str = "\
Does this node start with the token? One node of the ring may; where none does, the ring elects one.
[no, after 15 s] > ";

/// Asks who makes the token where nothing says it and somebody is there to be asked.
pub(super) fn about_token(args: &mut RunArgs, file: &FileConfig) -> Result<()> {
    let is_open = args.token.is_none() && file.token.is_none();
    if is_open && role::role_name(args, file)? == Some(RoleName::Ring) && somebody_is_there() {
        args.token = ask()?.map(Which::Here);
    }
    Ok(())
}

/// Whether this process has a terminal to itself: in the background, reading from it would stop the process.
fn somebody_is_there() -> bool {
    let (stdin, stderr) = (std::io::stdin(), std::io::stderr());
    let is_foreground =
        || rustix::termios::tcgetpgrp(&stdin).is_ok_and(|group| group == rustix::process::getpgrp());
    stdin.is_terminal() && stderr.is_terminal() && is_foreground()
}

fn ask() -> Result<Option<bool>> {
    let (stdin, mut stderr) = (std::io::stdin(), std::io::stderr());
    let end = Instant::now() + PATIENCE;
    write!(stderr, "{QUESTION}")?;
    loop {
        stderr.flush()?;
        let left = Timespec::try_from(end.saturating_duration_since(Instant::now()))?;
        let mut answer = [PollFd::from_borrowed_fd(stdin.as_fd(), PollFlags::IN)];
        if poll(&mut answer, Some(&left))? == 0 {
            writeln!(stderr)?;
            return Ok(None);
        }
        let mut line = [0; ANSWER_MAX_BYTES];
        let count = rustix::io::read(&stdin, &mut line)?;
        let line = String::from_utf8_lossy(line.get(..count).unwrap_or_default()).trim().to_ascii_lowercase();
        match line.as_str() {
            _ if count == 0 => {
                writeln!(stderr)?;
                return Ok(None);
            }
            "y" | "yes" => return Ok(Some(true)),
            "" | "n" | "no" => return Ok(Some(false)),
            _ => write!(stderr, "  {line:?}: type yes or no\n> ")?,
        }
    }
}
