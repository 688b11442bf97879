//! Blocks whose words have rows: read, and written back.

use super::super::dump;
use super::*;

fn dumped(text: &str) -> (String, Vec<Diagnostic>) {
    let (config, found) = parse("f", text);
    (dump(&config, false), found)
}

#[test]
fn a_dump_reads_back_to_itself() {
    let text = "vrrp_track_file a { file /x\nweight -2 reverse }\ntrack_file \"b c\" {\n\
                file \"/x y\"\ninit_file 7 overwrite\n}\n";
    let (first, found) = dumped(text);
    assert!(found.iter().all(|it| it.severity == Severity::Refused));
    assert_eq!(
        first,
        "track_file a {\n    file /x\n    weight -2 reverse\n}\n\
         track_file \"b c\" {\n    file \"/x y\"\n    init_file 7 overwrite\n}\n"
    );
    assert_eq!(dumped(&first).0, first);
}

#[test]
fn what_is_wrong_in_a_block_is_said_once() {
    let of = |lines: &str| {
        let (_, found) = dumped(&format!("track_file a {{\n{lines}\n}}\n"));
        let shown = found.iter().filter(|it| it.severity == Severity::Error);
        let shown: Vec<String> = shown
            .map(|it| format!("{}:{}", it.line, it.message))
            .collect();
        shown.join("\n")
    };
    assert_eq!(of("file a\nweight 254"), "");
    assert!(of("file a\nweight 255").starts_with("3:`255` is out of range"));
    assert!(of("file a\nwieght 1").starts_with("3:`wieght` is not known in `track_file`"));
    assert!(of("weight 1").contains("names no `file`"));
}
