package localcloud.kestra;

import io.kestra.core.plugins.PluginCatalogService;
import io.kestra.core.reporter.ServerEventSender;
import io.kestra.core.reporter.Type;
import io.kestra.core.utils.ExecutorsUtils;
import io.micronaut.context.ApplicationContext;
import io.micronaut.context.RuntimeBeanDefinition;
import java.time.Instant;
import java.util.List;

/**
 * The two parts of the engine that call its maker, which this one never does: it installs no plugins
 * and reports no usage. The stock ones make an HTTP client as the engine starts, with TLS and all of
 * its ciphers: a fifth of the start.
 */
final class NoCalls {
    private NoCalls() {
    }

    /** Puts these parts in the place of the stock ones. Call it before the context starts. */
    static void register(ApplicationContext context) {
        context.registerBeanDefinition(RuntimeBeanDefinition
            .builder(PluginCatalogService.class, () -> new Catalogue(context.getBean(ExecutorsUtils.class)))
            .singleton(true)
            .replaces(PluginCatalogService.class)
            .build());
        context.registerBeanDefinition(RuntimeBeanDefinition
            .builder(ServerEventSender.class, Silence::new)
            .singleton(true)
            .replaces(ServerEventSender.class)
            .build());
    }

    /** No plugin is on offer. */
    private static final class Catalogue extends PluginCatalogService {
        private Catalogue(ExecutorsUtils executors) {
            super(null, false, true, executors);
        }

        @Override
        public synchronized List<PluginManifest> get() {
            return List.of();
        }
    }

    /** Nobody is told. */
    private static final class Silence extends ServerEventSender {
        @Override
        public void send(Instant now, Type type, Object event) {
        }
    }
}
