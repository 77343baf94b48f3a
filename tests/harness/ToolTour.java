// Runs Apache Kafka's tools one after another in one JVM: each line of standard input is a class and its arguments, by
// tabs. After each tool's output stands `== exit N`.
//   java -cp 'JARS/*' ToolTour.java < commands

import java.lang.reflect.InvocationTargetException;
import java.util.*;
import org.apache.kafka.common.utils.Exit;

public class ToolTour {
    static class Left extends RuntimeException {
        final int code;

        Left(int code) {
            this.code = code;
        }
    }

    public static void main(String[] none) throws Exception {
        Exit.setExitProcedure((code, message) -> { throw new Left(code); });
        Exit.setHaltProcedure((code, message) -> { throw new Left(code); });
        System.setErr(System.out);
        Scanner lines = new Scanner(System.in);
        while (lines.hasNextLine()) {
            String[] words = lines.nextLine().split("\t");
            int code = 0;
            try {
                Class.forName(words[0]).getMethod("main", String[].class).invoke(null, (Object) Arrays.copyOfRange(words, 1, words.length));
            } catch (InvocationTargetException e) {
                Throwable cause = e.getCause();
                while (cause != null && !(cause instanceof Left)) cause = cause.getCause();
                if (cause == null) e.getCause().printStackTrace(System.out);
                code = cause == null ? 99 : ((Left) cause).code;
            }
            System.out.println("\n== exit " + code);
        }
        System.out.flush();
        Runtime.getRuntime().halt(0);
    }
}
