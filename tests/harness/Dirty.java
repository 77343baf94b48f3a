import java.nio.ByteBuffer;
import java.nio.file.*;
import java.util.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.common.record.internal.MemoryRecords;
import org.apache.kafka.common.record.internal.MemoryRecordsBuilder;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** Writes what compaction has to deal with: random keys, tombstones, headers, every codec, plain, idempotent and
 *  transactional producers, aborts among them; and segments in the formats 0 and 1. Arguments: bootstrap, topic, seed,
 *  records, directory of the segments. */
public class Dirty {
    public static void main(String[] a) throws Exception {
        Random random = new Random(Long.parseLong(a[2]));
        int left = Integer.parseInt(a[3]);
        String[] codecs = {"none", "gzip", "snappy", "lz4", "zstd"};
        List<KafkaProducer<byte[], byte[]>> producers = new ArrayList<>();
        for (int i = 0; i < 10; i++) {
            Properties p = new Properties();
            p.put("bootstrap.servers", a[0]);
            p.put("compression.type", codecs[i % 5]);
            p.put("key.serializer", ByteArraySerializer.class.getName());
            p.put("value.serializer", ByteArraySerializer.class.getName());
            p.put("linger.ms", "20");
            p.put("batch.size", "" + (500 + 1500 * i));
            p.put("enable.idempotence", "" + (i > 1));
            if (i >= 6) p.put("transactional.id", "txn-" + i);
            KafkaProducer<byte[], byte[]> producer = new KafkaProducer<>(p);
            if (i >= 6) producer.initTransactions();
            producers.add(producer);
        }
        long offset = 0;
        while (left > 0) {
            int i = random.nextInt(10);
            KafkaProducer<byte[], byte[]> producer = producers.get(i);
            boolean transactional = i >= 6;
            if (transactional) producer.beginTransaction();
            // Sometimes a second transaction is open at the same time.
            KafkaProducer<byte[], byte[]> other = transactional && random.nextInt(3) == 0 ? producers.get(i == 9 ? 6 : i + 1) : null;
            if (other != null) other.beginTransaction();
            for (int n = 1 + random.nextInt(40); n > 0 && left > 0; n--, left--) {
                byte[] key = ("key-" + (random.nextInt(4) == 0 ? random.nextInt(3000) : random.nextInt(200))).getBytes();
                byte[] value = random.nextInt(6) == 0 ? null : ("value " + left + " " + "x".repeat(random.nextInt(120))).getBytes();
                ProducerRecord<byte[], byte[]> record = new ProducerRecord<>(a[1], 0, key, value);
                if (random.nextInt(8) == 0) record.headers().add(new RecordHeader("h", random.nextBoolean() ? null : "x".getBytes()));
                (other != null && random.nextBoolean() ? other : producer).send(record);
            }
            if (transactional) {
                if (random.nextInt(2) == 0) producer.commitTransaction(); else producer.abortTransaction();
                if (other != null) { if (random.nextInt(2) == 0) other.commitTransaction(); else other.abortTransaction(); }
            } else {
                producer.flush();
            }
        }
        for (KafkaProducer<byte[], byte[]> producer : producers) producer.close();
        old(random, Path.of(a[4]));
    }

    /** Ten segments as brokers before 0.11 wrote them: keys in every segment, tombstones, records without a key. */
    static void old(Random random, Path directory) throws Exception {
        Compression[] codecs = {Compression.NONE, Compression.gzip().build(), Compression.snappy().build(), Compression.lz4().build()};
        long offset = 0, now = System.currentTimeMillis();
        for (int segment = 0; segment < 10; segment++) {
            ByteBuffer bytes = ByteBuffer.allocate(1 << 20);
            String name = String.format("%020d.log", offset);
            for (int batch = 0; batch < 60; batch++) {
                byte magic = (byte) random.nextInt(2);
                boolean stamped = magic == 1 && random.nextInt(3) == 0;
                TimestampType dated = magic == 0 ? TimestampType.NO_TIMESTAMP_TYPE : stamped ? TimestampType.LOG_APPEND_TIME : TimestampType.CREATE_TIME;
                long time = now - 1000000 + offset;
                MemoryRecordsBuilder builder = MemoryRecords.builder(bytes, magic, codecs[random.nextInt(4)], dated, offset, stamped ? time : -1);
                boolean last = batch == 59;
                for (int n = 1 + random.nextInt(8); n > 0; n--, offset++) {
                    byte[] key = !last && random.nextInt(20) == 0 ? null : ("key-" + (random.nextInt(3) == 0 ? random.nextInt(1500) : random.nextInt(100))).getBytes();
                    byte[] value = !last && random.nextInt(4) == 0 ? null : ("value " + offset + " " + "x".repeat(random.nextInt(80))).getBytes();
                    builder.appendWithOffset(offset, magic == 0 ? -1 : time + random.nextInt(50), key, value, null);
                }
                builder.build();
                bytes = builder.buffer();
            }
            Files.write(directory.resolve(name), Arrays.copyOf(bytes.array(), bytes.position()));
        }
    }
}
