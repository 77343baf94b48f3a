import java.util.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** Writes what compaction has to deal with: random keys, tombstones, headers, every codec, plain, idempotent and
 *  transactional producers, aborts among them. Arguments: bootstrap, topic, seed, records. */
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
    }
}
