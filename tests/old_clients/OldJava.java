// Java clients of 2.1 and 3.9 as old clients (README.md); the release is the one on the class path.

import java.io.*;
import java.time.Duration;
import java.util.*;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.*;

public class OldJava {
    static final long DEADLINE = System.nanoTime() + 90_000_000_000L;
    static final PrintStream OUT = new PrintStream(new FileOutputStream(FileDescriptor.out), true);
    static String broker, topic;

    public static void main(String[] args) throws Exception {
        broker = args[0];
        topic = args[1];
        try (AdminClient admin = AdminClient.create(with())) {
            admin.createTopics(List.of(new NewTopic(topic, 2, (short) 1))).all().get();
            OUT.println("created");
            int number = 0;
            for (String codec : args[2].split(",")) {
                write(codec, number);
                number += 40;
            }
            OUT.println("ready");
            String[] words = new String(System.in.readAllBytes()).trim().split("\\s+");
            group(Integer.parseInt(words[words.length - 1]));
            admin.listConsumerGroupOffsets(topic + "-group").partitionsToOffsetAndMetadata().get()
                .forEach((tp, at) -> OUT.println("committed " + tp.partition() + " " + at.offset()));
            admin.deleteTopics(List.of(topic)).all().get();
        }
        OUT.println("deleted");
    }

    static Properties with(String... pairs) {
        Properties all = new Properties();
        all.put("bootstrap.servers", broker);
        for (int i = 0; i < pairs.length; i += 2) all.put(pairs[i], pairs[i + 1]);
        return all;
    }

    static void write(String codec, int number) throws Exception {
        Properties properties = with("compression.type", codec, "linger.ms", "20");
        try (var producer = new KafkaProducer<>(properties, new StringSerializer(), new StringSerializer())) {
            var told = new LinkedHashMap<ProducerRecord<String, String>, java.util.concurrent.Future<RecordMetadata>>();
            for (int n = 0; n < 40; n++) {
                String value = codec + " " + n + " " + "again and again ".repeat(n);
                var record = new ProducerRecord<>(topic, n % 2, "k" + number++, value);
                told.put(record, producer.send(record));
            }
            producer.flush();
            for (var one : told.entrySet()) {
                RecordMetadata at = one.getValue().get();
                OUT.println("wrote " + at.partition() + " " + at.offset() + " " + one.getKey().key() + "\t" + one.getKey().value());
            }
        }
    }

    static KafkaConsumer<String, String> member() {
        Properties properties = with("group.id", topic + "-group", "auto.offset.reset", "earliest", "enable.auto.commit", "false",
            "session.timeout.ms", "10000", "heartbeat.interval.ms", "300", "fetch.max.wait.ms", "200");
        var consumer = new KafkaConsumer<>(properties, new StringDeserializer(), new StringDeserializer());
        consumer.subscribe(List.of(topic));
        return consumer;
    }

    static void group(int count) {
        try (var first = member(); var second = member()) {
            while (count > 0) {
                for (var r : first.poll(Duration.ofMillis(300))) {
                    OUT.println("read " + r.partition() + " " + r.offset() + " " + r.key() + "\t" + r.value());
                    count--;
                }
                inTime();
            }
            first.commitSync();
            while (first.assignment().size() != 1 || second.assignment().size() != 1) {
                first.poll(Duration.ofMillis(50));
                second.poll(Duration.ofMillis(50));
                inTime();
            }
            OUT.println("balanced");
        }
    }

    static void inTime() {
        if (System.nanoTime() > DEADLINE) throw new Error("late");
    }
}
