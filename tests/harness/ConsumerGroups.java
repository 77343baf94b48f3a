// Consumer groups of the new protocol (KIP-848) with Apache Kafka's own clients: each step prints `ok STEP`, or throws.
//   java -cp 'JARS/*' ConsumerGroups.java steps HOST:PORT [STEP ...]
//   java -cp 'JARS/*' ConsumerGroups.java stay HOST:PORT TOPIC GROUP

import java.time.Duration;
import java.util.*;
import java.util.concurrent.*;
import java.util.function.BooleanSupplier;
import java.util.stream.*;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.*;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.*;
import org.apache.kafka.common.serialization.*;

public class ConsumerGroups {
    static String broker;
    static Admin admin;

    public static void main(String[] args) throws Exception {
        broker = args[1];
        try (Admin own = Admin.create(Map.of("bootstrap.servers", broker))) {
            admin = own;
            if (args[0].equals("stay")) stay(args[2], args[3]);
            List<String> all = List.of("share", "ranges", "statics", "patterns", "settings", "migrate", "wrong");
            List<String> steps = args.length > 2 ? List.of(args).subList(2, args.length) : all;
            for (String step : steps) {
                switch (step) {
                    case "share" -> share();
                    case "ranges" -> ranges();
                    case "statics" -> statics();
                    case "patterns" -> patterns();
                    case "settings" -> settings();
                    case "migrate" -> migrate();
                    case "wrong" -> wrong();
                    default -> throw new Error(step);
                }
                System.out.println("ok " + step);
                System.out.flush();
            }
        }
        System.exit(0);
    }

    /** A consumer in a thread of its own. */
    static class Member implements AutoCloseable {
        final KafkaConsumer<String, String> consumer;
        final Thread thread;
        final Queue<String> read = new ConcurrentLinkedQueue<>();
        volatile Set<TopicPartition> owned = Set.of();
        volatile int lost;
        volatile String id;
        volatile boolean stop;
        volatile Throwable failure;

        Member(String group, Object subscription, String... pairs) {
            Map<String, Object> all = new HashMap<>(Map.of("bootstrap.servers", broker, "group.id", group,
                "auto.offset.reset", "earliest", "enable.auto.commit", "true", "auto.commit.interval.ms", "200",
                "metadata.max.age.ms", "1000"));
            for (int i = 0; i < pairs.length; i += 2) all.put(pairs[i], pairs[i + 1]);
            consumer = new KafkaConsumer<>(all, new StringDeserializer(), new StringDeserializer());
            var listener = new ConsumerRebalanceListener() {
                public void onPartitionsAssigned(Collection<TopicPartition> p) { owned = Set.copyOf(consumer.assignment()); }
                public void onPartitionsRevoked(Collection<TopicPartition> p) {
                    owned = consumer.assignment().stream().filter(tp -> !p.contains(tp)).collect(Collectors.toSet());
                }
                public void onPartitionsLost(Collection<TopicPartition> p) { lost++; onPartitionsRevoked(p); }
            };
            if (subscription instanceof SubscriptionPattern pattern) consumer.subscribe(pattern, listener);
            else consumer.subscribe((List<String>) subscription, listener);
            thread = new Thread(this::run);
            thread.start();
        }

        void run() {
            try (consumer) {
                while (!stop) {
                    consumer.poll(Duration.ofMillis(50)).forEach(r -> read.add(r.value()));
                    id = consumer.groupMetadata().memberId();
                }
            } catch (Throwable t) {
                failure = t;
            }
        }

        public void close() throws InterruptedException {
            stop = true;
            thread.join(30_000);
            if (failure != null) throw new Error(failure);
        }
    }

    static void until(String what, BooleanSupplier condition) throws InterruptedException {
        long end = System.nanoTime() + 60_000_000_000L;
        while (!condition.getAsBoolean()) {
            if (System.nanoTime() > end) throw new Error("not within a minute: " + what);
            Thread.sleep(20);
        }
    }

    /** Each partition has one owner, and everybody has some. */
    static boolean shared(int partitions, Member... members) {
        List<TopicPartition> all = Stream.of(members).flatMap(m -> m.owned.stream()).toList();
        return all.size() == partitions && new HashSet<>(all).size() == partitions
            && Stream.of(members).noneMatch(m -> m.owned.isEmpty());
    }

    static void topic(String name, int partitions) throws Exception {
        admin.createTopics(List.of(new NewTopic(name, partitions, (short) 1))).all().get();
    }

    static void write(String topic, int from, int to) throws Exception {
        try (var p = new KafkaProducer<>(Map.of("bootstrap.servers", broker), new StringSerializer(), new StringSerializer())) {
            for (int i = from; i < to; i++) p.send(new ProducerRecord<>(topic, "k" + i, "" + i));
        }
    }

    static ConsumerGroupDescription described(String group) {
        try {
            return admin.describeConsumerGroups(List.of(group)).all().get().get(group);
        } catch (Exception e) {
            throw new Error(e);
        }
    }

