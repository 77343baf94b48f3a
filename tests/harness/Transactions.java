import java.time.Duration;
import java.util.*;
import java.util.concurrent.*;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.*;
import org.apache.kafka.common.errors.*;

/** Transactions by Apache Kafka's own clients. Arguments: bootstrap, scenes... Each scene prints "ok NAME" or
 *  "FAILED NAME why". The scene "load" writes transactions over three partitions until its input ends, through broker
 *  restarts, says of each how it ended, and then reads them back. */
public class Transactions {
    static final String STRINGS = "org.apache.kafka.common.serialization.StringSerializer";
    static String bootstrap;
    static Admin admin;

    interface Scene { void run() throws Exception; }

    @SuppressWarnings("removal") // clients before 2.5 had no other
    static ConsumerGroupMetadata only(String group) {
        return new ConsumerGroupMetadata(group);
    }

    public static void main(String[] a) throws Exception {
        bootstrap = a[0];
        Properties p = new Properties();
        p.put("bootstrap.servers", bootstrap);
        admin = Admin.create(p);
        Map<String, Scene> scenes = new LinkedHashMap<>();
        scenes.put("commit_and_abort", Transactions::commitAndAbort);
        scenes.put("read_committed_wakes", Transactions::readCommittedWakes);
        scenes.put("fencing", Transactions::fencing);
        scenes.put("consume_transform_produce", Transactions::consumeTransformProduce);
        scenes.put("unstable_offsets", Transactions::unstableOffsets);
        scenes.put("administration", Transactions::administration);
        scenes.put("hanging", Transactions::hanging);
        scenes.put("timeout", Transactions::timeout);
        scenes.put("many_in_a_row", Transactions::manyInARow);
        int failed = 0;
        for (int i = 1; i < a.length; i++) {
            if (a[i].equals("load")) { load(); continue; }
            List<String> names = a[i].equals("all") ? new ArrayList<>(scenes.keySet()) : List.of(a[i]);
            for (String name : names) {
                try {
                    long began = System.nanoTime();
                    scenes.get(name).run();
                    System.out.println("ok " + name + " " + (System.nanoTime() - began) / 1_000_000 + " ms");
                } catch (Throwable e) {
                    failed++;
                    System.out.println("FAILED " + name + " " + e);
                    e.printStackTrace();
                }
            }
        }
        System.out.flush();
        System.exit(failed == 0 ? 0 : 1);
    }

    // ------------------------------------------------------------------------------------------------ scenes

    static void commitAndAbort() throws Exception {
        String t = topic(2);
        try (Producer<String, String> p = producer("commit-and-abort", 60_000)) {
            p.initTransactions();
            p.beginTransaction();
            for (int i = 0; i < 10; i++) p.send(new ProducerRecord<>(t, i % 2, "k", "good-" + i));
            p.commitTransaction();
            p.beginTransaction();
            for (int i = 0; i < 10; i++) p.send(new ProducerRecord<>(t, i % 2, "k", "bad-" + i));
            p.flush();
            // 5 records and a marker, then the open transaction's.
            same(6L, end(t, 0, IsolationLevel.READ_COMMITTED));
            same(11L, end(t, 0, IsolationLevel.READ_UNCOMMITTED));
            p.abortTransaction();
            p.beginTransaction();
            p.send(new ProducerRecord<>(t, 0, "k", "last"));
            p.commitTransaction();
            until("the last stable offset moves", () -> end(t, 0, IsolationLevel.READ_COMMITTED) == 14L);
        }
        List<String> committed = read(t, 2, true);
        same(11, committed.size());
        check(committed.stream().noneMatch(v -> v.startsWith("bad")), committed);
        same(21, read(t, 2, false).size());
    }

    static void readCommittedWakes() throws Exception {
        String t = topic(1);
        try (Producer<String, String> p = producer("wakes", 60_000); Consumer<String, String> c = consumer(null, true, 3_000)) {
            p.initTransactions();
            p.beginTransaction();
            p.send(new ProducerRecord<>(t, "k", "v")).get();
            c.assign(List.of(new TopicPartition(t, 0)));
            c.seekToBeginning(c.assignment());
            same(0, c.poll(Duration.ofMillis(400)).count());
            ExecutorService other = Executors.newSingleThreadExecutor();
            Future<Long> woken = other.submit(() -> {
                while (c.poll(Duration.ofSeconds(20)).isEmpty()) { }
                return System.nanoTime();
            });
            Thread.sleep(100);
            p.commitTransaction();
            long committed = System.nanoTime();
            long late = (woken.get(20, TimeUnit.SECONDS) - committed) / 1_000_000;
            // The consumer asks for 3 s at a time: it was woken.
            check(late < 1500, late + " ms late");
            other.shutdown();
        }
    }

