package localcloud.kestra;

import java.nio.charset.StandardCharsets;

/** Names that become files of the internal storage. */
final class Names {
    /** What a file system takes for one name, less what the storage adds to it. */
    private static final int LONGEST_NAME = 200;
    private static final int LONGEST_PATH = 1000;

    private Names() {
    }

    /** Answers 422 when one of these, or a part between its slashes, is longer than a file's name may be. */
    static void check(String... names) {
        for (String name : names) {
            if (bytes(name) > LONGEST_PATH) {
                throw Problem.argument("A name has at most " + LONGEST_PATH + " bytes, not " + bytes(name) + ".");
            }
            for (String part : name.split("/")) {
                if (bytes(part) > LONGEST_NAME) {
                    throw Problem.argument("Each part of a name has at most " + LONGEST_NAME + " bytes, not "
                        + bytes(part) + ": " + part.substring(0, 20) + "…");
                }
            }
        }
    }

    private static int bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8).length;
    }
}
