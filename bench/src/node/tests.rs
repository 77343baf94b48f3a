use super::*;
use crate::target::Gauge;
use std::io::{Read, Write};
use std::net::TcpListener;

struct Quiet;

impl Gate for Quiet {
    fn connected(&self) -> io::Result<()> {
        Ok(())
    }
    fn measuring(&self) -> io::Result<()> {
        Ok(())
    }
}

/// Answers each request with the reply to a produce request of one partition without an error.
fn broker() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        while let Ok((mut socket, _)) = listener.accept() {
            std::thread::spawn(move || {
                let mut size = [0; 4];
                while socket.read_exact(&mut size).is_ok() {
                    let mut body = vec![0; u32::from_be_bytes(size) as usize];
                    socket.read_exact(&mut body).unwrap();
                    // Correlation, tags, one topic "t", one partition 0, no error.
                    socket.write_all(&[0, 0, 0, 16, 0, 0, 0, 1, 0, 2, 2, b't', 2, 0, 0, 0, 0, 0, 0, 0]).unwrap();
                }
            });
        }
    });
    address
}

/// A node of ours, for one task.
fn node() -> SocketAddr {
    served_by(|socket| drop(worker::serve(socket)))
}

fn served_by(serve: impl FnOnce(TcpStream) + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || serve(listener.accept().unwrap().0));
    address
}

fn run_on(nodes: &[SocketAddr]) -> io::Result<Measured> {
    let args = ["small", "--closed", "--connections=3", "--requests=400"].map(str::to_owned);
    let target = Target { address: broker(), gauge: Gauge::Nothing, data: None, until_listening: None };
    load(nodes, &args, &target, &Ground { topics: vec!["t".to_owned()] }, &Quiet)
}

#[test]
fn two_nodes_share_a_load_and_their_histograms_are_merged() {
    let measured = run_on(&[node(), node()]).unwrap();
    assert!((390..=400).contains(&measured.requests), "{}", measured.requests);
    assert_eq!((measured.latency.len(), measured.records), (measured.requests, measured.requests));
    assert!(measured.seconds > 0.0 && measured.bytes > measured.requests * 100);
}

#[test]
fn a_node_that_dies_or_talks_rubbish_is_named() {
    let dies = served_by(drop);
    let dies_later = served_by(|socket| {
        let mut line = Line::of(socket, SILENCE_MAX).unwrap();
        let _: Task = line.receive().unwrap();
        line.send(&Said::Connected).unwrap();
    });
    let says = |said: Said| {
        served_by(move |socket| {
            let mut line = Line::of(socket, SILENCE_MAX).unwrap();
            let _: Task = line.receive().unwrap();
            line.send(&said).unwrap();
        })
    };
    let (wrong, fails) = (says(Said::Measuring), says(Said::Failed("no space".to_owned())));
    let rubbish = served_by(|socket| {
        let mut line = Line::of(socket.try_clone().unwrap(), SILENCE_MAX).unwrap();
        let _: Task = line.receive().unwrap();
        (&socket).write_all(b"HTTP/1.1 400 Bad Request\r\n").unwrap();
    });
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for (bad, said) in
        [(dies, ""), (dies_later, ""), (rubbish, "no message"), (wrong, "Measuring"), (fails, "no space"), (gone, "")]
    {
        let error = run_on(&[node(), bad]).err().unwrap().to_string();
        assert!(error.contains(&format!("node {bad}")) && error.contains(said), "{error}");
    }
}

#[test]
fn a_node_that_goes_is_noticed_while_the_others_are_at_work() {
    let goes = served_by(|socket| {
        let mut line = Line::of(socket, SILENCE_MAX).unwrap();
        let _: Task = line.receive().unwrap();
        line.send(&Said::Connected).unwrap();
        let _: Said = line.receive().unwrap();
        line.send(&Said::Measuring).unwrap();
    });
    let args = ["small", "--rate=100", "--connections=2", "--seconds=30"].map(str::to_owned);
    let target = Target { address: broker(), gauge: Gauge::Nothing, data: None, until_listening: None };
    let began = std::time::Instant::now();
    let ground = Ground { topics: vec!["t".to_owned()] };
    let error = load(&[node(), goes], &args, &target, &ground, &Quiet).err().unwrap().to_string();
    assert!(error.contains(&format!("node {goes}")), "{error}");
    assert!(began.elapsed() < Duration::from_secs(20), "the run of the other takes 30 s and more");
}

#[test]
fn nothing_of_a_histogram_is_lost_on_the_wire() {
    let mut latency = crate::load::histogram().unwrap();
    (0..2000_u64).for_each(|n| latency.record(n * n * 1000).unwrap());
    let figures = [("partitions".to_owned(), 6.0)].into();
    let measured = Measured { requests: 2000, records: 1, bytes: 2, seconds: 0.5, latency, figures };
    let line = serde_json::to_string(&message::Measurement::of(measured.clone())).unwrap();
    let back = serde_json::from_str::<message::Measurement>(&line).unwrap().measured().unwrap();
    assert_eq!(back.latency, measured.latency);
    assert_eq!((back.requests, back.seconds, back.figures["partitions"]), (2000, 0.5, 6.0));
}

#[test]
fn a_task_that_cannot_be_done_is_told() {
    let target = Target { address: broker(), gauge: Gauge::Nothing, data: None, until_listening: None };
    let ground = Ground { topics: vec!["t".to_owned()] };
    let error = load(&[node()], &["nothing".to_owned()], &target, &ground, &Quiet).err().unwrap();
    assert!(error.to_string().contains("nothing"), "{error}");
}
