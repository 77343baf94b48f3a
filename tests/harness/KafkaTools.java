import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Base64;
import org.apache.kafka.common.utils.Exit;

/**
 * Runs Apache Kafka's tools one after another in one JVM: their classes' main methods, as the scripts call them.
 * A line of input is base64 words: standard input, class, arguments. A line of output: exit code, milliseconds,
 * standard output and standard error, these two in base64.
 */
public class KafkaTools {
    /** Ends a tool where it asked for its process to end. */
    static final class Exited extends RuntimeException {
        Exited() {
            super(null, null, false, false);
        }
    }

    static ByteArrayOutputStream out;
    static ByteArrayOutputStream err;
    /** The exit code, and what had been printed: the first exit counts, as it would have ended the process. */
    static Integer exitCode;
    static int outSize;
    static int errSize;

    static void exit(int code) {
        System.out.flush();
        System.err.flush();
        if (exitCode == null) {
            exitCode = code;
            outSize = out.size();
            errSize = err.size();
        }
        throw new Exited();
    }

    public static void main(String[] args) throws Exception {
        PrintStream answers = System.out;
        Exit.setExitProcedure((code, message) -> exit(code));
        Exit.setHaltProcedure((code, message) -> exit(code));
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.US_ASCII));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            String[] words = Arrays.stream(line.split(" ")).map(KafkaTools::decoded).toArray(String[]::new);
            out = new ByteArrayOutputStream();
            err = new ByteArrayOutputStream();
            exitCode = null;
            System.setIn(new ByteArrayInputStream(words[0].getBytes(StandardCharsets.UTF_8)));
            System.setOut(new PrintStream(out, true, StandardCharsets.UTF_8));
            System.setErr(new PrintStream(err, true, StandardCharsets.UTF_8));
            long start = System.nanoTime();
            run(words[1], Arrays.copyOfRange(words, 2, words.length));
            long ms = (System.nanoTime() - start) / 1_000_000;
            answers.println(exitCode + " " + ms + " " + encoded(out, outSize) + " " + encoded(err, errSize));
            answers.flush();
        }
    }

    static void run(String type, String[] args) throws ReflectiveOperationException {
        try {
            Class.forName(type).getMethod("main", String[].class).invoke(null, (Object) args);
        } catch (java.lang.reflect.InvocationTargetException e) {
            if (!(e.getCause() instanceof Exited)) {
                e.getCause().printStackTrace();
                ended(1);
            }
        }
        ended(0);
    }

    /** A tool whose main method returned, or threw. */
    static void ended(int code) {
        try {
            exit(code);
        } catch (Exited e) {
            return;
        }
    }

    static String decoded(String word) {
        return new String(Base64.getDecoder().decode(word.substring(1)), StandardCharsets.UTF_8);
    }

    static String encoded(ByteArrayOutputStream bytes, int size) {
        return "=" + Base64.getEncoder().encodeToString(Arrays.copyOf(bytes.toByteArray(), size));
    }
}
