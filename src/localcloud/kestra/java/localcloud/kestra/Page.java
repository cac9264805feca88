package localcloud.kestra;

import io.kestra.core.repositories.ArrayListTotal;
import java.util.List;
import java.util.function.Function;

/**
 * One page of a search, as the API gives it.
 *
 * @param results the page's items
 * @param total the number of items on all pages
 */
record Page<T>(List<T> results, long total) {
    static <S, T> Page<T> of(ArrayListTotal<S> found, Function<S, T> shape) {
        return new Page<>(found.stream().map(shape).toList(), found.getTotal());
    }
}
