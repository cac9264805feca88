package localcloud.kestra;

import com.sun.net.httpserver.HttpServer;
import io.grpc.netty.NettyServerBuilder;
import io.netty.channel.socket.nio.NioChannelOption;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.reflect.Field;
import java.net.BindException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.StandardSocketOptions;
import java.nio.channels.ServerSocketChannel;

/**
 * The engine's ports are held by the supervisor, so that nobody else can take them while the engine
 * is dead; a server comes in by saying SO_REUSEPORT before it binds (localcloud/ports.py).
 */
final class SharedPort {
    private static final int PATIENCE_MS = 1000;

    private SharedPort() {
    }

    /** Before the server is bound. It has no setting for its socket, so the socket itself is asked. */
    static void of(HttpServer server, InetSocketAddress address) throws IOException {
        refuseAnother(address);
        try {
            Object inner = field(server, "server");
            ((ServerSocketChannel) field(inner, "schan")).setOption(StandardSocketOptions.SO_REUSEPORT, true);
        } catch (ReflectiveOperationException e) {
            throw new IOException("this Java's HTTP server is another one", e);
        }
    }

    static void of(NettyServerBuilder builder, InetSocketAddress address) {
        try {
            refuseAnother(address);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        builder.withOption(NioChannelOption.of(StandardSocketOptions.SO_REUSEPORT), true);
    }

    /** Of two servers that share a port each would get some of the connections. */
    private static void refuseAnother(InetSocketAddress address) throws BindException {
        try (Socket other = new Socket()) {
            other.connect(address, PATIENCE_MS);
        } catch (IOException nobody) {
            return;
        }
        throw new BindException("Address already in use: " + address);
    }

    private static Object field(Object owner, String name) throws ReflectiveOperationException {
        Field field = owner.getClass().getDeclaredField(name);
        field.setAccessible(true);
        return field.get(owner);
    }
}
