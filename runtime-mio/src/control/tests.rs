use std::time::Duration as Wall;

use super::*;
use crate::clock;

/// A control socket in a poll of its own, driven by hand.
struct Stage {
    control: Control,
    poll: mio::Poll,
    path: std::path::PathBuf,
}

impl Stage {
    fn new(name: &str) -> Self {
        let name = format!("relevo-control-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(name).join("sock");
        let poll = mio::Poll::new().expect("a poll");
        let control = Control::open(Place::take(&path).expect("free"), 2).expect("a timer");
        control.register(poll.registry()).expect("registers");
        Self {
            control,
            poll,
            path,
        }
    }

    fn connect(&self) -> UnixStream {
        let stream = UnixStream::connect(&self.path).expect("it listens");
        stream
            .set_read_timeout(Some(Wall::from_secs(10)))
            .expect("an option");
        stream
    }

    /// Serves whatever is ready, as at `now`; returns what is asked.
    fn turn_at(&mut self, now: Instant) -> Vec<(ClientId, Request)> {
        let mut events = mio::Events::with_capacity(64);
        let mut requests = Vec::new();
        loop {
            self.poll
                .poll(&mut events, Some(Wall::from_millis(1)))
                .expect("polls");
            if events.is_empty() {
                return requests;
            }
            for event in &events {
                let registry = self.poll.registry();
                while self
                    .control
                    .read(event.token(), registry, now, &mut requests)
                    == Drained::No
                {}
            }
        }
    }

    fn turn(&mut self) -> Vec<(ClientId, Request)> {
        self.turn_at(clock::now())
    }

    fn clients(&self) -> usize {
        self.control.clients.iter().flatten().count()
    }
}

fn all_of(mut stream: UnixStream) -> String {
    let mut text = String::new();
    // Whoever is turned away while it still speaks finds its connection reset.
    _ = stream.read_to_string(&mut text);
    text
}

#[test]
fn a_request_is_heard_and_answered() {
    let mut stage = Stage::new("plain");
    for (request, answer, told) in [
        (Request::Status, Ok(&b"all well\n"[..]), "ok 9\nall well\n"),
        (Request::Reload, Err(&b"no\n"[..]), "error 3\nno\n"),
    ] {
        let mut client = stage.connect();
        assert_eq!(stage.turn(), []);
        // In two parts, and what follows is nobody's business.
        client
            .write_all(&request.word().as_bytes()[..2])
            .expect("room");
        assert_eq!(stage.turn(), []);
        client
            .write_all(&request.word().as_bytes()[2..])
            .expect("room");
        client.write_all(b"\nplan\n").expect("room");
        let asked = stage.turn();
        assert_eq!(
            asked.iter().map(|(_, asked)| *asked).collect::<Vec<_>>(),
            [request]
        );
        assert_eq!(stage.clients(), 1);
        stage.control.answer(asked[0].0, answer, clock::now());
        assert_eq!(stage.clients(), 0);
        // A second answer to the same has no one to go to.
        stage.control.answer(asked[0].0, answer, clock::now());
        assert_eq!(all_of(client), format!("relevo 1\n{told}"));
    }
}

#[test]
fn a_client_may_be_done_speaking_before_it_is_answered() {
    let mut stage = Stage::new("half");
    let mut client = stage.connect();
    client.write_all(b"version\r\n").expect("room");
    client.shutdown(std::net::Shutdown::Write).expect("open");
    let asked = stage.turn();
    assert_eq!(asked.len(), 1);
    stage.turn();
    stage.control.answer(asked[0].0, Ok(b"1"), clock::now());
    assert_eq!(all_of(client), "relevo 1\nok 1\n1");
}

#[test]
fn nonsense_is_answered_and_the_end_noticed() {
    let mut stage = Stage::new("nonsense");
    for (said, told) in [
        (b"relod\n".to_vec(), "relevo 1\nerror 16\nunknown request\n"),
        (
            vec![b'x'; 5_000],
            "relevo 1\nerror 24\nthe request is too long\n",
        ),
    ] {
        let mut client = stage.connect();
        client.write_all(&said).expect("room");
        assert_eq!(stage.turn(), []);
        assert_eq!(stage.clients(), 0);
        let heard = all_of(client);
        // What is left unread resets the connection, which may take the answer along.
        assert!(heard == told || said.len() > REQUEST_MAX, "{heard}");
    }
    drop(stage.connect());
    let mut client = stage.connect();
    client.write_all(b"stat").expect("room");
    drop(client);
    assert_eq!(stage.turn(), []);
    assert_eq!(stage.clients(), 0);
}

#[test]
fn silent_clients_make_room_and_are_left_in_the_end() {
    let mut stage = Stage::new("silent");
    let begin = clock::now();
    let silent: Vec<_> = (0..50).map(|_| stage.connect()).collect();
    assert_eq!(stage.turn_at(begin), []);
    assert_eq!(stage.clients(), CLIENTS);
    let mut client = stage.connect();
    client.write_all(b"status\n").expect("room");
    let asked = stage.turn_at(begin);
    assert_eq!(asked.len(), 1, "the one that speaks is heard");
    // Whoever waits for an answer is not silent, however long it takes.
    stage.control.on_time(begin + PATIENCE);
    assert_eq!(stage.clients(), 1);
    stage.control.answer(asked[0].0, Ok(b"x"), begin);
    assert_eq!(all_of(client), "relevo 1\nok 1\nx");
    drop(silent);
}

#[test]
fn those_who_wait_for_an_answer_are_not_driven_out() {
    let mut stage = Stage::new("busy");
    let mut clients: Vec<_> = (0..CLIENTS).map(|_| stage.connect()).collect();
    for client in &mut clients {
        client.write_all(b"reload\n").expect("room");
    }
    let asked = stage.turn();
    assert_eq!(asked.len(), CLIENTS);
    let late = stage.connect();
    assert_eq!(stage.turn(), []);
    assert_eq!(all_of(late), "", "turned away");
    for (id, _) in asked {
        stage.control.answer(id, Ok(b""), clock::now());
    }
    for client in clients {
        assert_eq!(all_of(client), "relevo 1\nok 0\n");
    }
}

#[test]
fn a_long_answer_goes_out_as_it_is_read_and_not_if_it_is_not() {
    let mut stage = Stage::new("long");
    let body = vec![b'y'; 3 << 20];
    let mut reader = stage.connect();
    let mut sleeper = stage.connect();
    for client in [&mut reader, &mut sleeper] {
        client.write_all(b"journal\n").expect("room");
    }
    let begin = clock::now();
    let asked = stage.turn_at(begin);
    for (id, _) in &asked {
        stage.control.answer(*id, Ok(&body), begin);
    }
    assert_eq!(stage.clients(), 2);
    let thread = std::thread::spawn(move || all_of(reader).len());
    while !thread.is_finished() {
        stage.turn_at(begin);
    }
    let line = format!("relevo 1\nok {}\n", body.len());
    assert_eq!(thread.join().expect("reads"), line.len() + body.len());
    assert_eq!(stage.clients(), 1);
    stage.control.on_time(begin + PATIENCE);
    assert_eq!(stage.clients(), 0);
}

/// A reload may take long, and whoever waits for it may lose patience.
#[test]
fn a_client_that_hangs_up_while_it_waits_gives_its_place_up() {
    let mut stage = Stage::new("hang-up");
    let mut gone = stage.connect();
    gone.write_all(b"reload\n").expect("room");
    let mut quiet = stage.connect();
    quiet.write_all(b"reload\n").expect("room");
    let asked = stage.turn();
    assert_eq!(asked.len(), 2);
    drop(gone);
    quiet
        .shutdown(std::net::Shutdown::Write)
        .expect("still open");
    stage.turn();
    assert_eq!(stage.clients(), 1);
    for (id, _) in asked {
        stage.control.answer(id, Ok(b"done\n"), clock::now());
    }
    assert!(all_of(quiet).ends_with("ok 5\ndone\n"));
}

#[test]
fn only_root_and_the_daemon_s_own_user_may_ask() {
    let own = crate::sys::process::user();
    assert!(may_ask(0) && may_ask(own));
    assert!(!may_ask(own + 1) && !may_ask(u32::MAX));
}
