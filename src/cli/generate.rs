//! `pisink completions` and `pisink man`: shell completions and man pages, made from the very definition of the command
//! line, so that they never say anything else. Packages are built with them; the help does not show them.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::{Args, Command, CommandFactory};
use clap_complete::Shell;
use clap_mangen::Man;
use clap_mangen::roff::{Inline, Roff, bold, roman};

use super::{ABOUT, Cli};

/// What `man -k` and the first line of the page show.
const SUMMARY: &str = "I2C sensors into a durable journal, and all readings of a site together on a sink";

/// Where things are once pisink is installed.
const FILES: &[(&str, &str)] = &[
    (
        "/etc/pisink/pisink.toml",
        "The settings of the service. pisink-init(1) writes one from what is on the bus.",
    ),
    ("/var/lib/pisink", "The store of the service, and its plots."),
    ("pisink.service", "The service: systemctl status pisink, journalctl -u pisink."),
];

#[derive(Debug, Args)]
pub(super) struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

#[derive(Debug, Args)]
pub(super) struct ManArgs {
    /// The folder for the pages: pisink.1, and one for each subcommand
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

/// Writes the completions of a shell to standard output.
pub(super) fn completions(args: &CompletionsArgs) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "pisink", &mut script);
    Ok(std::io::stdout().lock().write_all(&script)?)
}

/// Writes the man pages into a folder.
pub(super) fn man(args: &ManArgs) -> Result<()> {
    let out = &args.out;
    std::fs::create_dir_all(out).with_context(|| format!("making the folder {}", out.display()))?;
    let mut command = Cli::command().about(SUMMARY).long_about(ABOUT).disable_help_subcommand(true);
    command.build();
    write_pages(&command, None, out)
}

/// The page of a command and those of its subcommands.
fn write_pages(command: &Command, above: Option<&str>, out: &Path) -> Result<()> {
    let source = concat!("pisink ", env!("CARGO_PKG_VERSION"));
    let man = Man::new(command.clone()).source(source).manual("pisink");
    let path = out.join(man.get_filename());
    let page = page(command, &man, above).with_context(|| format!("making {}", path.display()))?;
    std::fs::write(&path, page).with_context(|| format!("writing {}", path.display()))?;
    for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
        write_pages(below, Some(name(command)), out)?;
    }
    Ok(())
}

/// The crate's own pages run the lines of examples together, and know nothing of files and of other pages.
fn page(command: &Command, man: &Man, above: Option<&str>) -> Result<Vec<u8>> {
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if command.get_subcommands().any(|below| !below.is_hide_set()) {
        man.render_subcommands_section(&mut page)?;
    }
    let mut more = Roff::new();
    if let Some(examples) = command.get_after_help() {
        more.control("SH", ["EXAMPLES AND NOTES"]).control("nf", []);
        for line in examples.to_string().lines() {
            more.text([roman(line)]);
        }
        more.control("fi", []);
    }
    if above.is_none() {
        more.control("SH", ["FILES"]);
        for (path, meaning) in FILES {
            more.control("TP", []).text([bold(*path)]).text([roman(*meaning)]);
        }
    }
    more.control("SH", ["SEE ALSO"]).text(see_also(command, above));
    more.to_writer(&mut page)?;
    Ok(page)
}

fn see_also(command: &Command, above: Option<&str>) -> Vec<Inline> {
    let below = command.get_subcommands().filter(|below| !below.is_hide_set()).map(name);
    let pages = above.into_iter().chain(below);
    let mut words: Vec<Inline> = pages.flat_map(|page| [bold(page), roman("(1), ")]).collect();
    words.push(roman(env!("CARGO_PKG_REPOSITORY")));
    words
}

/// `pisink-sensors-scan`, once the whole command is built.
fn name(command: &Command) -> &str {
    command.get_display_name().unwrap_or_else(|| command.get_name())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_page_that_keeps_the_lines_of_its_examples() {
        let dir = tempfile::tempdir().unwrap();
        man(&ManArgs { out: dir.path().join("man") }).unwrap();
        let page = |name: &str| std::fs::read_to_string(dir.path().join("man").join(name)).unwrap();
        let top = page("pisink.1");
        assert!(top.contains(".TH pisink 1"), "{top}");
        assert!(top.contains("pisink\\-run(1)") && top.contains("/etc/pisink/pisink.toml"), "{top}");
        assert!(!top.contains("completions"), "hidden in the help, hidden here: {top}");
        let run = page("pisink-run.1");
        assert!(run.contains("\n.nf\n") && run.contains("\n  pisink run \\-\\-role primary"), "{run}");
        assert!(run.contains("\\-\\-flush\\-interval") && run.contains("\\fBpisink\\fR(1)"), "{run}");
        assert!(page("pisink-sensors-scan.1").contains("\\fBpisink\\-sensors\\fR(1)"));
    }

    #[test]
    fn completions_name_the_flags() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "pisink", &mut script);
            assert!(String::from_utf8(script).unwrap().contains("flush-interval"), "{shell}");
        }
    }
}