    static void check(boolean condition, Object what) {
        if (!condition) throw new Error("" + what);
    }

    static long committed(String group) throws Exception {
        return admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get().values().stream()
            .mapToLong(OffsetAndMetadata::offset).sum();
    }

    static final String[] NEW = {"group.protocol", "consumer"};

    static void share() throws Exception {
        topic("share", 6);
        write("share", 0, 300);
        var a = new Member("share", List.of("share"), NEW);
        until("the first member owns all", () -> shared(6, a));
        var b = new Member("share", List.of("share"), NEW);
        until("two members share", () -> shared(6, a, b) && a.owned.size() == 3);
        until("stable", () -> described("share").groupState() == GroupState.STABLE);
        var group = described("share");
        check(group.type() == GroupType.CONSUMER && group.members().size() == 2 && group.partitionAssignor().equals("uniform"), group);
        for (var m : group.members()) {
            check(m.assignment().topicPartitions().size() == 3 && m.targetAssignment().get().equals(m.assignment()), m);
            check(m.memberEpoch().isPresent() && m.upgraded().get(), m);
        }
        var listed = admin.listGroups(ListGroupsOptions.forConsumerGroups()).all().get().stream()
            .filter(g -> g.groupId().equals("share")).findFirst().get();
        check(listed.type().get() == GroupType.CONSUMER && listed.groupState().get() == GroupState.STABLE, listed);
        admin.createPartitions(Map.of("share", NewPartitions.increaseTo(8))).all().get();
        until("new partitions are shared too", () -> shared(8, a, b));
        b.close();
        until("the first owns all again", () -> shared(8, a));
        write("share", 300, 600);
        until("all is read", () -> a.read.size() + b.read.size() >= 600);
        a.close();
        var all = new TreeSet<>(a.read);
        all.addAll(b.read);
        check(all.size() == 600 && a.read.size() + b.read.size() == 600, a.read.size() + " and " + b.read.size());
        check(committed("share") == 600, committed("share"));
        check(described("share").groupState() == GroupState.EMPTY, described("share"));
        admin.deleteConsumerGroups(List.of("share")).all().get();
        check(admin.listGroups().all().get().stream().noneMatch(g -> g.groupId().equals("share")), "deleted");
    }

    static void ranges() throws Exception {
        topic("left", 4);
        topic("right", 4);
        String[] range = {"group.protocol", "consumer", "group.remote.assignor", "range"};
        try (var a = new Member("ranges", List.of("left", "right"), range); var b = new Member("ranges", List.of("left", "right"), range)) {
            until("two members share", () -> shared(8, a, b) && a.owned.size() == 4);
            for (var m : List.of(a, b)) {
                var left = m.owned.stream().filter(p -> p.topic().equals("left")).map(TopicPartition::partition).collect(Collectors.toSet());
                var right = m.owned.stream().filter(p -> p.topic().equals("right")).map(TopicPartition::partition).collect(Collectors.toSet());
                check(left.equals(right), m.owned);
            }
            check(described("ranges").partitionAssignor().equals("range"), described("ranges"));
        }
    }

    static void statics() throws Exception {
        topic("statics", 4);
        String[] first = {"group.protocol", "consumer", "group.instance.id", "one", "client.rack", "r1"};
        String[] second = {"group.protocol", "consumer", "group.instance.id", "two"};
        var a = new Member("statics", List.of("statics"), first);
        var b = new Member("statics", List.of("statics"), second);
        until("two members share", () -> shared(4, a, b));
        until("stable", () -> described("statics").groupState() == GroupState.STABLE);
        var had = b.owned;
        int epoch = described("statics").groupEpoch().get();
        b.close();
        var c = new Member("statics", List.of("statics"), second);
        until("the second is back", () -> c.owned.equals(had));
        check(described("statics").groupEpoch().get() == epoch, "no rebalance: " + epoch);
        check(described("statics").members().stream().anyMatch(m -> m.rackId().equals(Optional.of("r1"))), "the rack is told");
        admin.removeMembersFromConsumerGroup("statics", new RemoveMembersFromConsumerGroupOptions(
            List.of(new MemberToRemove("two")))).all().get();
        until("the place is gone", () -> described("statics").members().stream().noneMatch(m -> m.groupInstanceId().equals(Optional.of("two")))
            || shared(4, a, c));
        a.close();
        c.stop = true;
        c.thread.join();
    }

    static void patterns() throws Exception {
        topic("re-one", 2);
        topic("other", 2);
        try (var a = new Member("patterns", new SubscriptionPattern("re-.*|nothing"), NEW)) {
            until("the pattern's topic is owned", () -> shared(2, a));
        }
        try (var bad = new Member("patterns", new SubscriptionPattern("re-(.*"), NEW)) {
            until("a bad pattern is refused", () -> bad.failure instanceof InvalidRegularExpression);
            bad.failure = null;
        }
    }

