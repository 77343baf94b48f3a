use super::*;
use crate::ring::file::{File, OpenMode};
use crate::ring::runtime::{self, block_on_test, blocking, spawn};
use bytes::{Bytes, BytesMut};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

fn listener() -> (Listener, SocketAddr) {
    let reservation = reserve("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = Listener::bind(reservation.address(), ListenerOptions::default()).unwrap();
    (listener, reservation.address())
}

/// Bytes that tell when one is missing, doubled or out of place.
fn pattern(len: usize) -> Vec<u8> {
    (0..len as u64).map(|n| (n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as u8).collect()
}

async fn accept_from(client: impl FnOnce(TcpStream) + Send + 'static) -> (Stream, runtime::Blocking<()>) {
    let (listener, address) = listener();
    let client = blocking(move || client(TcpStream::connect(address).unwrap()));
    let (stream, peer) = listener.accept().await.unwrap();
    assert!(peer.ip().is_loopback());
    (stream, client)
}

async fn recv_all(stream: &Stream) -> BytesMut {
    let mut all = BytesMut::new();
    loop {
        let chunk = stream.recv().await.unwrap();
        if chunk.is_empty() {
            return all;
        }
        all.extend_from_slice(&chunk);
    }
}

#[test]
fn what_is_sent_is_received_in_order_until_the_end_of_the_stream() {
    block_on_test(async {
        let sent = pattern(3 << 20);
        let expected = sent.clone();
        let (stream, client) = accept_from(move |mut socket| socket.write_all(&sent).unwrap()).await;
        assert!(recv_all(&stream).await == expected);
        client.await;
    });
}

#[test]
fn chunks_held_for_long_keep_their_bytes_and_starve_nobody() {
    block_on_test(async {
        let sent = pattern(40 << 20);
        let expected = sent.clone();
        let (stream, client) = accept_from(move |mut socket| socket.write_all(&sent).unwrap()).await;
        let mut held = Vec::new();
        let mut len = 0;
        // More than all provided buffers together can hold.
        while len < expected.len() {
            let chunk = stream.recv().await.unwrap();
            len += chunk.len();
            held.push(chunk);
        }
        assert!(held.concat() == expected);
        client.await;
    });
}

#[test]
fn a_stream_that_is_detached_and_attached_again_loses_nothing() {
    block_on_test(async {
        let sent = pattern(20 << 20);
        let expected = sent.clone();
        let (mut stream, client) = accept_from(move |mut socket| socket.write_all(&sent).unwrap()).await;
        let mut all = BytesMut::new();
        for taken in 0..10 {
            for _ in 0..taken {
                all.extend_from_slice(&stream.recv().await.unwrap());
            }
            let not_used = stream.recv().await.unwrap();
            stream = Stream::attach(stream.detach(vec![not_used]).await.unwrap());
        }
        all.extend_from_slice(&recv_all(&stream).await);
        assert!(all == expected);
        client.await;
    });
}

#[test]
fn what_left_receives_nothing_when_buffers_come_back() {
    let config = runtime::RingConfig { receive_buffers: 2, ..runtime::RingConfig::default() };
    runtime::block_on_test_with(config, async {
        let sent = pattern(2 << 20);
        let expected = sent.clone();
        let (stream, client) = accept_from(move |mut socket| socket.write_all(&sent).unwrap()).await;
        let mut held = vec![stream.recv().await.unwrap(), stream.recv().await.unwrap()];
        // No buffer is left: this receive has to wait for one, and the stream leaves meanwhile.
        let waiting = spawn({
            let stream = stream.clone();
            async move { stream.recv().await }
        });
        runtime::sleep(Duration::from_millis(20)).await;
        let attached = Stream::attach(stream.detach(Vec::new()).await.unwrap());
        let mut all = BytesMut::from(&*held.concat());
        assert!(waiting.cancel().await.is_none());
        held.clear();
        all.extend_from_slice(&recv_all(&attached).await);
        assert!(all == expected);
        client.await;
    });
}

#[test]
fn when_buffers_run_out_receiving_goes_on_when_they_come_back() {
    let config = runtime::RingConfig { receive_buffers: 4, receive_buffer_bytes: 4096, ..Default::default() };
    runtime::block_on_test_with(config, async {
        let (listener, address) = listener();
        let clients: Vec<_> = (0..12_u8)
            .map(|n| blocking(move || TcpStream::connect(address).unwrap().write_all(&vec![n; 300_000]).unwrap()))
            .collect();
        let mut tasks = Vec::new();
        for _ in 0..clients.len() {
            let (stream, _) = listener.accept().await.unwrap();
            tasks.push(spawn(async move { recv_all(&stream).await }));
        }
        for task in tasks {
            let all = task.await;
            assert_eq!(all.len(), 300_000);
            assert!(all.iter().all(|&byte| byte == all[0]));
        }
        for client in clients {
            client.await;
        }
    });
}

#[test]
fn a_chunk_dropped_on_another_core_returns_its_buffer() {
    let config = runtime::RingConfig { receive_buffers: 4, receive_buffer_bytes: 4096, ..Default::default() };
    runtime::block_on_test_with(config, async {
        let sent = pattern(1 << 20);
        let expected = sent.clone();
        let (stream, client) = accept_from(move |mut socket| socket.write_all(&sent).unwrap()).await;
        let mut all = BytesMut::new();
        while all.len() < expected.len() {
            let chunk = stream.recv().await.unwrap();
            all.extend_from_slice(&blocking(move || chunk.to_vec()).await);
        }
        assert!(all == expected);
        client.await;
    });
}

#[test]
fn large_frames_between_small_ones_arrive_whole_and_in_order() {
    block_on_test(async {
        let sizes = [10_usize, 700_000, 20, 3 << 20, 5, 40_000, 40_000, 9 << 20, 1, 2, 3];
        let frames: Vec<Vec<u8>> = sizes.iter().map(|&size| pattern(size)).collect();
        let sent = frames.clone();
        let (stream, client) = accept_from(move |mut socket| {
            for frame in sent {
                socket.write_all(&(frame.len() as u32).to_be_bytes()).unwrap();
                socket.write_all(&frame).unwrap();
            }
        })
        .await;
        let mut rest = BytesMut::new();
        for frame in &frames {
            while rest.len() < 4 {
                rest.extend_from_slice(&stream.recv().await.unwrap());
            }
            let len = u32::from_be_bytes(rest.split_to(4)[..].try_into().unwrap()) as usize;
            assert_eq!(len, frame.len());
            let already = rest.split_to(len.min(rest.len())).freeze();
            let received = stream.recv_exact(len, vec![already]).await.unwrap();
            assert!(received == *frame, "the frame of {len} bytes differs");
        }
        client.await;
    });
}

#[test]
fn a_peer_that_leaves_within_a_large_frame_is_an_error() {
    block_on_test(async {
        let (stream, client) = accept_from(|mut socket| socket.write_all(&[1; 1000]).unwrap()).await;
        let result = stream.recv_exact(1 << 20, Vec::new()).await;
        assert_eq!(result.unwrap_err().kind(), std::io::ErrorKind::UnexpectedEof);
        client.await;
    });
}

#[test]
fn a_large_frame_that_stalls_is_given_up_and_its_memory_is_free() {
    let config = runtime::RingConfig { large_frame_stalls_after: Duration::from_millis(20), ..Default::default() };
    runtime::block_on_test_with(config, async {
        let (done, wait) = std::sync::mpsc::channel::<()>();
        let (stream, client) = accept_from(move |mut socket| {
            socket.write_all(&[1; 1000]).unwrap();
            let _ = wait.recv();
        })
        .await;
        let result = stream.recv_exact(1 << 20, Vec::new()).await;
        assert_eq!(result.unwrap_err().kind(), std::io::ErrorKind::TimedOut);
        drop(done);
        client.await;
    });
}

#[test]
fn a_large_frame_that_trickles_in_is_no_stall() {
    let config = runtime::RingConfig { large_frame_stalls_after: Duration::from_millis(50), ..Default::default() };
    runtime::block_on_test_with(config, async {
        let (stream, client) = accept_from(|mut socket| {
            for _ in 0..20 {
                socket.write_all(&[1; 100]).unwrap();
                // Not for synchronisation: the trickle is what is tested.
                std::thread::sleep(Duration::from_millis(10));
            }
        })
        .await;
        assert_eq!(stream.recv_exact(2000, Vec::new()).await.unwrap().len(), 2000);
        client.await;
    });
}

#[test]
fn a_frame_charges_the_budget_while_it_lives() {
    block_on_test(async {
        let used = || crate::ring::uring::Core::with(|core| core.budget.used());
        let (stream, client) = accept_from(|mut socket| socket.write_all(&[1; 100_000]).unwrap()).await;
        let frame = stream.recv_exact(100_000, Vec::new()).await.unwrap();
        assert_eq!(used(), 100_000);
        drop(frame);
        assert_eq!(used(), 0);
        client.await;
    });
}

#[test]
fn all_parts_are_sent_also_when_the_peer_is_slow_and_they_are_many() {
    block_on_test(async {
        let parts: Vec<_> = (0..5000_usize).map(|n| Bytes::from(pattern(n % 2000))).collect();
        let expected = parts.concat();
        let len = expected.len();
        let (received, receiver) = std::sync::mpsc::channel();
        let (stream, client) = accept_from(move |mut socket| {
            let mut all = vec![0; len];
            socket.read_exact(&mut all).unwrap();
            received.send(all).unwrap();
        })
        .await;
        stream.send(parts).await.unwrap();
        client.await;
        assert!(receiver.recv().unwrap() == expected);
    });
}

#[test]
fn a_file_leaves_with_equal_bytes_on_each_path() {
    block_on_test(async {
        let dir = tempfile::tempdir().unwrap();
        let file = File::open(&dir.path().join("f"), OpenMode::CreateNew).unwrap();
        let content = pattern(2_500_000);
        file.write_at(&content, 0).unwrap();
        for path in [FetchPath::Auto, FetchPath::Sendfile, FetchPath::ReadSend, FetchPath::Splice] {
            for (position, len, head) in
                [(0, 2_500_000, 100), (4097, 1_000_003, 5000), (17, 1, 1), (18, 2, 1024), (2_499_999, 1, 0)]
            {
                let (received, receiver) = std::sync::mpsc::channel();
                let (stream, client) = accept_from(move |mut socket| {
                    let mut all = Vec::new();
                    socket.read_to_end(&mut all).unwrap();
                    received.send(all).unwrap();
                })
                .await;
                let heads = [Bytes::from(vec![0xA5; head]), Bytes::from(vec![0x5A; head])];
                // In one part, and in two.
                let head = if position % 2 == 0 { vec![Bytes::from(heads.concat())] } else { heads.to_vec() };
                stream.send_ahead_of_file(head).await.unwrap();
                stream.send_file(&file, position as u64, len as u64, path).await.unwrap();
                stream.shutdown();
                client.await;
                let expected = [&heads[0], &heads[1], &content[position..position + len]].concat();
                assert!(receiver.recv().unwrap() == expected, "{path:?} {position} {len}");
            }
        }
    });
}

#[test]
fn a_file_shorter_than_promised_is_an_error_on_each_path() {
    block_on_test(async {
        let dir = tempfile::tempdir().unwrap();
        let file = File::open(&dir.path().join("f"), OpenMode::CreateNew).unwrap();
        file.write_at(&[1; 1000], 0).unwrap();
        for path in [FetchPath::Sendfile, FetchPath::ReadSend, FetchPath::Splice] {
            let (stream, client) = accept_from(|mut socket| {
                let _ = socket.read_to_end(&mut Vec::new());
            })
            .await;
            let error = stream.send_file(&file, 0, 1001, path).await.unwrap_err();
            assert_eq!(error.kind(), std::io::ErrorKind::UnexpectedEof, "{path:?}");
            stream.shutdown();
            client.await;
        }
    });
}

#[test]
fn a_taken_port_is_refused_with_a_sentence_and_a_reserved_one_is_shared_by_our_cores() {
    block_on_test(async {
        let (_first, address) = listener();
        let error = reserve(address).err().unwrap();
        assert!(error.to_string().contains(&address.to_string()), "{error}");
        let second = Listener::bind(address, ListenerOptions::default()).unwrap();
        assert_eq!(second.local_addr().unwrap(), address);
    });
}

#[test]
fn accepted_connections_do_not_delay_small_packets() {
    block_on_test(async {
        let (stream, client) = accept_from(drop).await;
        assert!(stream.socket().tcp().nodelay().unwrap());
        client.await;
    });
}

#[test]
fn a_receive_ends_when_the_stream_is_shut_down() {
    block_on_test(async {
        let (stream, client) = accept_from(|mut socket| {
            let _ = socket.read(&mut [0]);
        })
        .await;
        let other = stream.clone();
        let receiving = spawn(async move { other.recv().await });
        runtime::sleep(Duration::from_millis(1)).await;
        stream.shutdown();
        assert!(receiving.await.unwrap().is_empty());
        client.await;
    });
}

#[test]
fn dropping_the_stream_closes_the_connection_although_a_receive_is_armed() {
    block_on_test(async {
        let (stream, client) = accept_from(|mut socket| assert_eq!(socket.read(&mut [0]).unwrap_or(0), 0)).await;
        let other = stream.clone();
        let receiving = spawn(async move { other.recv().await });
        runtime::sleep(Duration::from_millis(1)).await;
        drop(receiving);
        drop(stream);
        client.await;
    });
}
