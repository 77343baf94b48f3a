import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.jar.JarEntry;
import java.util.jar.JarFile;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.Message;
import org.apache.kafka.common.protocol.ObjectSerializationCache;

/**
 * Reads lines "Name version hex" and prints those that Apache Kafka reads whole and writes back to the same bytes.
 * What differs, and what this Kafka does not have, goes to the standard error stream.
 * Argument: the directory of Kafka's jars, which are the class path too.
 */
public class Recode {
    public static void main(String[] args) throws Exception {
        Map<String, Class<?>> messages = messages(Path.of(args[0]));
        int same = 0;
        Set<String> absent = new TreeSet<>();
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
        for (String line; (line = in.readLine()) != null; ) {
            String[] words = line.split(" ", -1);
            short version = Short.parseShort(words[1]);
            Class<?> type = messages.getOrDefault(words[0] + "Data", messages.get(words[0]));
            Message message = type == null ? null : (Message) type.getDeclaredConstructor().newInstance();
            boolean known = message != null && version >= message.lowestSupportedVersion()
                && version <= message.highestSupportedVersion();
            String problem = known ? problem(message, version, HexFormat.of().parseHex(words[2])) : null;
            if (!known) {
                absent.add(words[0] + " v" + version);
            } else if (problem != null) {
                System.err.println("DIFFERS " + line + " -> " + problem);
            } else {
                same++;
                System.out.println(line);
            }
        }
        System.err.println(same + " the same; absent: " + absent);
    }

    private static String problem(Message message, short version, byte[] bytes) {
        try {
            ByteBuffer in = ByteBuffer.wrap(bytes);
            message.read(new ByteBufferAccessor(in), version);
            if (in.hasRemaining()) return in.remaining() + " bytes are left";
            ObjectSerializationCache cache = new ObjectSerializationCache();
            ByteBuffer out = ByteBuffer.allocate(message.size(cache, version));
            message.write(new ByteBufferAccessor(out), cache, version);
            return Arrays.equals(out.array(), bytes) ? null : "writes " + HexFormat.of().formatHex(out.array());
        } catch (Exception e) {
            return e.toString();
        }
    }

    /** All generated message classes in the jars, by simple name. */
    private static Map<String, Class<?>> messages(Path libs) throws Exception {
        Map<String, Class<?>> found = new HashMap<>();
        for (Path jar : Files.newDirectoryStream(libs, "kafka*.jar")) {
            try (JarFile file = new JarFile(jar.toFile())) {
                for (JarEntry entry : Collections.list(file.entries())) {
                    String name = entry.getName();
                    boolean candidate = name.endsWith(".class") && !name.contains("$")
                        && name.matches(".*/(message|generated|metadata|internals)/[^/]*");
                    if (!candidate) continue;
                    String type = name.substring(0, name.length() - ".class".length()).replace('/', '.');
                    try {
                        Class<?> c = Class.forName(type, false, Recode.class.getClassLoader());
                        if (Message.class.isAssignableFrom(c) && !c.isInterface()) found.putIfAbsent(c.getSimpleName(), c);
                    } catch (LinkageError e) {
                        // A class for something not on the class path is no message.
                    }
                }
            }
        }
        return found;
    }
}
