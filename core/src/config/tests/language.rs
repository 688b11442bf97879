//! The language: includes, definitions, repetitions and conditions, beside what 2.2.7 makes of the
//! same text (seen by its complaints about unknown words).

use super::super::fuzzing::statements;
use super::super::source::{Bundle, Unreadable};
use super::*;

/// The statements of `/d/main`, joined by blanks, and `FILE:LINE:COLUMN MESSAGE` of the findings.
fn read_bundle(bundle: &mut Bundle) -> (String, Vec<String>) {
    let (lines, found) = statements("/d/main", bundle);
    let shown = found
        .iter()
        .map(|it| format!("{}:{}:{} {}", it.file, it.line, it.column, it.message));
    (lines.join(" "), shown.collect())
}

fn bundle(text: &str) -> Bundle {
    let mut bundle = Bundle::single("/d/main", text)
        .with("/d/inc1", "inc1\n")
        .with("/d/inc2", "inc2 }\n")
        .with("/d/sub/s", "sub${_PWD}\ninclude sib*\nback\n")
        .with("/d/sub/sib1", "sib1")
        .with("/d/self", "a\ninclude self\nb\n")
        .with("/d/def", "$FROM=included\n");
    bundle
        .files
        .insert("/d/dir".into(), Err(Unreadable::Directory));
    bundle
        .files
        .insert("/d/exec".into(), Err(Unreadable::NotText));
    bundle
        .environment
        .insert("HOME".into(), Some("/root".into()));
    bundle.config_id = "me".into();
    bundle.directory = "/d".into();
    bundle.seed = 1;
    bundle
}

fn check(cases: &[(&str, &str, &[&str])]) {
    for (text, expected, findings) in cases {
        let (lines, found) = read_bundle(&mut bundle(text));
        assert_eq!(lines, *expected, "{text}: {found:#?}");
        assert_eq!(found.len(), findings.len(), "{text}: {found:#?}");
        for (one, part) in found.iter().zip(*findings) {
            let (place, message) = part.split_once(' ').expect("a place and a text");
            let place = format!("/d/{place} ");
            assert!(
                one.starts_with(&place) && one.contains(message),
                "{text}: {one} is not {part}"
            );
        }
    }
}

#[test]
fn lines_and_words() {
    check(&[
        ("a b # c\n! d\n\te \"f # g\" h", "a|b e|f # g|h", &[]),
        ("a\\#b \\!c", "a#b|!c", &[]),
        ("a {\nb }\nc", "a { b } c", &[]),
        ("a \\\nb", "a|\\ b", &[]),
        ("a \"b", "a", &["main:1:3 double quote"]),
        ("\u{feff}a\r\nb\r\n", "a b", &[]),
        ("a\0b\n", "a\0b", &[]),
        ("a\n$", "a $", &[]),
    ]);
}

#[test]
fn definitions_are_put_in_where_they_are_used() {
    check(&[
        (
            "$G=gg\nz$G\nz${G}x\nz$Gx\nz$G,\nz$G)\nz$G.\n",
            "zgg zggx z$Gx zgg, zgg) z$G.",
            &[],
        ),
        ("z${U} $U", "z${U}|$U", &[]),
        ("$A=1\n$B=x${A}y$A\n$A=2\nz${B}", "zx2y2", &[]),
        ("$A=1\n$A =3\n $A=4\nz$A", "1|=3 z4", &[]),
        ("$A-B=5\n$=6\n$1=7", "$A-B=5 $=6 $1=7", &[]),
        ("$A=  b  c  # d\n${A}|", "b|c|", &[]),
        ("$A=\"a b\"\nz $A", "z|a b", &[]),
        ("$A=a#b\nz$A", "za", &[]),
        ("$A=\nz $A", "z", &[]),
        ("$A=b\nz '${A}' \"${A} $A\"", "z|'b'|b $A", &[]),
        ("$A=1\nz # $A ${A}", "z", &[]),
        ("$DD=$EE=5\n$DD\nz$EE", "z5", &[]),
        ("$A={\nb $A\nc\n}", "b { c }", &[]),
        ("include def\nz$FROM", "zincluded", &[]),
        // An endless loop in 2.2.7.
        (
            "$R=$S\n$S=$R\na\n$S\nb",
            "a b",
            &["main:4:1 goes round in a circle"],
        ),
        (
            "$T=${T}x\na${T}\nb",
            "b",
            &["main:2:2 goes round in a circle"],
        ),
    ]);
}