    static void fencing() throws Exception {
        String t = topic(1);
        Producer<String, String> old = producer("fencing", 60_000);
        old.initTransactions();
        old.beginTransaction();
        old.send(new ProducerRecord<>(t, "k", "old")).get();
        Producer<String, String> now = producer("fencing", 60_000);
        now.initTransactions();
        now.beginTransaction();
        now.send(new ProducerRecord<>(t, "k", "new"));
        now.commitTransaction();
        try {
            old.send(new ProducerRecord<>(t, "k", "zombie"));
            old.commitTransaction();
            throw new AssertionError("a zombie commits");
        } catch (ProducerFencedException | InvalidProducerEpochException e) {
            // as it should
        } catch (KafkaException e) {
            check(e.getCause() instanceof ProducerFencedException || e.getCause() instanceof InvalidProducerEpochException, e);
        }
        same(List.of("new"), read(t, 1, true));
        old.close(Duration.ZERO);
        admin.fenceProducers(List.of("fencing")).all().get();
        try {
            now.beginTransaction();
            now.send(new ProducerRecord<>(t, "k", "fenced")).get();
            now.commitTransaction();
            throw new AssertionError("a fenced producer commits");
        } catch (KafkaException | ExecutionException e) {
            // as it should
        }
        now.close(Duration.ZERO);
        same(List.of("new"), read(t, 1, true));
    }

    static void consumeTransformProduce() throws Exception {
        String in = topic(2), out = topic(2), group = "transform-" + in;
        Set<String> expected = new TreeSet<>();
        try (Producer<String, String> p = producer(null, 0)) {
            for (int i = 0; i < 200; i++) {
                p.send(new ProducerRecord<>(in, i % 2, "k", "v" + i));
                expected.add("v" + i + "!");
            }
        }
        int round = 0;
        try (Producer<String, String> p = producer("transform", 60_000)) {
            p.initTransactions();
            int done = 0;
            while (done < 200) {
                try (Consumer<String, String> c = consumer(group, true, 500)) {
                    c.subscribe(List.of(in));
                    while (done < 200) {
                        ConsumerRecords<String, String> records = c.poll(Duration.ofMillis(500));
                        if (records.isEmpty()) continue;
                        p.beginTransaction();
                        Map<TopicPartition, OffsetAndMetadata> offsets = new HashMap<>();
                        for (ConsumerRecord<String, String> r : records) {
                            p.send(new ProducerRecord<>(out, r.partition(), "k", r.value() + "!"));
                            offsets.put(new TopicPartition(r.topic(), r.partition()), new OffsetAndMetadata(r.offset() + 1));
                        }
                        p.sendOffsetsToTransaction(offsets, c.groupMetadata());
                        if (round++ % 3 == 0) {
                            p.abortTransaction();
                            break; // and again, from what is committed
                        }
                        p.commitTransaction();
                        done += records.count();
                    }
                }
            }
        }
        List<String> got = read(out, 2, true);
        same(200, got.size());
        same(expected, new TreeSet<>(got));
        Map<TopicPartition, OffsetAndMetadata> offsets =
            admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get();
        for (int i = 0; i < 2; i++) same(100L, offsets.get(new TopicPartition(in, i)).offset());
    }

    static void unstableOffsets() throws Exception {
        String t = topic(1), group = "unstable-" + t;
        TopicPartition tp = new TopicPartition(t, 0);
        try (Producer<String, String> p = producer("unstable", 60_000); Consumer<String, String> c = consumer(group, true, 500)) {
            p.initTransactions();
            for (boolean commit : new boolean[] {true, false}) {
                p.beginTransaction();
                p.sendOffsetsToTransaction(Map.of(tp, new OffsetAndMetadata(commit ? 7 : 9)), only(group));
                try {
                    c.committed(Set.of(tp), Duration.ofMillis(700));
                    throw new AssertionError("an unstable offset is told");
                } catch (org.apache.kafka.common.errors.TimeoutException e) {
                    // as it should
                }
                if (commit) p.commitTransaction(); else p.abortTransaction();
                same(7L, c.committed(Set.of(tp), Duration.ofSeconds(20)).get(tp).offset());
            }
        }
    }

