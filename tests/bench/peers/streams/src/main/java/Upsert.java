import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.time.Duration;
import java.util.Arrays;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.Stores;

/**
 * The store's job in Kafka Streams, exactly once: an upsert by key into RocksDB and an event for each change. Runs until SIGTERM.
 * Environment: KAFKA, STATE (a folder), SOURCE, TARGET, THREADS.
 */
public class Upsert implements Processor<String, byte[], String, byte[]> {
  private static final String STORE = "orders";

  private final ObjectMapper json = new ObjectMapper();
  private KeyValueStore<String, byte[]> store;
  private ProcessorContext<String, byte[]> context;

  @Override
  public void init(ProcessorContext<String, byte[]> given) {
    context = given;
    store = given.getStateStore(STORE);
  }

  @Override
  public void process(Record<String, byte[]> record) {
    byte[] before = store.get(record.key());
    if (Arrays.equals(before, record.value())) {
      return;
    }
    try {
      byte[] event = event(before, record);
      store.put(record.key(), record.value());
      context.forward(new Record<>(record.key(), event, record.timestamp()));
    } catch (IOException broken) {
      throw new UncheckedIOException(broken);
    }
  }

  /** What Weir's change event says: the operation, the key, when, and the document as it is now. */
  private byte[] event(byte[] before, Record<String, byte[]> record) throws IOException {
    JsonNode after = json.readTree(record.value());
    ObjectNode event = json.createObjectNode();
    event.put("op", before == null ? "c" : "u").put("collection", STORE).put("key", record.key());
    event.put("ts_ms", record.timestamp()).set("after", after);
    return json.writeValueAsBytes(event);
  }

  private static Topology topology() {
    var documents = Stores.persistentKeyValueStore(STORE);
    return new Topology()
        .addSource("source", Serdes.String().deserializer(), Serdes.ByteArray().deserializer(), System.getenv("SOURCE"))
        .addProcessor("upsert", Upsert::new, "source")
        .addStateStore(Stores.keyValueStoreBuilder(documents, Serdes.String(), Serdes.ByteArray()).withLoggingEnabled(Map.of()), "upsert")
        .addSink("changes", System.getenv("TARGET"), Serdes.String().serializer(), Serdes.ByteArray().serializer(), "upsert");
  }

  private static Properties settings() {
    Properties settings = new Properties();
    settings.put("application.id", "peer-streams");
    settings.put("bootstrap.servers", System.getenv("KAFKA"));
    settings.put("state.dir", System.getenv("STATE"));
    settings.put("num.stream.threads", System.getenv("THREADS"));
    settings.put("processing.guarantee", "exactly_once_v2");
    settings.put("auto.offset.reset", "earliest");
    settings.put("replication.factor", "1");
    return settings;
  }

  public static void main(String[] arguments) throws InterruptedException {
    KafkaStreams streams = new KafkaStreams(topology(), settings());
    CountDownLatch ended = new CountDownLatch(1);
    Runtime.getRuntime().addShutdownHook(new Thread(() -> {
      streams.close(Duration.ofSeconds(20));
      ended.countDown();
    }));
    streams.start();
    ended.await();
  }
}