#[test]
fn definitions_of_several_lines() {
    check(&[
        ("$M=a\\\n b ${X}\\\n c\nz\n$M", "z a b|${X} c", &[]),
        (
            "$M=a\\\n b ${X}\\\n c\n$X=x\n ${M}\nz $M",
            "a b|x c z|a b|x c",
            &[],
        ),
        ("$O= \\\na\\\n \\\nb\nz\n$O\ny", "z a b y", &[]),
        ("$P=\\\na { \\\nb } \\\nc\n$P", "a { b } c", &[]),
        ("$Y=a \\\n\nz\n$Y", "z a", &[]),
        ("$N=a # c\\\nb\nz\n$N", "z a b", &[]),
        ("$M=a\\\nb\n${M} c", "${M}|c", &["main:3:1 several lines"]),
        (
            "$R=r$N {\\\n}\n$V=v {\\\n$N=1 \\\n$R \\\n$N=2\\\n$R\\\n}\n$V",
            "v { r1 { } r2 { } }",
            &[],
        ),
        (
            "$M=a\\\n@me b\\\n@you c\\\ninclude inc1\n$M",
            "a b inc1",
            &[],
        ),
        ("$I=a\\\n$J\n$J=b\\\nc\n$I\nz", "a b c z", &[]),
    ]);
    // It uses itself for its last line, again and again.
    let (lines, found) = read_bundle(&mut bundle("$L=a\\\n$L\n$L\nz"));
    assert!(lines.ends_with("a z") && lines.len() < 200, "{lines}");
    assert_eq!(found.len(), 1, "{found:?}");
}

#[test]
fn what_is_defined_already() {
    check(&[
        (
            "a${_PWD}\ninclude sub/s\nb${_PWD}",
            "a/d sub/d/sub sib1 back b/d",
            &[],
        ),
        ("a${_INSTANCE}", "ame", &[]),
        ("a${_HASH}b${_BANG} \"${_HASH}\"", "a#b!|#", &[]),
        ("a${_ENV HOME}", "a/root", &[]),
        ("a${_ENV NONE}b", "ab", &["main:1:2 environment"]),
        ("a${_RANDOM 5 5}", "a5", &[]),
        ("a${_RANDOM 3 1}", "a${_RANDOM 3 1}", &["main:1:2 random"]),
        ("a${_RANDOM x}", "a${_RANDOM x}", &["main:1:2 random"]),
        ("$_PWD=over\na$_PWD", "aover", &[]),
    ]);
    let drawn = |text: &str| read_bundle(&mut bundle(text)).0;
    assert_eq!(drawn("a${_RANDOM}"), drawn("a${_RANDOM}"), "the same seed");
    let other = "random_seed 7\na${_RANDOM}\nrandom_seed 7\na${_RANDOM}";
    let words: Vec<String> = drawn(other).split(' ').map(str::to_owned).collect();
    assert_eq!(words[1], words[3], "{words:?}");
    let number: u32 = words[1][1..].parse().expect("a number");
    assert!(number <= 32_767);
}

