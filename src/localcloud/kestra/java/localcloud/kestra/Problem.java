package localcloud.kestra;

import com.fasterxml.jackson.core.JsonProcessingException;
import io.kestra.core.exceptions.AlreadyExistsException;
import io.kestra.core.exceptions.ConflictException;
import io.kestra.core.exceptions.FlowProcessingException;
import io.kestra.core.exceptions.InputOutputValidationException;
import io.kestra.core.exceptions.InvalidQueryFiltersException;
import io.kestra.core.exceptions.NotFoundException;
import io.kestra.core.exceptions.ResourceExpiredException;
import io.kestra.core.exceptions.ValidationErrorException;
import jakarta.validation.ConstraintViolationException;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.NoSuchFileException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.concurrent.TimeoutException;

/** An answer that is an error, in the form of RFC 9457 with Kestra's problem types and titles. */
final class Problem extends RuntimeException {
    private static final String TYPES = "https://kestra.io/docs/api-reference/problems/";
    private static final String NO_FILE = "There is no such file.";

    private final int status;
    private final String slug;
    private final String title;

    private Problem(int status, String slug, String title, String detail) {
        super(detail, null, false, false);
        this.status = status;
        this.slug = slug;
        this.title = title;
    }

    int status() {
        return status;
    }

    /** The members of the problem+json object. */
    Map<String, Object> body(String instance) {
        Map<String, Object> body = new LinkedHashMap<>();
        body.put("type", TYPES + slug);
        body.put("title", title);
        body.put("status", status);
        body.put("detail", getMessage());
        body.put("instance", instance);
        body.put("errors", List.of());
        return body;
    }

    static Problem badRequest(String detail) {
        return new Problem(400, "bad-request", "Bad request", detail);
    }

    static Problem unauthenticated() {
        return new Problem(401, "unauthenticated", "Authentication required",
            "Every call needs HTTP basic authentication.");
    }

    static Problem forbidden(String detail) {
        return new Problem(403, "forbidden", "Forbidden", detail);
    }

    static Problem notFound(String detail) {
        return new Problem(404, "not-found", "Resource not found", detail);
    }

    static Problem conflict(String detail) {
        return new Problem(409, "conflict", "Conflict", detail);
    }

    static Problem exists(String detail) {
        return new Problem(409, "entity-already-exists", "Entity already exists", detail);
    }

    static Problem notAcceptable(String detail) {
        return new Problem(406, "not-acceptable", "Not acceptable", detail);
    }

    static Problem unsupported(String detail) {
        return new Problem(415, "unsupported-media-type", "Unsupported media type", detail);
    }

    static Problem tooLarge(String what, long limit) {
        return new Problem(413, "payload-too-large", "Payload too large",
            "The " + what + " is larger than " + limit + " bytes.");
    }

    /** The status that a full server has for what none of its handlers knows. */
    static Problem tooBig(String detail) {
        return new Problem(500, "internal-error", "Internal server error", detail);
    }

    static Problem invalid(String detail) {
        return new Problem(422, "validation-failed", "Validation failed", detail);
    }

    static Problem argument(String detail) {
        return new Problem(422, "invalid-argument", "Invalid argument", detail);
    }

    static Problem notOffered(String method, String path) {
        return new Problem(501, "not-implemented", "Not implemented", "This embedded Kestra does not offer "
            + method + " " + path + "; a full Kestra server does.");
    }

    /** The problem that an exception of the engine stands for; 500 where it stands for none. */
    static Problem of(Throwable e) {
        String detail = message(e);
        return switch (e) {
            case Problem problem -> problem;
            case InvalidQueryFiltersException x ->
                new Problem(400, "invalid-query-filters", "Invalid query filters", detail);
            case JsonProcessingException x -> new Problem(422, "invalid-json", "Invalid JSON", x.getOriginalMessage());
            case ResourceExpiredException x -> new Problem(410, "resource-expired", "Resource has expired", detail);
            case AlreadyExistsException x -> exists(detail);
            case ConflictException x -> conflict(detail);
            case NotFoundException x -> notFound(detail);
            case NoSuchElementException x -> notFound(detail);
            case FileNotFoundException x -> notFound(NO_FILE);
            case NoSuchFileException x -> notFound(NO_FILE);
            case ConstraintViolationException x -> invalid(detail);
            case FlowProcessingException x when x.getCause() != null -> invalid(message(x.getCause()));
            case InputOutputValidationException x -> new Problem(422, "invalid-entity", "Invalid entity", detail);
            case ValidationErrorException x -> invalid(x.formatedInvalidObjects());
            case IllegalArgumentException x -> argument(detail);
            case TimeoutException x ->
                new Problem(504, "timeout", "Operation timed out", "The engine did not answer in time.");
            // Words of the file system hold paths of this machine; they are in the log.
            case IOException x -> internal(e, "see the server's log");
            case UncheckedIOException x -> internal(e, "see the server's log");
            default -> internal(e, detail);
        };
    }

    private static Problem internal(Throwable e, String detail) {
        return new Problem(500, "internal-error", "Internal server error",
            e.getClass().getSimpleName() + ": " + detail);
    }

    private static String message(Throwable e) {
        return e.getMessage() == null ? e.getClass().getSimpleName() : e.getMessage().strip();
    }
}
