use std::io::Read;
use std::os::unix::net::UnixStream;
use std::sync::mpsc;

use super::*;

fn line(text: &str) -> Line {
    Line::new(Level::Info, format_args!("{text}"))
}

/// A log with a writer that hands every line on to the receiver.
fn log_with_reader() -> (Arc<Shared>, mpsc::Receiver<String>) {
    let shared = Arc::new(Shared::default());
    let (sender, receiver) = mpsc::channel();
    let writer = Arc::clone(&shared);
    std::thread::spawn(move || {
        writer.write_all(&mut |line| _ = sender.send(line.text.clone()));
    });
    (shared, receiver)
}

#[test]
fn lines_are_written_in_order_and_waited_for() {
    let (shared, receiver) = log_with_reader();
    for number in 0..500 {
        shared.push(line(&number.to_string()));
    }
    assert!(shared.wait_until_written(Duration::from_secs(10)));
    let written: Vec<String> = receiver.try_iter().collect();
    assert_eq!(
        written,
        (0..500)
            .map(|number| number.to_string())
            .collect::<Vec<_>>()
    );
}

#[test]
fn a_full_ring_drops_counts_and_says_so() {
    let shared = Arc::new(Shared::default());
    for number in 0..LINES + 7 {
        shared.push(line(&number.to_string()));
    }
    for number in 0..LINES {
        assert_eq!(shared.take().text, number.to_string());
    }
    let report = shared.take();
    assert_eq!(report.level, Level::Warn);
    assert!(
        report.text.starts_with("7 log lines were dropped"),
        "{}",
        report.text
    );
    shared.push(line("room again"));
    assert_eq!(shared.take().text, "room again");
    assert_eq!(shared.lock().octets, 0);
}

#[test]
fn the_ring_is_bounded_in_octets_too() {
    let shared = Shared::default();
    let long = "x".repeat(LINE);
    for _ in 0..LINES {
        shared.push(line(&long));
    }
    let ring = shared.lock();
    assert_eq!(ring.lines.len(), OCTETS / LINE);
    assert_eq!(ring.octets, OCTETS);
    assert_eq!(ring.dropped as usize, LINES - OCTETS / LINE);
}

#[test]
fn a_reader_that_hangs_holds_neither_the_caller_nor_the_exit_up() {
    let shared = Arc::new(Shared::default());
    let (mut pipe, mut reader) = UnixStream::pair().expect("a pair of sockets");
    let writer = Arc::clone(&shared);
    std::thread::spawn(move || {
        writer.write_all(&mut |line| _ = writeln!(pipe, "{}", line.text));
    });
    let total = 20_000;
    let before = Instant::now();
    for number in 0..total {
        shared.push(line(&format!("{number} {}", "x".repeat(200))));
    }
    assert!(
        before.elapsed() < Duration::from_secs(5),
        "{:?}",
        before.elapsed()
    );
    let before = Instant::now();
    assert!(
        !shared.wait_until_written(EXIT_WAIT),
        "nobody has read anything"
    );
    assert!(before.elapsed() < EXIT_WAIT * 20, "{:?}", before.elapsed());
    // The reader wakes up: every line is there or counted.
    let counter = std::thread::spawn(move || {
        let (mut text, mut buffer) = (String::new(), [0; 4096]);
        loop {
            let length = reader.read(&mut buffer).expect("readable");
            text.push_str(&String::from_utf8_lossy(&buffer[..length]));
            if let Some(end) = text.find(" log lines were dropped") {
                let dropped = text[..end]
                    .lines()
                    .last()
                    .and_then(|last| last.parse().ok());
                return text[..end].lines().count() - 1 + dropped.unwrap_or(0);
            }
        }
    });
    assert_eq!(counter.join().expect("counted"), total);
    assert!(shared.wait_until_written(Duration::from_secs(10)));
}

#[test]
fn no_line_can_forge_another_or_be_endless() {
    assert_eq!(
        line("a\nNov 22: b\r\x1b[31m\u{85}").text,
        "a Nov 22: b  [31m "
    );
    let endless = line(&"\u{20ac}".repeat(LINE));
    assert_eq!(endless.text.len(), LINE - LINE % 3);
}

#[test]
fn detail_opens_the_filter_and_a_wish_replaces_it() {
    assert_eq!(filter(0, None).filter(), LevelFilter::Info);
    assert_eq!(filter(1, None).filter(), LevelFilter::Debug);
    assert_eq!(filter(9, None).filter(), LevelFilter::Trace);
    let wish = filter(0, Some("warn,relevo_core=trace"));
    let enabled = |filter: &env_logger::Logger, target, level| {
        filter.enabled(&Metadata::builder().target(target).level(level).build())
    };
    assert!(enabled(&wish, "relevo_core::vrrp", Level::Trace));
    assert!(!enabled(&wish, "relevo", Level::Info));
    assert!(!enabled(&filter(2, None), "neli::socket", Level::Debug));
    assert!(enabled(
        &filter(0, Some("neli=trace")),
        "neli::socket",
        Level::Trace
    ));
}

#[test]
fn times_are_written_as_the_original_writes_them() {
    let time = LocalTime {
        year: 2026,
        month: 10,
        day: 2,
        hour: 1,
        minute: 2,
        second: 3,
        weekday: 1,
    };
    assert_eq!(ctime(&time), "Mon Nov  2 01:02:03 2026");
    assert_eq!(stamp(&time), "Nov  2 01:02:03");
    // The day before the epoch's first whole day, wherever the test runs.
    let first = localtime::from_unix(86_400);
    assert_eq!(first.year, 1970);
    assert!([1, 2].contains(&first.day), "{first:?}");
}

#[test]
fn a_planted_link_is_not_followed_by_the_log_file() {
    let link = std::env::temp_dir().join(format!("relevo-log-{}", std::process::id()));
    let target = link.with_extension("target");
    _ = std::fs::remove_file(&link);
    std::os::unix::fs::symlink(&target, &link).expect("a link of our own");
    assert!(open_log_file(&link).is_err());
    assert!(!target.exists());
    _ = std::fs::remove_file(&link);
}