    static void settings() throws Exception {
        var resource = new ConfigResource(ConfigResource.Type.GROUP, "settings");
        admin.incrementalAlterConfigs(Map.of(resource, List.of(
            new AlterConfigOp(new ConfigEntry("consumer.session.timeout.ms", "50000"), AlterConfigOp.OpType.SET)))).all().get();
        until("the setting is described", () -> {
            try {
                var entry = admin.describeConfigs(List.of(resource)).all().get().get(resource).get("consumer.session.timeout.ms");
                return entry.value().equals("50000") && entry.source() == ConfigEntry.ConfigSource.DYNAMIC_GROUP_CONFIG;
            } catch (Exception e) {
                throw new Error(e);
            }
        });
        for (var wrong : List.of(Map.entry("consumer.session.timeout.ms", "1"), Map.entry("consumer.nonsense", "1"))) {
            try {
                admin.incrementalAlterConfigs(Map.of(resource, List.of(
                    new AlterConfigOp(new ConfigEntry(wrong.getKey(), wrong.getValue()), AlterConfigOp.OpType.SET)))).all().get();
                throw new Error("taken: " + wrong);
            } catch (ExecutionException e) {
                check(e.getCause() instanceof InvalidConfigurationException, e.getCause());
            }
        }
    }

    static final String[] CLASSIC = {"group.protocol", "classic", "session.timeout.ms", "6000", "heartbeat.interval.ms", "300",
        "partition.assignment.strategy", "org.apache.kafka.clients.consumer.CooperativeStickyAssignor"};

    /** One by one to the new protocol and back, all the time somebody owns each partition, and nothing is read twice. */
    static void migrate() throws Exception {
        topic("migrate", 4);
        write("migrate", 0, 200);
        var a = new Member("migrate", List.of("migrate"), CLASSIC);
        var b = new Member("migrate", List.of("migrate"), CLASSIC);
        until("two classic members share", () -> shared(4, a, b));
        check(described("migrate").type() == GroupType.CLASSIC, described("migrate"));
        var c = new Member("migrate", List.of("migrate"), NEW);
        until("three of both protocols share", () -> shared(4, a, b, c));
        check(described("migrate").type() == GroupType.CONSUMER, described("migrate"));
        a.close();
        until("two of both protocols share", () -> shared(4, b, c));
        b.close();
        until("one of the new protocol owns all", () -> shared(4, c));
        write("migrate", 200, 400);
        var d = new Member("migrate", List.of("migrate"), CLASSIC);
        until("a classic member came back", () -> shared(4, c, d));
        c.close();
        until("the classic member owns all", () -> shared(4, d) && described("migrate").type() == GroupType.CLASSIC);
        write("migrate", 400, 600);
        until("all is read", () -> a.read.size() + b.read.size() + c.read.size() + d.read.size() >= 600);
        d.close();
        var all = Stream.of(a, b, c, d).flatMap(m -> m.read.stream()).toList();
        check(all.size() == 600 && new HashSet<>(all).size() == 600, all.size());
        check(committed("migrate") == 600, committed("migrate"));
    }

    static void wrong() throws Exception {
        topic("wrong", 1);
        try (var a = new Member("wrong", List.of("wrong"), NEW)) {
            until("it is a member", () -> shared(1, a));
            try {
                admin.alterConsumerGroupOffsets("wrong", Map.of(new TopicPartition("wrong", 0), new OffsetAndMetadata(0))).all().get();
                throw new Error("an administrator may not commit for a group with members");
            } catch (ExecutionException e) {
                check(e.getCause() instanceof UnknownMemberIdException, e.getCause());
            }
            try {
                admin.deleteConsumerGroups(List.of("wrong")).all().get();
                throw new Error("a group with members may not be deleted");
            } catch (ExecutionException e) {
                check(e.getCause() instanceof GroupNotEmptyException, e.getCause());
            }
        }
        admin.alterConsumerGroupOffsets("wrong", Map.of(new TopicPartition("wrong", 0), new OffsetAndMetadata(0))).all().get();
        try (var odd = new Member("wrong", List.of("wrong"), "group.protocol", "consumer", "group.remote.assignor", "best")) {
            until("an unknown assignor is refused", () -> odd.failure instanceof UnsupportedAssignorException);
            odd.failure = null;
        }
    }

    /** A member that stays: tells what it owns, and each record it reads, until its input ends. */
    static void stay(String topic, String group) throws Exception {
        var a = new Member(group, List.of(topic), NEW);
        until("it owns something", () -> !a.owned.isEmpty());
        System.out.println("owned " + a.owned.size());
        var input = new java.io.BufferedReader(new java.io.InputStreamReader(System.in));
        for (String line; (line = input.readLine()) != null; ) {
            int wanted = Integer.parseInt(line.trim());
            until("read " + wanted, () -> a.read.size() >= wanted);
            System.out.println("read " + a.read.size() + " lost " + a.lost + " member " + a.id);
        }
        a.close();
        System.out.println("done");
        System.exit(0);
    }
}
