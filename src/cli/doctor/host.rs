//! The machine that is looked at: its files below a root, the user who looks, and the tools that are asked. Tests give
//! it a made-up root and made-up tools.
//!
//! It reads only. What is not there, may not be read or takes too long is `None`: what that means is for the check to
//! say.

use std::fs::{self, File, Metadata};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::limit::within;

/// No file is read further than this, in bytes: `/proc/net/tcp` of a sink with 10,000 links has 1.5 MB.
const FILE_MAX_BYTES: u64 = 4 << 20;
/// Of a folder so many names are looked at; `/proc` of a busy machine has some thousands.
const NAMES_MAX: usize = 65_536;
/// So long a tool may take to answer. `systemctl` and `timedatectl` ask other programs in their turn.
const TOOL_LIMIT: Duration = Duration::from_secs(5);
/// Where tools are that a plain user's PATH does not have.
const MORE_PATH: &str = "/usr/sbin:/sbin:/usr/bin:/bin";

/// Runs a tool (its name, then its arguments) and gives what it wrote, if it ended well.
pub(super) type Tools = Box<dyn Fn(&[&str]) -> Option<String> + Send + Sync>;

/// Who looks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct User {
    /// The effective user.
    pub(super) uid: u32,
    /// All groups of this process.
    pub(super) gids: Vec<u32>,
}

impl User {
    /// Whether this user may read and write what this is of. ACLs are not looked at.
    pub(super) fn may_use(&self, of: &Metadata) -> bool {
        const READ_WRITE: u32 = 0o6;
        let shift = match () {
            () if self.uid == 0 => return true,
            () if self.uid == of.uid() => 6,
            () if self.gids.contains(&of.gid()) => 3,
            () => 0,
        };
        of.mode() >> shift & READ_WRITE == READ_WRITE
    }
}

/// One machine.
pub(super) struct Host {
    root: PathBuf,
    user: User,
    tools: Tools,
}

/// A process, as `/proc` tells of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Process {
    pub(super) pid: u32,
    pub(super) name: String,
}

impl std::fmt::Display for Process {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} (process {})", self.name, self.pid)
    }
}

impl Host {
    /// This machine and this user.
    pub(super) fn this() -> Self {
        let mut gids: Vec<u32> = rustix::process::getgroups()
            .unwrap_or_default()
            .into_iter()
            .map(rustix::process::Gid::as_raw)
            .collect();
        gids.push(rustix::process::getegid().as_raw());
        let user = User { uid: rustix::process::geteuid().as_raw(), gids };
        Self::new("/".into(), user, Box::new(run_tool))
    }

    pub(super) fn new(root: PathBuf, user: User, tools: Tools) -> Self {
        Self { root, user, tools }
    }

    fn path(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    pub(super) fn exists(&self, path: &str) -> bool {
        self.path(path).exists()
    }

    pub(super) fn metadata(&self, path: &str) -> Option<Metadata> {
        fs::metadata(self.path(path)).ok()
    }

    pub(super) fn bytes(&self, path: &str) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        File::open(self.path(path)).ok()?.take(FILE_MAX_BYTES).read_to_end(&mut bytes).ok()?;
        Some(bytes)
    }

    /// A file's text, without the end of its last line.
    pub(super) fn text(&self, path: &str) -> Option<String> {
        let text = String::from_utf8_lossy(&self.bytes(path)?).into_owned();
        Some(text.trim_end().to_owned())
    }

    /// The last part of what a symbolic link points to.
    pub(super) fn link_name(&self, path: &str) -> Option<String> {
        let target = fs::read_link(self.path(path)).ok()?;
        Some(target.file_name()?.to_string_lossy().into_owned())
    }

    /// The names in a folder, in order.
    pub(super) fn names(&self, dir: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path(dir)).into_iter().flatten().take(NAMES_MAX).flatten();
        let mut names: Vec<String> =
            entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    /// One 32-bit cell of a device tree, which is big-endian.
    pub(super) fn cell(&self, path: &str) -> Option<u32> {
        Some(u32::from_be_bytes(self.bytes(path)?.get(..4)?.try_into().ok()?))
    }

    /// What a tool says.
    pub(super) fn tool(&self, words: &[&str]) -> Option<String> {
        (self.tools)(words)
    }

    /// The user who looks.
    pub(super) fn user(&self) -> &User {
        &self.user
    }

    /// Another user of the machine, with all groups.
    pub(super) fn user_named(&self, name: &str) -> Option<User> {
        let passwd = self.text("etc/passwd")?;
        let entry = passwd.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        let mut ids = entry.split(':').skip(1).map(|id| id.parse::<u32>());
        let (uid, gid) = (ids.next()?.ok()?, ids.next()?.ok()?);
        let mut gids = vec![gid];
        for line in self.text("etc/group").unwrap_or_default().lines() {
            let fields: Vec<&str> = line.split(':').collect();
            if let [_, _, gid, members] = fields[..]
                && members.split(',').any(|member| member == name)
            {
                gids.extend(gid.parse::<u32>());
            }
        }
        Some(User { uid, gids })
    }

    /// The entry of `/etc/passwd` or `/etc/group` whose id is `id`, as fields.
    pub(super) fn entry(&self, file: &str, id: u32) -> Option<Vec<String>> {
        let text = self.text(file)?;
        let fields = |line: &str| line.split(':').map(str::to_owned).collect::<Vec<_>>();
        text.lines().map(fields).find(|fields| fields.get(2).is_some_and(|found| *found == id.to_string()))
    }

