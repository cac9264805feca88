package localcloud.kestra;

import com.sun.net.httpserver.HttpServer;
import io.grpc.netty.NettyServerBuilder;
import io.netty.channel.socket.nio.NioChannelOption;
import java.io.IOException;
import java.lang.reflect.Field;
import java.net.StandardSocketOptions;
import java.nio.channels.ServerSocketChannel;

/**
 * The engine's ports are held by the supervisor, so that nobody else can take them while the engine
 * is dead; a server comes in by saying SO_REUSEPORT before it binds (localcloud/ports.py).
 */
final class SharedPort {
    private SharedPort() {
    }

    /** Before the server is bound. It has no setting for its socket, so the socket itself is asked. */
    static void of(HttpServer server) throws IOException {
        try {
            Object inner = field(server, "server");
            ((ServerSocketChannel) field(inner, "schan")).setOption(StandardSocketOptions.SO_REUSEPORT, true);
        } catch (ReflectiveOperationException e) {
            throw new IOException("this Java's HTTP server is another one", e);
        }
    }

    static void of(NettyServerBuilder builder) {
        builder.withOption(NioChannelOption.of(StandardSocketOptions.SO_REUSEPORT), true);
    }

    private static Object field(Object owner, String name) throws ReflectiveOperationException {
        Field field = owner.getClass().getDeclaredField(name);
        field.setAccessible(true);
        return field.get(owner);
    }
}
