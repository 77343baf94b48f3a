//! Clients, time-outs, restarts, failed appends, lost answers and unreachable partitions in random order. A transaction is
//! never half, a zombie never writes, the last stable offset never passes an open transaction, and none stays open.

use super::model::Model;

/// `TXN_SEEDS=1000` for longer; `TXN_SEED=n` repeats one.
fn seeds() -> Vec<u64> {
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    match number("TXN_SEED") {
        Some(seed) => vec![seed],
        None => (0..number("TXN_SEEDS").unwrap_or(60)).collect(),
    }
}

#[test]
fn whatever_happens_a_transaction_is_whole_and_zombies_do_not_write() {
    let mut committed = 0;
    for seed in seeds() {
        for version in [0, 2] {
            let told = std::panic::catch_unwind(|| {
                let mut model = Model::new(seed, version);
                for _ in 0..600 {
                    model.step();
                }
                model.settle();
                model.committed
            });
            committed += told.unwrap_or_else(|_| panic!("TXN_SEED={seed}, transaction.version {version}"));
        }
    }
    assert!(committed > 0, "nobody committed anything");
}