    static void administration() throws Exception {
        String t = topic(2), id = "administration-" + t;
        try (Producer<String, String> p = producer(id, 60_000)) {
            p.initTransactions();
            same(TransactionState.EMPTY, described(id).state());
            p.beginTransaction();
            p.send(new ProducerRecord<>(t, 1, "k", "v")).get();
            TransactionDescription d = described(id);
            same(TransactionState.ONGOING, d.state());
            same(Set.of(new TopicPartition(t, 1)), d.topicPartitions());
            same(60_000L, d.transactionTimeoutMs());
            same(Set.of(id), listed(new ListTransactionsOptions().filterProducerIds(Set.of(d.producerId()))));
            check(listed(new ListTransactionsOptions().filterStates(Set.of(TransactionState.ONGOING))).contains(id), "state");
            check(!listed(new ListTransactionsOptions().filterStates(Set.of(TransactionState.PREPARE_COMMIT))).contains(id), "state");
            check(!listed(new ListTransactionsOptions().filterOnDuration(600_000L)).contains(id), "duration");
            Thread.sleep(20);
            check(listed(new ListTransactionsOptions().filterOnDuration(10L)).contains(id), "duration");
            p.commitTransaction();
            until("it is complete", () -> described(id).state() == TransactionState.COMPLETE_COMMIT);
            same(Set.of(), described(id).topicPartitions());
        }
        try {
            described("nobody");
            throw new AssertionError("described what nobody made");
        } catch (ExecutionException e) {
            check(e.getCause() instanceof TransactionalIdNotFoundException, e);
        }
        try {
            Object byPattern = ListTransactionsOptions.class.getMethod("filterOnTransactionalIdPattern", String.class)
                .invoke(new ListTransactionsOptions(), "admin.*-" + t);
            same(Set.of(id), listed((ListTransactionsOptions) byPattern));
        } catch (NoSuchMethodException e) {
            // clients before 4.1
        }
    }

    static Set<String> listed(ListTransactionsOptions options) throws Exception {
        Set<String> ids = new HashSet<>();
        for (TransactionListing one : admin.listTransactions(options).all().get()) ids.add(one.transactionalId());
        return ids;
    }

    static void hanging() throws Exception {
        String t = topic(1), id = "hanging-" + t;
        TopicPartition tp = new TopicPartition(t, 0);
        Producer<String, String> p = producer(id, 60_000);
        p.initTransactions();
        p.beginTransaction();
        p.send(new ProducerRecord<>(t, "k", "v")).get();
        ProducerState state = admin.describeProducers(List.of(tp)).partitionResult(tp).get().activeProducers().get(0);
        same(OptionalLong.of(0), state.currentTransactionStartOffset());
        // As an administrator does with a transaction whose coordinator has forgotten it.
        short epoch = (short) (state.producerEpoch() + 1);
        admin.abortTransaction(new AbortTransactionSpec(tp, state.producerId(), epoch, state.coordinatorEpoch().orElse(0))).all().get();
        same(2L, end(t, 0, IsolationLevel.READ_COMMITTED));
        same(0, read(t, 1, true).size());
        p.close(Duration.ZERO);
    }

    static void timeout() throws Exception {
        String t = topic(1), id = "timeout-" + t;
        try (Producer<String, String> p = producer(id, 1_000)) {
            p.initTransactions();
            p.beginTransaction();
            p.send(new ProducerRecord<>(t, "k", "v")).get();
            until("the transaction is aborted", () -> described(id).state() == TransactionState.COMPLETE_ABORT);
            until("the last stable offset moves", () -> end(t, 0, IsolationLevel.READ_COMMITTED) == 2L);
            try {
                p.send(new ProducerRecord<>(t, "k", "late"));
                p.commitTransaction();
                throw new AssertionError("a transaction commits after its time");
            } catch (KafkaException e) {
                // as it should
            }
            same(0, read(t, 1, true).size());
        }
    }

    static void manyInARow() throws Exception {
        String t = topic(1);
        try (Producer<String, String> p = producer("many", 60_000)) {
            p.initTransactions();
            for (int i = 0; i < 200; i++) {
                p.beginTransaction();
                p.send(new ProducerRecord<>(t, "k", "v" + i));
                if (i % 10 == 9) p.abortTransaction(); else p.commitTransaction();
            }
        }
        same(180, read(t, 1, true).size());
    }

    // ------------------------------------------------------------------------------------------------ load

