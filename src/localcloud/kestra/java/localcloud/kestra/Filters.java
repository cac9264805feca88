package localcloud.kestra;

import io.kestra.core.models.QueryFilter;
import io.kestra.core.models.QueryFilter.Field;
import io.kestra.core.models.QueryFilter.Op;
import io.micronaut.data.model.Pageable;
import io.micronaut.data.model.Sort;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The query parameters of a search: filters[field][OPERATION][key]=value, page, size and sort. */
final class Filters {
    private static final String PREFIX = "filters[";
    private static final Pattern KEY = Pattern.compile("filters\\[([^\\]]+)]\\[([A-Z_]+)](?:\\[([^\\]]+)])?");
    private static final int LARGEST_PAGE = 1000;

    private Filters() {
    }

    /** The filters of a call; a field or operation that the resource does not have answers 400. */
    static List<QueryFilter> of(Request request, QueryFilter.Resource resource) {
        List<QueryFilter> filters = new ArrayList<>();
        Map<Op, Map<String, String>> labels = new LinkedHashMap<>();
        request.query().forEach((name, values) -> {
            if (!name.startsWith(PREFIX)) {
                return;
            }
            Matcher match = KEY.matcher(name);
            if (!match.matches()) {
                throw Problem.badRequest("A filter is filters[field][OPERATION]=value, not " + name
                    + "; groups of filters are not offered here.");
            }
            Field field = field(match.group(1));
            Op operation = operation(match.group(2));
            String value = values.getLast();
            if (match.group(3) == null) {
                filters.add(leaf(field, operation, value(operation, value)));
            } else if (field == Field.LABELS) {
                labels.computeIfAbsent(operation, o -> new LinkedHashMap<>()).put(match.group(3), value);
            } else {
                throw Problem.badRequest("Only labels are filtered by a key: " + name);
            }
        });
        labels.forEach((operation, pairs) -> filters.add(leaf(Field.LABELS, operation, pairs)));
        QueryFilter.validateQueryFilters(filters, resource);
        return filters;
    }

    static QueryFilter leaf(Field field, Op operation, Object value) {
        return QueryFilter.builder().field(field).operation(operation).value(value).build();
    }

    private static Object value(Op operation, String value) {
        return operation == Op.IN || operation == Op.NOT_IN ? List.of(value.split(",")) : value;
    }

    private static Field field(String name) {
        for (Field field : Field.values()) {
            if (field.value().equals(name)) {
                return field;
            }
        }
        throw Problem.badRequest("There is no filter field " + name + ".");
    }

    private static Op operation(String name) {
        try {
            return Op.valueOf(name);
        } catch (IllegalArgumentException e) {
            throw Problem.badRequest("There is no filter operation " + name + ".");
        }
    }

    /**
     * The page that a call asks for.
     *
     * @param columns from the name in the API to the name in the repository, null where there is none
     */
    static Pageable page(Request request, Function<String, String> columns) {
        int page = request.number("page").orElse(1);
        int size = request.number("size").orElse(10);
        if (page < 1 || size < 1 || size > LARGEST_PAGE) {
            throw Problem.badRequest("page is at least 1, size is between 1 and " + LARGEST_PAGE + ".");
        }
        List<Sort.Order> orders = new ArrayList<>();
        for (String sort : request.queries("sort")) {
            String[] parts = sort.split(":", 2);
            String column = columns.apply(parts[0]);
            if (parts.length < 2) {
                throw Problem.argument("sort is field:asc or field:desc, not " + sort + ".");
            }
            String direction = parts[1].toLowerCase();
            if (column == null || !direction.matches("asc|desc")) {
                throw Problem.badRequest("sort is field:asc or field:desc of a known field, not " + sort + ".");
            }
            orders.add(direction.equals("asc") ? Sort.Order.asc(column) : Sort.Order.desc(column));
        }
        return Pageable.from(page, size, orders.isEmpty() ? Sort.UNSORTED : Sort.of(orders));
    }
}
