use super::*;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Mutex;

/// Counts what the gate is told.
#[derive(Default)]
struct Told(Mutex<Vec<&'static str>>);

impl Gate for Told {
    fn connected(&self) -> io::Result<()> {
        self.0.lock().unwrap().push("connected");
        Ok(())
    }
    fn measuring(&self) -> io::Result<()> {
        self.0.lock().unwrap().push("measuring");
        Ok(())
    }
}

/// A server that answers each request of `request` bytes with `reply`, `delay` after it came, one at a time; ends with the
/// connection.
fn server(request: usize, reply: Vec<u8>, delay: Duration) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        while let Ok((mut socket, _)) = listener.accept() {
            let reply = reply.clone();
            std::thread::spawn(move || {
                let mut bytes = vec![0; request];
                while socket.read_exact(&mut bytes).is_ok() {
                    std::thread::sleep(delay);
                    if socket.write_all(&reply).is_err() {
                        return;
                    }
                }
            });
        }
    });
    address
}

fn no_error(_: &[u8]) -> i16 {
    0
}

fn load<'a>(address: SocketAddr, frames: &'a dyn Fn(usize) -> io::Result<Frames>) -> Load<'a> {
    let (replies, length) = (Replies::Framed(no_error), Length::Requests(400));
    Load { address, connections: 3, in_flight: 5, frames, replies, length, rate: None }
}

#[test]
fn a_closed_loop_counts_what_comes_after_the_warm_up() {
    let address = server(50, of_bytes(90), Duration::ZERO);
    let told = Told::default();
    let outcome = load(address, &|_| Ok(Frames::same(of_bytes(50)))).run(&told).unwrap();
    // The replies that end the warm-up may come several at a time.
    assert!((386..=400).contains(&outcome.replies), "{}", outcome.replies);
    assert_eq!(outcome.latency.len(), outcome.replies);
    assert!(outcome.bytes_in <= outcome.replies * 90 + 3 * 90, "{}", outcome.bytes_in);
    assert_eq!(*told.0.lock().unwrap(), ["connected", "measuring"]);
}

#[test]
fn large_replies_are_counted_whole() {
    let address = server(50, of_bytes(1 << 20), Duration::ZERO);
    let frames = |_| Ok(Frames::same(of_bytes(50)));
    let load = Load { length: Length::Requests(40), ..load(address, &frames) };
    let outcome = load.run(&Told::default()).unwrap();
    assert!((26..=40).contains(&outcome.replies), "{}", outcome.replies);
}

#[test]
fn the_open_loop_counts_from_when_a_request_was_due() {
    // Each takes 4 ms on its connection, 1 ms is there: the later ones wait for those before them, and that is told.
    let address = server(50, of_bytes(90), Duration::from_millis(4));
    let frames = |_| Ok(Frames::same(of_bytes(50)));
    let load = Load { connections: 1, rate: Some(1000), length: Length::Requests(100), ..load(address, &frames) };
    let outcome = load.run(&Told::default()).unwrap();
    let last = outcome.latency.max() as f64 / 1e6;
    assert!(last >= 125.0 * 3.0 - 20.0, "the last one waits for 125 x 4 ms less the 125 ms of the schedule: {last} ms");
}

#[test]
fn time_limits_a_run_and_an_error_code_ends_it() {
    let address = server(50, of_bytes(90), Duration::ZERO);
    let frames = |_| Ok(Frames::same(of_bytes(50)));
    let load = Load { length: Length::Time(Duration::from_millis(200)), ..load(address, &frames) };
    let outcome = load.run(&Told::default()).unwrap();
    assert!(outcome.replies > 10 && outcome.elapsed < Duration::from_secs(5), "{:?}", outcome.elapsed);
    let load = Load { replies: Replies::Framed(|_| 7), ..load };
    assert!(load.run(&Told::default()).err().unwrap().to_string().contains("error 7"));
}

#[test]
fn a_server_that_goes_is_an_error_and_requests_without_replies_are_done_when_written() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let frames = |_| Ok(Frames::same(of_bytes(50)));
    let sink = std::thread::spawn(move || {
        let mut sockets: Vec<_> = (0..3).map(|_| listener.accept().unwrap().0).collect();
        sockets.iter_mut().map(|socket| socket.read_to_end(&mut Vec::new()).unwrap()).sum::<usize>()
    });
    let outcome = Load { replies: Replies::None, ..load(address, &frames) }.run(&Told::default()).unwrap();
    assert!((100..=400).contains(&outcome.replies), "{}", outcome.replies);
    assert_eq!(sink.join().unwrap(), 500 * 50);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || (0..3).for_each(|_| drop(listener.accept())));
    assert!(load(address, &frames).run(&Told::default()).is_err());
}
