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
    /** A search of a repository. */
    @FunctionalInterface
    interface Search<S> {
        ArrayListTotal<S> run() throws Exception;
    }

    /** Runs a search; a filter's value that the repository does not understand answers 400. */
    static <S, T> Page<T> of(Search<S> search, Function<S, T> shape) throws Exception {
        ArrayListTotal<S> found;
        try {
            found = search.run();
        } catch (IllegalArgumentException e) {
            throw Problem.badRequest(e.getMessage());
        }
        return new Page<>(found.stream().map(shape).toList(), found.getTotal());
    }
}
