//! The command line of every binary: wrong settings in one line that names flag and variable, and `--check-health`.

use std::{ffi::OsString, process::ExitCode};

use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::{ConfigError, EXIT_CONFIG, health, telemetry};

const CHECK_HEALTH: &str = "--check-health";
const HELP: &str = "`--check-health` as the only argument asks the running service's ops port \
                    (PORTCULLIS_OPS_LISTEN) whether it is ready: exit status 0 or 1.";

/// Parses the command line; a wrong one exits with [`EXIT_CONFIG`] and names the flag, `--help` with success.
///
/// `--check-health` as the only argument is answered here.
///
/// # Errors
/// The exit status, after the message was printed.
pub fn parse<C: clap::Parser>() -> Result<C, ExitCode> {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    if matches!(arguments.as_slice(), [_, only] if only == CHECK_HEALTH) {
        return Err(exit_code(&health::check()));
    }
    let mut command = C::command().after_help(HELP);
    let matches = command.try_get_matches_from_mut(&arguments);
    matches.and_then(|mut matches| C::from_arg_matches_mut(&mut matches)).map_err(|error| {
        let role = arguments.get(1).and_then(|role| command.find_subcommand(role)).unwrap_or(&command);
        match variable_at_fault(&error, role, |variable| std::env::var_os(variable).is_some()) {
            Some(variable) => last_words(&format!("{variable}: {}", in_one_line(&error))),
            // With stdout or stderr closed the error cannot be reported.
            None => drop(error.print()),
        }
        if error.use_stderr() { EXIT_CONFIG.into() } else { ExitCode::SUCCESS }
    })
}

/// Turns the result of a service into its exit status, printing a failure as one line on stderr.
#[must_use]
pub fn exit_code(result: &anyhow::Result<()>) -> ExitCode {
    // What was logged comes before the last words.
    telemetry::flush();
    let Err(error) = result else { return ExitCode::SUCCESS };
    let line = format!("{error:#}");
    match error.chain().find_map(|cause| cause.downcast_ref::<ConfigError>()) {
        None => {
            last_words(&line);
            ExitCode::FAILURE
        }
        Some(config) => {
            let named = name_variable(&config.field, |variable| std::env::var_os(variable).is_some());
            last_words(&line.replacen(&config.field, &named, 1));
            EXIT_CONFIG.into()
        }
    }
}

#[allow(clippy::print_stderr, reason = "the last words of a process that may have no log yet")]
fn last_words(text: &str) {
    eprintln!("portcullis: {}", text.replace('\n', " "));
}

/// The variable that a value which cannot be used came from. A value from the command line gets clap's own message.
fn variable_at_fault(
    error: &clap::Error,
    role: &clap::Command,
    is_set: impl Fn(&str) -> bool,
) -> Option<String> {
    if !matches!(error.kind(), ErrorKind::InvalidValue | ErrorKind::ValueValidation) {
        return None;
    }
    let Some(ContextValue::String(shown)) = error.get(ContextKind::InvalidArg) else { return None };
    let flag = shown.split_whitespace().next()?.strip_prefix("--")?;
    let argument = role.get_arguments().find(|argument| argument.get_long() == Some(flag))?;
    let variable = argument.get_env()?.to_str()?;
    is_set(variable).then(|| variable.to_owned())
}

/// What clap says before it goes on about usage.
fn in_one_line(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let first = text.split("\n\n").next().unwrap_or_default();
    let words: Vec<&str> = first.split_whitespace().collect();
    words.join(" ").trim_start_matches("error: ").to_owned()
}

/// A flag with its variable, where that is set: those who configure by environment never wrote the flag.
fn name_variable(field: &str, is_set: impl Fn(&str) -> bool) -> String {
    let variable = field.strip_prefix("--").map(|flag| {
        let name = flag.replace('-', "_").to_uppercase();
        format!("PORTCULLIS_{name}")
    });
    match variable {
        Some(variable) if is_set(&variable) => format!("{field} ({variable})"),
        _ => field.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, Parser};

    use super::*;

    #[derive(Debug, Parser)]
    struct Flags {
        #[arg(long, env = "PORTCULLIS_DRAIN_SECONDS")]
        drain_seconds: u64,
        #[arg(long, env = "PORTCULLIS_LOG_FORMAT", value_parser = ["text", "json"])]
        log_format: String,
    }

    fn wrong(arguments: &[&str]) -> clap::Error {
        Flags::try_parse_from([&["service"], arguments].concat()).unwrap_err()
    }

    #[test]
    fn a_variable_with_nonsense_in_it_is_named_in_one_line() {
        let error = wrong(&["--drain-seconds", "soon"]);
        let at_fault = |is_set: bool| variable_at_fault(&error, &Flags::command(), |_| is_set);
        assert_eq!(at_fault(true).unwrap(), "PORTCULLIS_DRAIN_SECONDS");
        assert_eq!(at_fault(false), None, "it was the flag");
        let line = in_one_line(&error);
        assert!(line.starts_with("invalid value 'soon' for '--drain-seconds"), "{line}");
        let line = in_one_line(&wrong(&["--drain-seconds", "1", "--log-format", "xml"]));
        assert!(line.ends_with("[possible values: text, json]"), "{line}");
        assert_eq!(variable_at_fault(&wrong(&["--unknown"]), &Flags::command(), |_| true), None);
    }

    #[test]
    fn a_setting_is_named_as_it_was_given() {
        assert_eq!(name_variable("--ops-listen", |_| true), "--ops-listen (PORTCULLIS_OPS_LISTEN)");
        assert_eq!(name_variable("--ops-listen", |_| false), "--ops-listen");
        assert_eq!(name_variable("PORTCULLIS_MASTER_KEY", |_| true), "PORTCULLIS_MASTER_KEY");
    }
}