    /** Says "began", then of each transaction "committed N", "aborted N" or "unknown N"; after the end of the input "ok
     *  load" when each is whole, and as it was told. */
    static void load() throws Exception {
        String t = topic(3);
        Thread input = new Thread(() -> {
            try { while (System.in.read() >= 0) { } } catch (java.io.IOException e) { }
        });
        input.start();
        Map<Integer, Boolean> told = new HashMap<>();
        Producer<String, String> p = null;
        int n = 0;
        System.out.println("began");
        while (input.isAlive() || n == 0) {
            n++;
            boolean commits = n % 4 != 0;
            try {
                if (p == null) {
                    p = producer("load", 20_000);
                    p.initTransactions();
                }
                p.beginTransaction();
                for (int i = 0; i < 3; i++) p.send(new ProducerRecord<>(t, i, "k", "" + n));
                if (commits) p.commitTransaction(); else p.abortTransaction();
                told.put(n, commits);
                System.out.println((commits ? "committed " : "aborted ") + n);
            } catch (KafkaException e) {
                System.out.println("unknown " + n + " " + e);
                p.close(Duration.ZERO);
                p = null;
            }
            System.out.flush();
        }
        if (p != null) p.close();
        for (int i = 0; i < 3; i++) {
            int partition = i;
            until("nothing is open", () -> end(t, partition, IsolationLevel.READ_COMMITTED) == end(t, partition, IsolationLevel.READ_UNCOMMITTED));
        }
        Map<Integer, Integer> seen = new HashMap<>();
        for (String value : read(t, 3, true)) seen.merge(Integer.parseInt(value), 1, Integer::sum);
        for (Map.Entry<Integer, Integer> one : seen.entrySet()) check(one.getValue() == 3, "half: " + one);
        for (Map.Entry<Integer, Boolean> one : told.entrySet()) {
            check(seen.containsKey(one.getKey()) == one.getValue(), "told otherwise: " + one);
        }
        System.out.println("ok load " + seen.size() + " of " + n + " are committed, " + told.size() + " were told");
    }

    // ------------------------------------------------------------------------------------------------ help

    static int topics = 0;

    static String topic(int partitions) throws Exception {
        String name = "txn-" + System.currentTimeMillis() + "-" + topics++;
        admin.createTopics(List.of(new NewTopic(name, partitions, (short) 1))).all().get();
        return name;
    }

    static Producer<String, String> producer(String id, int timeoutMs) {
        Properties p = new Properties();
        p.put("bootstrap.servers", bootstrap);
        p.put("key.serializer", STRINGS);
        p.put("value.serializer", STRINGS);
        p.put("max.block.ms", "60000");
        if (id != null) {
            p.put("transactional.id", id);
            p.put("transaction.timeout.ms", "" + timeoutMs);
        }
        return new KafkaProducer<>(p);
    }

    static Consumer<String, String> consumer(String group, boolean committed, int waitMs) {
        Properties p = new Properties();
        p.put("bootstrap.servers", bootstrap);
        p.put("key.deserializer", STRINGS.replace("Ser", "Deser"));
        p.put("value.deserializer", STRINGS.replace("Ser", "Deser"));
        p.put("isolation.level", committed ? "read_committed" : "read_uncommitted");
        p.put("fetch.max.wait.ms", "" + waitMs);
        p.put("enable.auto.commit", "false");
        p.put("auto.offset.reset", "earliest");
        if (group != null) p.put("group.id", group);
        return new KafkaConsumer<>(p);
    }

    /** All values up to the end as this isolation sees it. */
    static List<String> read(String topic, int partitions, boolean committed) throws Exception {
        List<String> found = new ArrayList<>();
        try (Consumer<String, String> c = consumer(null, committed, 100)) {
            List<TopicPartition> all = new ArrayList<>();
            for (int i = 0; i < partitions; i++) all.add(new TopicPartition(topic, i));
            c.assign(all);
            c.seekToBeginning(all);
            Map<TopicPartition, Long> ends = c.endOffsets(all);
            while (ends.entrySet().stream().anyMatch(e -> c.position(e.getKey()) < e.getValue()))
                for (ConsumerRecord<String, String> r : c.poll(Duration.ofMillis(500))) found.add(r.value());
        }
        return found;
    }

    static long end(String topic, int partition, IsolationLevel level) throws Exception {
        TopicPartition tp = new TopicPartition(topic, partition);
        return admin.listOffsets(Map.of(tp, OffsetSpec.latest()), new ListOffsetsOptions(level)).partitionResult(tp).get().offset();
    }

    static TransactionDescription described(String id) throws Exception {
        return admin.describeTransactions(List.of(id)).description(id).get();
    }

    static void until(String what, Callable<Boolean> holds) throws Exception {
        long deadline = System.nanoTime() + 60_000_000_000L;
        while (!holds.call()) {
            check(System.nanoTime() < deadline, "not in time: " + what);
            Thread.sleep(20);
        }
    }

    static void same(Object expected, Object got) {
        check(Objects.equals(expected, got), "expected " + expected + ", got " + got);
    }

    static void check(boolean holds, Object what) {
        if (!holds) throw new AssertionError(String.valueOf(what));
    }
}
