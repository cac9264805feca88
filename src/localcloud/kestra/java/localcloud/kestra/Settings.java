package localcloud.kestra;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Path;

/**
 * What the launcher tells the engine, as one JSON object on standard input: a command line can be
 * read by every process of the machine, and the password is among these.
 *
 * @param host address of the REST face; only loopback addresses are accepted
 * @param port port of the REST face
 * @param controllerPort port of the engine's own gRPC controller, on the same address
 * @param data folder of the database, the internal storage and the tasks' working directories
 * @param user name of the one user (an e-mail address, as Kestra wants it)
 * @param password password of that user
 * @param encryptionKey key of inputs of type SECRET, Base64 of 32 bytes
 * @param bodyLimit largest request body accepted, in bytes
 * @param requestSeconds how long a client may take to send a request, body included
 * @param workers number of task threads
 * @param template where to leave a copy of a fresh database, as a ZIP archive; null for nowhere
 */
record Settings(
    String host,
    int port,
    int controllerPort,
    Path data,
    String user,
    String password,
    String encryptionKey,
    long bodyLimit,
    int requestSeconds,
    int workers,
    Path template) {

    Settings {
        if (!java.net.InetAddress.ofLiteral(host).isLoopbackAddress()) {
            throw new IllegalArgumentException("host must be a loopback address, not " + host);
        }
        data = data.toAbsolutePath();
    }

    /** Folder of the files that are being received. */
    Path uploads() {
        return data.resolve("uploads");
    }

    static Settings read(InputStream in) throws IOException {
        return new ObjectMapper().readValue(in, Settings.class);
    }
}
