package localcloud.kestra;

import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ClientCall;
import io.grpc.ClientInterceptor;
import io.grpc.ForwardingClientCall;
import io.grpc.ManagedChannelBuilder;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.Status;
import io.grpc.health.v1.HealthGrpc;
import io.kestra.controller.GrpcChannelManager;
import io.kestra.controller.config.GrpcChannelConfiguration;
import io.kestra.controller.config.GrpcConfiguration;
import io.kestra.controller.config.WorkerControllersConfiguration;
import io.kestra.core.storages.StorageInterface;
import io.micronaut.context.ApplicationContext;
import io.micronaut.context.RuntimeBeanDefinition;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.SecureRandom;
import java.util.HexFormat;

/**
 * A login for the controller, which has none: whoever reached its port could take tasks, with the
 * secrets in them, as a worker does. The word is made at every boot and never leaves this process,
 * because the only worker is in it.
 */
final class ControllerLogin implements ServerInterceptor, ClientInterceptor {
    private static final Metadata.Key<String> WORD =
        Metadata.Key.of("localcloud-word", Metadata.ASCII_STRING_MARSHALLER);

    private final String word;

    ControllerLogin() {
        byte[] random = new byte[32];
        new SecureRandom().nextBytes(random);
        word = HexFormat.of().formatHex(random);
    }

    /** Lets the worker's calls carry the word. Call it before the context starts. */
    void register(ApplicationContext context) {
        context.registerBeanDefinition(RuntimeBeanDefinition
            .builder(GrpcChannelManager.class, () -> new Channels(context))
            .singleton(true)
            .replaces(GrpcChannelManager.class)
            .build());
    }

    @Override
    public <Q, A> ServerCall.Listener<Q> interceptCall(
        ServerCall<Q, A> call, Metadata headers, ServerCallHandler<Q, A> next) {
        // The channel asks for the controller's health by itself, below what an interceptor sees.
        if (HealthGrpc.SERVICE_NAME.equals(call.getMethodDescriptor().getServiceName())) {
            return next.startCall(call, headers);
        }
        String said = headers.get(WORD);
        if (said == null || !MessageDigest.isEqual(bytes(said), bytes(word))) {
            call.close(Status.UNAUTHENTICATED.withDescription("not this engine's worker"), new Metadata());
            return new ServerCall.Listener<>() {};
        }
        return next.startCall(call, headers);
    }

    @Override
    public <Q, A> ClientCall<Q, A> interceptCall(
        MethodDescriptor<Q, A> method, CallOptions options, Channel next) {
        return new ForwardingClientCall.SimpleForwardingClientCall<>(next.newCall(method, options)) {
            @Override
            public void start(Listener<A> listener, Metadata headers) {
                headers.put(WORD, word);
                super.start(listener, headers);
            }
        };
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    /** The engine's channels to its controller, with the word in every call. */
    private final class Channels extends GrpcChannelManager {
        Channels(ApplicationContext context) {
            super(
                context.getBean(GrpcChannelConfiguration.class),
                context.getBean(GrpcConfiguration.class),
                context.getBean(WorkerControllersConfiguration.class),
                () -> context.getBean(StorageInterface.class));
            init(); // nobody else calls it on a bean that is given
        }

        @Override
        protected ManagedChannelBuilder<?> configureChannel(ManagedChannelBuilder<?> builder) {
            return super.configureChannel(builder).intercept(ControllerLogin.this);
        }
    }
}
