package localcloud.kestra;

import io.kestra.core.models.QueryFilter;
import io.kestra.core.models.executions.Execution;
import io.kestra.core.models.executions.LogEntry;
import io.kestra.core.models.executions.TaskOutput;
import io.kestra.core.models.executions.TaskRun;
import io.kestra.core.repositories.ExecutionRepositoryInterface;
import io.kestra.core.repositories.LogDataStoreInterface;
import io.kestra.core.repositories.TaskOutputRepositoryInterface;
import io.kestra.core.services.ExecutionOutputService;
import io.kestra.core.services.TaskOutputService;
import io.kestra.core.storages.StorageContext;
import io.kestra.core.storages.StorageInterface;
import io.kestra.core.utils.ListUtils;
import java.net.URI;
import java.net.URISyntaxException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import org.slf4j.event.Level;

/** What executions leave behind: logs, outputs and files. */
final class ResultCalls {
    private final ExecutionRepositoryInterface executions;
    private final LogDataStoreInterface logs;
    private final TaskOutputService taskOutputs;
    private final TaskOutputRepositoryInterface outputRepository;
    private final ExecutionOutputService flowOutputs;
    private final StorageInterface storage;

    ResultCalls(Engine engine) {
        executions = engine.bean(ExecutionRepositoryInterface.class);
        logs = engine.bean(LogDataStoreInterface.class);
        taskOutputs = engine.bean(TaskOutputService.class);
        outputRepository = engine.bean(TaskOutputRepositoryInterface.class);
        flowOutputs = engine.bean(ExecutionOutputService.class);
        storage = engine.bean(StorageInterface.class);
    }

    void register(Routes routes) {
        routes.on(Api.LOG_READ, request -> Reply.json(entries(request)));
        routes.on(Api.OUTPUTS_OF_EXECUTION, this::flowOutputs);
        routes.on(Api.OUTPUTS_OF_TASKS, this::taskRunsWithOutputs);
        routes.on(Api.OUTPUTS_OF_TASK_RUN, this::taskOutputs);
        routes.on(Api.EXECUTION_FILE, this::file);
    }

    /**
     * The log of one execution, oldest first; of one that is not there it is empty. Logs are indexed
     * a moment after they are written.
     */
    private List<LogEntry> entries(Request request) {
        Predicate<LogEntry> wanted = Filters.of(request, QueryFilter.Resource.LOG).stream()
            .map(ResultCalls::predicate)
            .reduce(entry -> true, Predicate::and);
        return logs.findByExecutionId(Engine.TENANT, request.path("id"), Level.TRACE).stream()
            .filter(wanted)
            .sorted(Comparator.comparing(LogEntry::getTimestamp))
            .toList();
    }

    private static Predicate<LogEntry> predicate(QueryFilter filter) {
        return switch (filter.field()) {
            case LEVEL -> levels(filter);
            case TASK_ID -> equal(filter, LogEntry::getTaskId);
            case TASK_RUN_ID -> equal(filter, LogEntry::getTaskRunId);
            case ATTEMPT_NUMBER -> equal(filter, entry -> String.valueOf(entry.getAttemptNumber()));
            default -> throw Problem.badRequest(
                "The log of an execution is filtered by level, taskId, taskRunId and attemptNumber, not by "
                    + filter.field().value() + ".");
        };
    }

    private static Predicate<LogEntry> levels(QueryFilter filter) {
        List<Level> levels = new ArrayList<>();
        List<?> values = filter.value() instanceof List<?> list ? list : List.of(filter.value());
        for (Object value : values) {
            try {
                levels.add(Level.valueOf(value.toString()));
            } catch (IllegalArgumentException e) {
                throw Problem.badRequest("There is no log level " + value + ".");
            }
        }
        List<Level> wanted = switch (filter.operation()) {
            case GREATER_THAN_OR_EQUAL_TO -> LogEntry.findLevelsByMin(levels.getFirst());
            case LESS_THAN_OR_EQUAL_TO -> LogEntry.findLevelsByMax(levels.getFirst());
            case IN -> levels;
            default -> throw Problem.badRequest("level takes GREATER_THAN_OR_EQUAL_TO, LESS_THAN_OR_EQUAL_TO and IN.");
        };
        return entry -> wanted.contains(entry.getLevel());
    }

    private static Predicate<LogEntry> equal(
        QueryFilter filter, Function<LogEntry, String> property) {
        if (filter.operation() != QueryFilter.Op.EQUALS) {
            throw Problem.badRequest(filter.field().value() + " takes EQUALS here.");
        }
        return entry -> filter.value().equals(property.apply(entry));
    }

    private Reply flowOutputs(Request request) throws Exception {
        Map<String, Object> outputs = flowOutputs.getOutputs(Executions.find(executions, request));
        return Reply.json(outputs == null ? Map.of() : outputs);
    }

    private Reply taskRunsWithOutputs(Request request) throws Exception {
        Execution execution = Executions.find(executions, request);
        Map<String, TaskOutput> stored = outputRepository.findByExecution(execution).stream()
            .collect(Collectors.toMap(TaskOutput::taskRunId, Function.identity()));
        List<Map<String, Object>> found = new ArrayList<>();
        for (TaskRun taskRun : ListUtils.emptyOnNull(execution.getTaskRunList())) {
            if (stored.containsKey(taskRun.getId())) {
                Map<String, Object> item = new LinkedHashMap<>();
                item.put("taskId", taskRun.getTaskId());
                item.put("taskRunId", taskRun.getId());
                item.put("value", taskRun.getValue());
                item.put("iteration", taskRun.getIteration());
                // Large outputs are a file of the internal storage.
                item.put("inline", stored.get(taskRun.getId()).uri() == null);
                found.add(item);
            }
        }
        return Reply.json(found);
    }

    private Reply taskOutputs(Request request) throws Exception {
        String id = request.path("taskRun");
        TaskRun taskRun = ListUtils.emptyOnNull(Executions.find(executions, request).getTaskRunList()).stream()
            .filter(candidate -> candidate.getId().equals(id))
            .findFirst()
            .orElseThrow(() -> Problem.notFound("The execution has no task run " + id + "."));
        return Reply.json(taskOutputs.getOutputs(taskRun));
    }

    private Reply file(Request request) throws Exception {
        Execution execution = Executions.find(executions, request);
        URI uri = fileOf(execution, request);
        String name = Path.of(uri.getPath()).getFileName().toString();
        return Reply.file(storage.get(Engine.TENANT, execution.getNamespace(), uri), name);
    }

    /** The file asked for, which must be one of that execution. */
    private static URI fileOf(Execution execution, Request request) {
        URI uri;
        try {
            uri = new URI(request.required("path"));
        } catch (URISyntaxException e) {
            throw Problem.argument("path is no URI: " + e.getReason() + ".");
        }
        Names.check(request.required("path"));
        URI folder = StorageContext.forExecution(execution).getExecutionStorageURI(StorageContext.KESTRA_SCHEME);
        boolean inside = uri.getPath() != null
            && Path.of(uri.getPath()).normalize().startsWith(Path.of(folder.getPath()));
        if (!StorageContext.KESTRA_SCHEME.equals(uri.getScheme()) || !inside) {
            throw Problem.invalid("path must be a file of this execution (" + folder + "/…), not " + uri + ".");
        }
        return uri;
    }
}
