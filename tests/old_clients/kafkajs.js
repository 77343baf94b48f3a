// kafkajs 2 as an old client (README.md). It has gzip by itself, snappy and lz4 through their plugins; the plugin for zstd
// wants a compiler of its time, so a codec stands in its place.
delete globalThis.fetch; // lz4's would load its code by it, from a path that it does not take
const {Kafka, CompressionTypes, CompressionCodecs, logLevel} = require('kafkajs');
CompressionCodecs[CompressionTypes.Snappy] = require('kafkajs-snappy');
const Lz4 = require('kafkajs-lz4');
CompressionCodecs[CompressionTypes.LZ4] = new Lz4().codec;
const zstd = new Promise(resolve => require('zstd-codec').ZstdCodec.run(found => resolve(new found.Streaming())));
CompressionCodecs[CompressionTypes.ZSTD] = () => ({
  compress: async encoder => Buffer.from((await zstd).compress(encoder.buffer)),
  decompress: async buffer => Buffer.from((await zstd).decompress(buffer)),
});

const [broker, topic, codecs] = process.argv.slice(2);
const kafka = new Kafka({clientId: topic, brokers: [broker], logLevel: logLevel.ERROR});
const types = {none: CompressionTypes.None, gzip: CompressionTypes.GZIP, snappy: CompressionTypes.Snappy, lz4: CompressionTypes.LZ4, zstd: CompressionTypes.ZSTD};
let number = 0;
const say = line => process.stdout.write(line + '\n');

async function write(codec) {
  const producer = kafka.producer();
  await producer.connect();
  const next = [0, 1].map(() => []);
  for (let n = 0; n < 40; n++) next[n % 2].push({key: `k${number++}`, value: `${codec} ${n} ` + 'again and again '.repeat(n), partition: n % 2});
  const told = await producer.send({topic, compression: types[codec], messages: next.flat()});
  for (const {partition, baseOffset} of told) {
    next[partition].forEach((m, i) => say(`wrote ${partition} ${BigInt(baseOffset) + BigInt(i)} ${m.key}\t${m.value}`));
  }
  await producer.disconnect();
}

/** A member whose partitions stand in `owned`; `got` is called with each record. */
async function member(got) {
  const consumer = kafka.consumer({groupId: `${topic}-group`, heartbeatInterval: 300, sessionTimeout: 10000, maxWaitTimeInMs: 200});
  const self = {consumer, owned: null};
  consumer.on(consumer.events.GROUP_JOIN, ({payload}) => {
    self.owned = (payload.memberAssignment[topic] || []).length;
    moved();
  });
  await consumer.connect();
  await consumer.subscribe({topics: [topic], fromBeginning: true});
  await consumer.run({autoCommit: false, eachMessage: async ({partition, message}) => got(partition, message)});
  return self;
}
let moved = () => {};

async function group(count) {
  const next = new Map();
  let all;
  const read = new Promise(resolve => (all = resolve));
  const first = await member((partition, m) => {
    say(`read ${partition} ${m.offset} ${m.key}\t${m.value}`);
    next.set(partition, String(BigInt(m.offset) + 1n));
    if (--count === 0) all();
  });
  await read;
  await first.consumer.commitOffsets([...next].map(([partition, offset]) => ({topic, partition, offset})));
  const second = await member(() => {});
  await new Promise(resolve => {
    moved = () => first.owned === 1 && second.owned === 1 && resolve();
    moved();
  });
  say('balanced');
  await first.consumer.disconnect();
  await second.consumer.disconnect();
}

async function main() {
  const admin = kafka.admin();
  await admin.connect();
  // Apache Kafka answers before its metadata has the topic, which kafkajs waiting for leaders takes for an error.
  await admin.createTopics({waitForLeaders: false, topics: [{topic, numPartitions: 2, replicationFactor: 1}]});
  say('created');
  for (const codec of codecs.split(',')) await write(codec);
  say('ready');
  const words = await new Promise(resolve => {
    let text = '';
    process.stdin.on('data', piece => (text += piece)).on('end', () => resolve(text.trim().split(/\s+/)));
  });
  await group(Number(words.pop()));
  const [{partitions}] = await admin.fetchOffsets({groupId: `${topic}-group`, topics: [topic]});
  for (const {partition, offset} of partitions) say(`committed ${partition} ${offset}`);
  await admin.deleteTopics({topics: [topic]});
  say('deleted');
  await admin.disconnect();
}

setTimeout(() => { console.error('late'); process.exit(1); }, 90_000).unref();
main().catch(error => { console.error(error); process.exit(1); });
