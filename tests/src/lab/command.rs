//! Running other programs, and waiting for what they bring about.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// What went wrong, in words; the lab's only error type, because every error ends a test or a demo.
pub type Result<T> = std::result::Result<T, String>;

/// The words of a command line, for messages.
fn words(command: &Command) -> String {
    let mut text = command.get_program().to_string_lossy().into_owned();
    for word in command.get_args() {
        text.push(' ');
        text.push_str(&word.to_string_lossy());
    }
    text
}

/// Runs a command to its end and returns its standard output.
///
/// # Errors
/// The command cannot be started, or ends with another code than 0: the message has its error output.
pub fn output(command: &mut Command) -> Result<String> {
    let done = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("{}: {error}", words(command)))?;
    if done.status.success() {
        return Ok(String::from_utf8_lossy(&done.stdout).into_owned());
    }
    let complaint = String::from_utf8_lossy(&done.stderr);
    Err(format!(
        "{}: {}: {}",
        words(command),
        done.status,
        complaint.trim()
    ))
}

/// As [`output`], with `input` on the command's standard input.
///
/// # Errors
/// As [`output`].
pub fn output_with(command: &mut Command, input: &str) -> Result<String> {
    let name = words(command);
    let fail = |error: std::io::Error| format!("{name}: {error}");
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(fail)?;
    if let Some(mut pipe) = child.stdin.take() {
        pipe.write_all(input.as_bytes()).map_err(fail)?;
    }
    let done = child.wait_with_output().map_err(fail)?;
    if done.status.success() {
        return Ok(String::from_utf8_lossy(&done.stdout).into_owned());
    }
    Err(format!(
        "{name}: {}: {}",
        done.status,
        String::from_utf8_lossy(&done.stderr).trim()
    ))
}

/// Runs a command given as words.
///
/// # Errors
/// As [`output`].
pub fn run(argv: &[&str]) -> Result<String> {
    let (program, arguments) = argv.split_first().ok_or("an empty command")?;
    output(Command::new(program).args(arguments))
}

/// Asks `probe` every few milliseconds until it has an answer.
///
/// # Errors
/// `probe` failed, or `limit` passed without an answer: `what` says what was waited for.
pub fn wait_until<T>(
    what: &str,
    limit: Duration,
    mut probe: impl FnMut() -> Result<Option<T>>,
) -> Result<T> {
    let end = Instant::now() + limit;
    loop {
        if let Some(answer) = probe()? {
            return Ok(answer);
        }
        if Instant::now() >= end {
            return Err(format!(
                "waited {:.1} s in vain: {what}",
                limit.as_secs_f64()
            ));
        }
        sleep(Duration::from_millis(15));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failing_command_tells_its_words_and_its_complaint() {
        let error = run(&["sh", "-c", "echo broken >&2; exit 3"]).unwrap_err();
        assert!(
            error.contains("exit 3") && error.contains("broken"),
            "{error}"
        );
    }

    #[test]
    fn input_reaches_the_command() {
        assert_eq!(output_with(&mut Command::new("cat"), "abc").unwrap(), "abc");
    }

    #[test]
    fn waiting_is_bounded() {
        let error = wait_until::<()>("nothing", Duration::from_millis(1), || Ok(None)).unwrap_err();
        assert!(error.contains("in vain: nothing"), "{error}");
    }
}