    /// The user's name, or its number where the machine has no name for it.
    pub(super) fn user_name(&self) -> String {
        let entry = self.entry("etc/passwd", self.user.uid);
        entry.and_then(|fields| fields.into_iter().next()).unwrap_or_else(|| self.user.uid.to_string())
    }

    /// The processes that have opened what `is_it` of a link in `/proc/PID/fd`; those of other users show to root only.
    pub(super) fn holders(&self, is_it: impl Fn(&str) -> bool) -> Vec<Process> {
        let own = std::process::id();
        let pids = self.names("proc").into_iter().filter_map(|name| name.parse::<u32>().ok());
        let holds = |pid: &u32| {
            let fds = format!("proc/{pid}/fd");
            let targets = self.names(&fds).into_iter().filter_map(|fd| {
                Some(fs::read_link(self.path(&format!("{fds}/{fd}"))).ok()?.to_string_lossy().into_owned())
            });
            targets.into_iter().any(|target| is_it(&target))
        };
        pids.filter(|pid| *pid != own).filter(holds).map(|pid| self.process(pid)).collect()
    }

    /// The process with this number; its name is `?` where there is none.
    pub(super) fn process(&self, pid: u32) -> Process {
        let name = self.text(&format!("proc/{pid}/comm")).unwrap_or_else(|| "?".to_owned());
        Process { pid, name }
    }
}

/// Free and whole bytes of the file system that has `path`, or the nearest folder above it that there is.
pub(super) fn disk_bytes(path: &Path) -> Option<(u64, u64)> {
    let state = rustix::fs::statvfs(nearest_there(path)?).ok()?;
    Some((state.f_bavail.saturating_mul(state.f_frsize), state.f_blocks.saturating_mul(state.f_frsize)))
}

/// `path`, or the nearest folder above it that there is, without links.
pub(super) fn nearest_there(path: &Path) -> Option<PathBuf> {
    let path = std::path::absolute(path).ok()?;
    path.ancestors().find_map(|path| path.canonicalize().ok())
}

fn run_tool(words: &[&str]) -> Option<String> {
    let (program, args) = words.split_first()?;
    let path = std::env::var("PATH").unwrap_or_default();
    let mut child = Command::new(program)
        .args(args)
        .env("PATH", format!("{path}:{MORE_PATH}"))
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let stdout = child.stdout.take()?;
    let text = within(TOOL_LIMIT, move || {
        let mut bytes = Vec::new();
        stdout.take(FILE_MAX_BYTES).read_to_end(&mut bytes).ok()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    });
    if text.is_none() {
        // It fails only where the tool has ended by itself.
        let _ = child.kill();
    }
    let status = child.wait().ok()?;
    text.flatten().filter(|_| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::testkit::Machine;

    #[test]
    fn a_tool_is_run_and_a_missing_or_failing_one_says_nothing() {
        assert_eq!(run_tool(&["printf", "a b"]).as_deref(), Some("a b"));
        assert_eq!(run_tool(&["false"]), None);
        assert_eq!(run_tool(&["no-such-tool-of-pisink"]), None);
        assert_eq!(run_tool(&[]), None);
    }

    #[test]
    fn rights_follow_owner_group_and_others() {
        let machine = Machine::new();
        machine.put("dev/i2c-1", "").mode("dev/i2c-1", 0o660);
        let of = machine.host().metadata("dev/i2c-1").unwrap();
        let user = |uid, gids: &[u32]| User { uid, gids: gids.to_vec() }.may_use(&of);
        assert!(user(0, &[]), "root may everything");
        let (uid, gid) = (of.uid(), of.gid());
        assert!(user(uid, &[]) && user(uid + 7, &[gid]) && !user(uid + 7, &[gid + 7]));
        machine.mode("dev/i2c-1", 0o600);
        let of = machine.host().metadata("dev/i2c-1").unwrap();
        assert!(!User { uid: uid + 7, gids: vec![gid] }.may_use(&of));
    }

    #[test]
    fn a_user_of_the_machine_is_known_with_all_groups() {
        let machine = Machine::new();
        machine.put("etc/passwd", "pisinka:x:7:7::/:\npisink:x:998:997::/var/lib/pisink:/usr/sbin/nologin\n");
        machine.put("etc/group", "i2c:x:114:alice,pisink\nspi:x:115:alice,pisinka\nbroken\n");
        assert_eq!(machine.host().user_named("pisink"), Some(User { uid: 998, gids: vec![997, 114] }));
        assert_eq!(machine.host().user_named("nobody"), None);
    }

    #[test]
    fn who_holds_a_file_is_found_by_its_links() {
        let machine = Machine::new();
        machine.put("proc/812/comm", "python3\n").link("proc/812/fd/5", "/dev/i2c-1");
        machine.put("proc/9/comm", "sh\n").link("proc/9/fd/0", "/dev/null").put("proc/uptime", "1 1");
        let found = machine.host().holders(|target| target == "/dev/i2c-1");
        assert_eq!(found, [Process { pid: 812, name: "python3".into() }]);
        assert_eq!(found[0].to_string(), "python3 (process 812)");
    }
}
