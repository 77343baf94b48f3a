// A share group's members, one program: `java ShareGroups.java VERB SERVER TOPIC GROUP ...`. What is delivered is printed
// as `member partition offset deliveryCount value`, one line a record.
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.consumer.AcknowledgeType;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaShareConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

public class ShareGroups {
    static final long DEADLINE_MS = 60_000;

    public static void main(String[] argv) throws Exception {
        String verb = argv[0], server = argv[1], topic = argv[2], group = argv[3];
        switch (verb) {
            case "earliest" -> configure(server, group, "share.auto.offset.reset", "earliest");
            case "divide" -> divide(server, topic, group, Integer.parseInt(argv[4]));
            case "rest" -> rest(server, topic, group, Integer.parseInt(argv[4]));
            case "verdicts" -> verdicts(server, topic, group);
            case "transactions" -> transactions(server, topic, group);
            default -> throw new IllegalArgumentException(verb);
        }
    }

    static void configure(String server, String group, String key, String value) throws Exception {
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", server))) {
            ConfigResource resource = new ConfigResource(ConfigResource.Type.GROUP, group);
            AlterConfigOp op = new AlterConfigOp(new ConfigEntry(key, value), AlterConfigOp.OpType.SET);
            admin.incrementalAlterConfigs(Map.of(resource, List.of(op))).all().get();
        }
        System.out.println("configured");
    }

    static KafkaShareConsumer<String, String> consumer(String server, String group, String mode) {
        return new KafkaShareConsumer<>(
            Map.of("bootstrap.servers", server, "group.id", group, "share.acknowledgement.mode", mode),
            new StringDeserializer(), new StringDeserializer());
    }

    static void produce(String server, String topic, String prefix, int count, int partitions) throws Exception {
        try (KafkaProducer<String, String> producer =
                new KafkaProducer<>(Map.of("bootstrap.servers", server), new StringSerializer(), new StringSerializer())) {
            for (int i = 0; i < count; i++) {
                producer.send(new ProducerRecord<>(topic, i % partitions, null, prefix + i));
            }
        }
    }

    static synchronized void tell(String member, ConsumerRecord<String, String> r) {
        System.out.println(member + " " + r.partition() + " " + r.offset() + " "
            + r.deliveryCount().map(String::valueOf).orElse("?") + " " + r.value());
    }

    /** Two members take `count` records between them and accept all. */
    static void divide(String server, String topic, String group, int count) throws Exception {
        Set<String> seen = new TreeSet<>();
        List<Thread> threads = new ArrayList<>();
        long deadline = System.currentTimeMillis() + DEADLINE_MS;
        produce(server, topic, "v", count, 2);
        for (String member : List.of("a", "b")) {
            Thread thread = new Thread(() -> {
                try (KafkaShareConsumer<String, String> consumer = consumer(server, group, "implicit")) {
                    consumer.subscribe(List.of(topic));
                    while (System.currentTimeMillis() < deadline) {
                        synchronized (seen) {
                            if (seen.size() >= count) break;
                        }
                        for (ConsumerRecord<String, String> r : consumer.poll(Duration.ofMillis(200))) {
                            tell(member, r);
                            synchronized (seen) {
                                seen.add(r.value());
                            }
                        }
                    }
                    consumer.commitSync();
                }
            });
            thread.start();
            threads.add(thread);
        }
        for (Thread thread : threads) thread.join();
    }

    /** One member takes what there is until `count` records came, then looks once more. */
    static void rest(String server, String topic, String group, int count) {
        try (KafkaShareConsumer<String, String> consumer = consumer(server, group, "implicit")) {
            consumer.subscribe(List.of(topic));
            int got = 0;
            long deadline = System.currentTimeMillis() + DEADLINE_MS;
            while (got < count && System.currentTimeMillis() < deadline) {
                for (ConsumerRecord<String, String> r : consumer.poll(Duration.ofMillis(200))) {
                    tell("rest", r);
                    got++;
                }
            }
            consumer.commitSync();
            for (ConsumerRecord<String, String> r : consumer.poll(Duration.ofMillis(1500))) tell("rest", r);
        }
    }

    /** Each record is accepted, released until it is archived, rejected or renewed and then accepted, by its number. */
    static void verdicts(String server, String topic, String group) throws Exception {
        produce(server, topic, "v", 12, 1);
        try (KafkaShareConsumer<String, String> consumer = consumer(server, group, "explicit")) {
            consumer.subscribe(List.of(topic));
            long deadline = System.currentTimeMillis() + DEADLINE_MS;
            int quiet = 0;
            boolean any = false;
            Set<Long> renewed = new TreeSet<>();
            while ((!any || quiet < 4) && System.currentTimeMillis() < deadline) {
                int got = 0;
                for (ConsumerRecord<String, String> r : consumer.poll(Duration.ofMillis(500))) {
                    tell("one", r);
                    got++;
                    switch ((int) (r.offset() % 4)) {
                        case 0 -> consumer.acknowledge(r, AcknowledgeType.ACCEPT);
                        case 1 -> consumer.acknowledge(r, AcknowledgeType.RELEASE);
                        case 2 -> consumer.acknowledge(r, AcknowledgeType.REJECT);
                        // What is renewed comes from the consumer once more.
                        default -> consumer.acknowledge(
                            r, renewed.add(r.offset()) ? AcknowledgeType.RENEW : AcknowledgeType.ACCEPT);
                    }
                }
                errors(consumer.commitSync());
                any |= got > 0;
                quiet = got > 0 ? 0 : quiet + 1;
            }
        }
    }

    /** A committed and an aborted transaction, and a group that reads what is committed. */
    static void transactions(String server, String topic, String group) throws Exception {
        configure(server, group, "share.isolation.level", "read_committed");
        try (KafkaProducer<String, String> producer = new KafkaProducer<>(
                Map.of("bootstrap.servers", server, "transactional.id", group), new StringSerializer(), new StringSerializer())) {
            producer.initTransactions();
            for (String outcome : List.of("aborted", "committed", "aborted", "committed")) {
                producer.beginTransaction();
                for (int i = 0; i < 5; i++) producer.send(new ProducerRecord<>(topic, 0, null, outcome + i));
                producer.flush();
                if (outcome.equals("aborted")) producer.abortTransaction();
                else producer.commitTransaction();
            }
        }
        rest(server, topic, group, 10);
    }

    static void errors(Map<?, Optional<org.apache.kafka.common.KafkaException>> results) {
        results.forEach((partition, error) -> error.ifPresent(e -> System.out.println("ERROR " + partition + " " + e)));
    }
}
