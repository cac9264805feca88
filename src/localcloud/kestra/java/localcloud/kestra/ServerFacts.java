package localcloud.kestra;

import io.kestra.core.utils.VersionProvider;
import java.util.LinkedHashMap;
import java.util.Map;

/** What a client asks first: which server this is. */
final class ServerFacts {
    private final Map<String, Object> configuration = new LinkedHashMap<>();

    ServerFacts(Engine engine, Settings settings) {
        configuration.put("version", engine.bean(VersionProvider.class).getVersion());
        configuration.put("edition", "OSS");
        configuration.put("url", "http://" + settings.host() + ":" + settings.port() + "/");
        configuration.put("systemNamespace", "system");
        configuration.put("isBasicAuthInitialized", true);
        configuration.put("isAnonymousUsageEnabled", false);
    }

    void register(Routes routes) {
        routes.on(Api.CONFIGS, request -> Reply.json(configuration));
    }
}