#[test]
fn lines_are_repeated() {
    check(&[
        ("~SEQ(i,3) a$i", "a1 a2 a3", &[]),
        (
            "~SEQ(i,1,2) ~SEQ(j,1,2) a${i}_${j}",
            "a1_1 a1_2 a2_1 a2_2",
            &[],
        ),
        (
            "~LST({v,w},{a,1},{b,2}) ~SEQx(i,9,10) ${v}${w}${i}",
            "a19 a1a b29 b2a",
            &[],
        ),
        ("$N=2\n~SEQ(i,1,${N}) a${i}", "a1 a2", &[]),
        ("$Z=~SEQ(i,1,2)\n$Z a${i}", "a1 a2", &[]),
        ("$M=a${i}\\\nb${i}\n~SEQ(i,1,2) $M", "a1 b1 a2 b2", &[]),
        ("~SEQ(i,1,2) include inc${i}", "inc1 inc2 }", &[]),
        ("~SEQ(i,2) @me a${i}", "a1 a2", &[]),
        ("@me ~SEQ(i,2) a${i}\n@you ~SEQ(i,2) b${i}", "a1 a2", &[]),
        ("~SEQ(i,2) a${i} { b }", "a1 { b } a2 { b }", &[]),
        ("~SEQ(i,1,2) x\na${i}", "x x a2", &[]),
        ("a\n~SEQ(i,1,0,3) b\nc", "a c", &["main:2:1 never lead"]),
        (
            "~SEQ(i,1000000000) b\nc",
            "c",
            &["main:1:1 1000000000 times"],
        ),
    ]);
}

#[test]
fn lines_of_some_hosts() {
    check(&[
        ("@me a\n@^me b\n@you c\n@^you d", "a d", &[]),
        ("@me\n@\n@^\na", "a", &[]),
        ("@me $G=1\n@you $G=2\na$G", "a1", &[]),
        ("@me include inc1\n@^me include inc1", "inc1", &[]),
        ("$C=@me\n$C a\n$D=@you\n$D b", "a", &[]),
        ("@me a {\n@me }", "a { }", &[]),
    ]);
}

#[test]
fn files_are_included() {
    check(&[
        ("a\ninclude inc1\nb", "a inc1 b", &[]),
        ("$F=inc1\ninclude ${F}\ninclude $F", "inc1 inc1", &[]),
        ("include \"inc1\" # c", "inc1", &[]),
        ("include inc1 sub/s", "inc1 sub/d/sub sib1 back", &[]),
        ("include inc*", "inc1 inc2 }", &[]),
        ("include inc{2,1}", "inc2 } inc1", &[]),
        ("include /d/inc1", "inc1", &[]),
        ("a {\ninclude inc2\nb", "a { inc2 } b", &[]),
        ("includex inc1\nincluded", "includex|inc1 included", &[]),
        (
            "include none\na",
            "a",
            &["main:1:9 there is no file `none`"],
        ),
        ("include none*\na", "a", &[]),
        (
            "include inc{1,9}\na",
            "inc1 a",
            &["main:1:9 `inc9` is missing; the others"],
        ),
        (
            "include dir exec\na",
            "a",
            &["main:1:9 is a directory", "main:1:13 executed"],
        ),
        ("includer none none*\na", "a", &["main:1:10 there is no"]),
        ("includem none*\na", "a", &[]),
        ("includew none*\na", "a", &["main:1:10 no file matches"]),
        ("include self\nc", "a b c", &["self:2:9 includes itself"]),
        ("include", "", &["main:1:1 needs a value"]),
        (
            "include_check\ninclude none*",
            "include_check",
            &["main:2:9 no file"],
        ),
        (
            "include_check match\ninclude none*",
            "include_check|match",
            &[],
        ),
    ]);
}

#[test]
fn a_missing_file_ends_the_start_where_it_is_asked_for() {
    let table = [
        ("include none", 0),
        ("includer none", 0),
        ("includer dir", 6),
        ("includer exec", 6),
        ("includem none", 6),
        ("includem none*", 0),
        ("includew none", 6),
        ("includew none*", 6),
        ("includeb none", 0),
        ("includeb inc{8,9}", 6),
        ("includem inc{8,9}", 0),
        ("includea none", 6),
        ("includea none*", 6),
        ("includea inc{8,9}", 6),
    ];
    for (line, code) in table {
        let (_, found) = parse_sources("/d/main", &mut bundle(line));
        assert_eq!(check_exit_code(&found), code, "{line}: {found:?}");
        let refused = start_exit_code(&found);
        assert_eq!(refused, (code == 6).then_some(6), "{line}: {found:?}");
    }
    let (_, found) = parse_sources("/d/none", &mut bundle(""));
    assert_eq!(check_exit_code(&found), 6);
}

