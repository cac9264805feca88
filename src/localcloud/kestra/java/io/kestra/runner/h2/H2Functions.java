package io.kestra.runner.h2;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.NullNode;
import com.github.benmanes.caffeine.cache.Cache;
import com.github.benmanes.caffeine.cache.Caffeine;
import io.kestra.core.serializers.JacksonMapper;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import net.thisptr.jackson.jq.BuiltinFunctionLoader;
import net.thisptr.jackson.jq.JsonQuery;
import net.thisptr.jackson.jq.Scope;
import net.thisptr.jackson.jq.Versions;
import net.thisptr.jackson.jq.exception.JsonQueryException;

/**
 * The functions by which the engine's tables take columns out of their JSON, found before the stock
 * class of this name. That one reads the whole text again for each of a dozen columns, at each step
 * of an execution: a fifth of what the engine does. This one remembers the last text of a thread.
 */
public final class H2Functions {
    private static final int QUERIES = 1000;
    private static final Scope SCOPE = Scope.newEmptyScope();
    private static final Cache<String, JsonQuery> COMPILED = Caffeine.newBuilder().maximumSize(QUERIES).build();
    private static final ThreadLocal<Parsed> LAST = new ThreadLocal<>();

    static {
        BuiltinFunctionLoader.getInstance().loadFunctions(Versions.JQ_1_6, SCOPE);
    }

    private record Parsed(String text, JsonNode tree) {
    }

    private H2Functions() {
    }

    public static String jqString(String value, String expression) {
        return first(value, expression, JsonNode::asText);
    }

    public static Boolean jqBoolean(String value, String expression) {
        return first(value, expression, JsonNode::asBoolean);
    }

    public static Integer jqInteger(String value, String expression) {
        return first(value, expression, JsonNode::asInt);
    }

    public static Long jqLong(String value, String expression) {
        return first(value, expression, JsonNode::asLong);
    }

    public static Double jqDouble(String value, String expression) {
        return first(value, expression, JsonNode::asDouble);
    }

    public static String[] jqStringArray(String value, String expression) {
        List<String> found = new ArrayList<>();
        JsonNode node = all(value, expression).getFirst();
        if (node.isArray()) {
            node.forEach(element -> found.add(element.asText()));
        }
        return found.toArray(String[]::new);
    }

    /** What stands for a value between the quotes of a string of jq; null for null. */
    public static String escapeJqString(String value) {
        if (value == null) {
            return null;
        }
        StringBuilder escaped = new StringBuilder(value.length());
        for (char c : value.toCharArray()) {
            switch (c) {
                case '"', '\\' -> escaped.append('\\').append(c);
                case '\b' -> escaped.append("\\b");
                case '\f' -> escaped.append("\\f");
                case '\n' -> escaped.append("\\n");
                case '\r' -> escaped.append("\\r");
                case '\t' -> escaped.append("\\t");
                default -> escaped.append(c < ' ' ? String.format("\\u%04x", (int) c) : String.valueOf(c));
            }
        }
        return escaped.toString();
    }

    private static <T> T first(String value, String expression, Function<JsonNode, T> as) {
        List<JsonNode> found = all(value, expression);
        return found.isEmpty() || found.getFirst() instanceof NullNode ? null : as.apply(found.getFirst());
    }

    private static List<JsonNode> all(String value, String expression) {
        List<JsonNode> found = new ArrayList<>();
        try {
            JsonQuery query = COMPILED.get(expression, H2Functions::compiled);
            query.apply(SCOPE, parsed(value), found::add);
        } catch (JsonProcessingException e) {
            throw new IllegalArgumentException(e.getMessage(), e);
        }
        return found;
    }

    private static JsonQuery compiled(String expression) {
        try {
            return JsonQuery.compile(expression, Versions.JQ_1_6);
        } catch (JsonQueryException e) {
            throw new IllegalArgumentException(e.getMessage(), e);
        }
    }

    private static JsonNode parsed(String text) throws JsonProcessingException {
        Parsed last = LAST.get();
        if (last == null || !last.text().equals(text)) {
            last = new Parsed(text, JacksonMapper.ofJson().readTree(text));
            LAST.set(last);
        }
        return last.tree();
    }
}
