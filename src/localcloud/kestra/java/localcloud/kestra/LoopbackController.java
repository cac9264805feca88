package localcloud.kestra;

import io.grpc.ServerBuilder;
import io.grpc.netty.NettyServerBuilder;
import io.kestra.controller.DefaultController;
import io.kestra.controller.config.ControllerConfiguration;
import io.kestra.controller.config.GrpcConfiguration;
import io.kestra.controller.grpc.InternalCallServerInterceptor;
import io.kestra.controller.grpc.WorkerControllerService;
import io.kestra.core.metrics.MetricRegistry;
import io.kestra.core.server.ServiceStateChangeEvent;
import io.kestra.core.worker.Controller;
import io.micronaut.context.ApplicationContext;
import io.micronaut.context.RuntimeBeanDefinition;
import io.micronaut.context.event.ApplicationEventPublisher;
import java.net.InetSocketAddress;
import java.util.List;

/**
 * The engine's controller bound to one address and behind a login: the stock one listens on every
 * interface and asks nobody.
 */
final class LoopbackController extends DefaultController {
    private final List<WorkerControllerService> services;
    private final String host;
    private final ControllerLogin login;

    private LoopbackController(
        String host,
        ControllerLogin login,
        List<WorkerControllerService> services,
        GrpcConfiguration grpc,
        ControllerConfiguration controller,
        MetricRegistry metrics,
        ApplicationEventPublisher<ServiceStateChangeEvent> events) {
        super(services, grpc, controller, metrics, events);
        this.host = host;
        this.login = login;
        this.services = services;
    }

    /** Puts this controller in the place of the stock one. Call it before the context starts. */
    static void register(ApplicationContext context, String host) {
        ControllerLogin login = new ControllerLogin();
        login.register(context);
        context.registerBeanDefinition(RuntimeBeanDefinition
            .builder(Controller.class, () -> new LoopbackController(
                host,
                login,
                List.copyOf(context.getBeansOfType(WorkerControllerService.class)),
                context.getBean(GrpcConfiguration.class),
                context.getBean(ControllerConfiguration.class),
                context.getBean(MetricRegistry.class),
                context.getEventPublisher(ServiceStateChangeEvent.class)))
            .singleton(true)
            .replaces(DefaultController.class)
            .build());
    }

    @Override
    protected ServerBuilder<?> buildServer(int port) {
        InetSocketAddress address = new InetSocketAddress(host, port);
        NettyServerBuilder builder = NettyServerBuilder
            .forAddress(address)
            .addService(healthStatusManager.getHealthService())
            .maxInboundMessageSize(grpcConfiguration.maxInboundMessageSize())
            .intercept(new InternalCallServerInterceptor())
            .intercept(login); // the last one is asked first
        SharedPort.of(builder, address);
        services.forEach(service -> builder.addService(service.bindService()));
        return builder;
    }
}
