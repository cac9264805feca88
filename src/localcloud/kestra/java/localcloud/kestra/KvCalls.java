package localcloud.kestra;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.ObjectReader;
import io.kestra.core.models.QueryFilter;
import io.kestra.core.models.kv.KVType;
import io.kestra.core.serializers.JacksonMapper;
import io.kestra.core.services.KVStoreService;
import io.kestra.core.storages.kv.KVEntry;
import io.kestra.core.storages.kv.KVMetadata;
import io.kestra.core.storages.kv.KVStore;
import io.kestra.core.storages.kv.KVValue;
import io.kestra.core.storages.kv.KVValueAndMetadata;
import java.time.Duration;
import java.time.format.DateTimeParseException;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.Function;

/** Key-value pairs of a namespace. */
final class KvCalls {
    private static final ObjectReader ION = JacksonMapper.ofIon()
        .readerFor(Object.class)
        .with(DeserializationFeature.FAIL_ON_TRAILING_TOKENS);

    private final KVStoreService stores;

    KvCalls(Engine engine) {
        stores = engine.bean(KVStoreService.class);
    }

    void register(Routes routes) {
        routes.on(Api.KV_LIST, this::list);
        routes.on(Api.KV_READ, this::read);
        routes.on(Api.KV_WRITE, this::write);
        routes.on(Api.KV_DELETE, this::delete);
    }

    private KVStore store(Request request) {
        return stores.get(Engine.TENANT, request.path("namespace"));
    }

    private Reply list(Request request) throws Exception {
        return Reply.json(Page.of(
            () -> stores.list(
                Filters.page(request, Function.identity()),
                Engine.TENANT,
                null,
                Filters.of(request, QueryFilter.Resource.KV_METADATA)),
            Function.identity()));
    }

    private Reply read(Request request) throws Exception {
        KVStore store = store(request);
        String key = request.path("key");
        KVValue value = store.getValue(key)
            .orElseThrow(() -> Problem.notFound("There is no key " + key + " in " + store.namespace() + "."));
        Map<String, Object> detail = new LinkedHashMap<>();
        detail.put("type", KVType.from(value.value()));
        detail.put("value", value.value());
        store.get(key).ifPresent(entry -> describe(detail, entry));
        return Reply.json(detail);
    }

    private static void describe(Map<String, Object> detail, KVEntry entry) {
        detail.put("revision", entry.revision());
        detail.put("updated", entry.updateDate());
    }

    /**
     * The body is JSON or, with dates and durations, Ion: the type is what the text says. What is
     * neither is kept as the text that it is.
     */
    private Reply write(Request request) throws Exception {
        Object value = value(request.text());
        Names.check(request.path("namespace"), request.path("key"));
        Duration life = request.header("ttl").map(KvCalls::duration).orElse(null);
        KVMetadata metadata = new KVMetadata(request.header("description").orElse(null), life);
        store(request).put(request.path("key"), new KVValueAndMetadata(metadata, value));
        return Reply.empty(200);
    }

    private static Object value(String text) {
        try {
            return ION.readValue(text);
        } catch (JsonProcessingException e) {
            return text;
        }
    }

    private static Duration duration(String text) {
        try {
            return Duration.parse(text);
        } catch (DateTimeParseException e) {
            throw Problem.badRequest("The header ttl is an ISO 8601 duration such as PT1H, not " + text + ".");
        }
    }

    private Reply delete(Request request) throws Exception {
        return Reply.json(store(request).delete(request.path("key")));
    }
}
