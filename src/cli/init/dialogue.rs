//! Questions to whoever sits at the terminal, one line each. Knows nothing of what is asked.

use std::io::{BufRead, Read, Write};

use anyhow::Result;

use crate::cli::Usage;

/// How often a question is put before an answer has to make sense.
const TRIES_MAX: usize = 5;

/// The longest answer, in bytes: what a terminal's line can hold.
const ANSWER_MAX_BYTES: u64 = 4_096;

/// A question, and what to type instead of an answer.
pub(super) struct Question<'a> {
    /// One line that says what depends on the answer.
    pub(super) text: &'a str,
    /// What an empty line means.
    pub(super) default: &'a str,
    /// The flag that gives the answer beforehand.
    pub(super) flag: &'a str,
}

/// Where questions go and answers come from.
pub(super) struct Dialogue<'a> {
    input: &'a mut dyn BufRead,
    output: &'a mut dyn Write,
}

impl<'a> Dialogue<'a> {
    /// Asks at `output`, hears from `input`.
    pub(super) fn new(input: &'a mut dyn BufRead, output: &'a mut dyn Write) -> Self {
        Self { input, output }
    }

    /// Asks until `understand` has no objection.
    ///
    /// # Errors
    /// The input ends, or no answer of so many makes sense: the flag is named then.
    pub(super) fn ask<T>(
        &mut self,
        question: &Question<'_>,
        understand: impl Fn(&str) -> Result<T, String>,
    ) -> Result<T> {
        let Question { text, default, flag } = question;
        writeln!(self.output, "\n{text}")?;
        for _ in 0..TRIES_MAX {
            write!(self.output, "[{default}] > ")?;
            self.output.flush()?;
            let Some(answer) = self.line()? else {
                writeln!(self.output)?;
                return Err(Usage(format!(
                    "the input ended, and nothing was written: give {flag}, or --yes to be asked nothing"
                ))
                .into());
            };
            match understand(if answer.is_empty() { default } else { &answer }) {
                Ok(understood) => return Ok(understood),
                Err(why) => writeln!(self.output, "  {why}")?,
            }
        }
        Err(Usage(format!("{TRIES_MAX} answers made no sense, and nothing was written: give {flag}")).into())
    }

    /// The next line without its end, or nothing where the input ends.
    fn line(&mut self) -> Result<Option<String>> {
        let mut bytes = Vec::new();
        (&mut *self.input).take(ANSWER_MAX_BYTES).read_until(b'\n', &mut bytes)?;
        if bytes.is_empty() {
            return Ok(None);
        }
        Ok(Some(String::from_utf8_lossy(&bytes).trim().to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUESTION: Question<'_> =
        Question { text: "How many? More is slower.", default: "3", flag: "--count N" };

    fn hear(input: &[u8]) -> (Result<u8>, String) {
        let (mut input, mut output) = (input, Vec::new());
        let answer = Dialogue::new(&mut input, &mut output).ask(&QUESTION, |text| {
            text.parse::<u8>().map_err(|_| format!("{text:?} is no number up to 255"))
        });
        (answer, String::from_utf8(output).unwrap())
    }

    #[test]
    fn an_answer_counts_and_an_empty_line_is_the_default() {
        assert_eq!(hear(b"7\n").0.unwrap(), 7);
        assert_eq!(hear(b" 7 \r\n").0.unwrap(), 7);
        assert_eq!(hear(b"\n").0.unwrap(), 3);
        assert_eq!(hear(b"7").0.unwrap(), 7, "the last line needs no end");
        assert_eq!(hear(b"\n").1, "\nHow many? More is slower.\n[3] > ");
    }

    #[test]
    fn a_bad_answer_is_asked_again_but_not_for_ever() {
        let (answer, said) = hear(b"many\n\xff\xfe\n9\n");
        assert_eq!(answer.unwrap(), 9);
        assert_eq!((said.matches("[3] > ").count(), said.matches("How many").count()), (3, 1));
        assert!(said.contains("\"many\" is no number"), "{said}");

        let (answer, said) = hear("many\n".repeat(99).as_bytes());
        let error = answer.unwrap_err();
        assert!(error.to_string().contains("--count N") && error.is::<Usage>(), "{error}");
        assert_eq!(said.matches("[3] > ").count(), TRIES_MAX);
    }

    #[test]
    fn an_input_that_ends_or_never_ends_a_line_is_no_trap() {
        let error = hear(b"").0.unwrap_err();
        assert!(error.to_string().contains("--count N") && error.is::<Usage>(), "{error}");
        let (answer, _) = hear(&[b'x'; 100_000]);
        assert!(answer.unwrap_err().to_string().contains("--count N"));
    }
}