#[test]
fn findings_are_told_where_the_line_is_and_where_it_was_defined() {
    let text = "$A=vrrp_instance x {\\\n  prioritee 100\\\n}\n\n$A\ninclude sub/s\n";
    let (_, found) = parse_sources("/d/main", &mut bundle(text));
    let first = found.first().expect("a finding");
    assert_eq!((first.line, first.column), (5, 1), "{first:?}");
    assert_eq!(&text[first.span.clone()], "$A");
    let [related] = &first.related[..] else {
        panic!("no second place: {first:?}");
    };
    assert_eq!((related.line, related.column), (2, 3), "{related:?}");
    assert_eq!(&text[related.span.clone()], "prioritee");
    let files: Vec<&str> = found.iter().map(|it| it.file.as_str()).collect();
    assert!(
        files.is_sorted() && files.contains(&"/d/sub/sib1"),
        "{files:?}"
    );
    let last = found.last().expect("a finding");
    assert!(last.file.ends_with("sib1") && last.line == 1, "{last:?}");
}

#[test]
fn what_grows_without_end_is_stopped() {
    let doubled: String = (0..30)
        .map(|i| format!("$A{}=${{A{i}}}${{A{i}}}\n", i + 1))
        .collect();
    let (_, found) = parse("f", &format!("$A0=x\n{doubled}${{A30}}\n"));
    assert!(
        found[0].message.contains("octets; it is ignored"),
        "{found:?}"
    );
    let nested = "~SEQ(a,1000) ~SEQ(b,1000) ~SEQ(c,1000) ${a}\n";
    let (_, found) = parse("f", nested);
    assert_eq!(start_exit_code(&found), Some(2), "{:?}", found.first());
    assert!(
        found
            .iter()
            .any(|it| it.message.contains("nothing more is put in"))
    );
}

/// Only that it ends, says something of its own, and goes on behind it.
#[test]
fn hostile_texts_are_survived() {
    let long = format!("a {}\nuse_pid_dir x\n", "b".repeat(10 << 20));
    let (_, found) = parse("f", &long);
    assert!(
        found[0].message.contains("are ignored") && found.len() == 2,
        "{found:?}"
    );
    let (_, found) = parse("f", &"{".repeat(100_000));
    assert!(found.len() <= limits::DIAGNOSTICS + 20);
    let (_, found) = parse("f", &"a {\n".repeat(100_000));
    assert!(
        found.iter().any(|it| it.message.contains("deep")),
        "{:?}",
        found.first()
    );
    let (_, found) = parse("f", &"}\n".repeat(100_000));
    assert!(found.len() <= limits::DIAGNOSTICS + 20);
    let wide = format!("global_defs {{\n{}}}\n", "a b c d e f g h\n".repeat(40_000));
    let (_, found) = parse("f", &wide);
    assert_eq!(start_exit_code(&found), Some(2));
    assert!(
        found.iter().any(|it| it.message.contains("words")),
        "too wide a block"
    );
    let (_, found) = parse("f", "use_pid_dir\0\n\0\0\nx\0y\n");
    assert_eq!(found.len(), 3, "{found:?}");
}

#[test]
fn a_file_may_end_anywhere() {
    let text = "$A=vrrp_instance ${N} {\\\n\u{e9} 1 \\\n}\n~SEQ(N,1,2) $A\n@me include \"inc{1,2}\" # x\n\
                a \"b c\" { d } ${_RANDOM 1 2} ~LST({a,b},{1,2}) 'x' \\#\ninclude self\n";
    for end in 0..=text.len() {
        if text.is_char_boundary(end) {
            let mut bundle = bundle(&text[..end]);
            let first = statements("/d/main", &mut bundle);
            assert_eq!(first, statements("/d/main", &mut bundle), "{end}");
            _ = parse_sources("/d/main", &mut bundle);
        }
    }
}
