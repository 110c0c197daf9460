//! The `pisink` binary: everything it does is in the library.

fn main() -> std::process::ExitCode {
    pisink::cli::main()
}
