package localcloud.kestra;

import io.kestra.core.executor.command.Replay;
import io.kestra.core.executor.command.Restart;
import io.kestra.core.models.executions.Execution;
import io.kestra.core.models.executions.ExecutionKilled;
import io.kestra.core.models.executions.ExecutionKilledExecution;
import io.kestra.core.queues.BroadcastQueueInterface;
import io.kestra.core.repositories.ExecutionRepositoryInterface;
import io.kestra.core.utils.IdUtils;

/** What is done to an execution that exists: kill, restart, replay. */
final class ExecutionActions {
    private final ExecutionRepositoryInterface repository;
    private final BroadcastQueueInterface<ExecutionKilled> kills;
    private final CommandQueue commands;

    ExecutionActions(Engine engine) {
        repository = engine.bean(ExecutionRepositoryInterface.class);
        kills = engine.broadcast(ExecutionKilled.class);
        commands = new CommandQueue(engine);
    }

    void register(Routes routes) {
        routes.on(Api.EXECUTION_KILL, this::kill);
        routes.on(Api.EXECUTION_RESTART, this::restart);
        routes.on(Api.EXECUTION_REPLAY, this::replay);
    }

    /**
     * Asks for the end of an execution; it is KILLED a moment later. With what it started, one that
     * has ended is taken too: its children may live.
     */
    private Reply kill(Request request) throws Exception {
        Execution execution = Executions.find(repository, request);
        boolean cascade = request.flag("isOnKillCascade", true);
        if (execution.getState().isTerminated() && !cascade) {
            throw Problem.conflict("The execution has ended already, it is " + execution.getState().getCurrent() + ".");
        }
        kills.emit(ExecutionKilledExecution.builder()
            .state(ExecutionKilled.State.REQUESTED)
            .executionId(execution.getId())
            .isOnKillCascade(cascade)
            .tenantId(Engine.TENANT)
            .build());
        return Reply.json(Executions.whole(execution), Api.Media.TEXT_JSON);
    }

    private Reply restart(Request request) throws Exception {
        Execution execution = Executions.find(repository, request);
        if (!execution.getState().canBeRestarted()) {
            throw Problem.conflict(
                "An execution that is " + execution.getState().getCurrent() + " cannot be restarted.");
        }
        Restart command = Restart.from(execution, request.number("revision").orElse(null));
        commands.run(execution.getId(), command::withOperationId);
        return Reply.json(Executions.whole(repository.findById(Engine.TENANT, execution.getId()).orElse(execution)));
    }

    private Reply replay(Request request) throws Exception {
        Execution execution = Executions.find(repository, request);
        String id = IdUtils.create();
        Replay command = Replay.from(
            execution,
            id,
            request.query("taskRunId").orElse(null),
            request.number("revision").orElse(null),
            request.query("breakpoints").orElse(null));
        return Reply.json(Executions.whole(commands.make(id, command::withOperationId)));
    }
}
