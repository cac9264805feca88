package localcloud.kestra;

import io.kestra.core.models.flows.Flow;
import io.kestra.core.models.validations.KestraConstraintViolationException;
import io.kestra.core.models.validations.ManualConstraintViolation;
import io.kestra.core.models.validations.ModelValidator;
import io.micronaut.context.ApplicationContext;
import io.micronaut.context.RuntimeBeanDefinition;
import io.micronaut.validation.validator.Validator;
import jakarta.validation.ConstraintViolation;
import jakarta.validation.ConstraintViolationException;
import java.util.LinkedHashSet;
import java.util.Optional;
import java.util.Set;

/**
 * The engine's validator, plus what our script tasks cannot do: a flow that needs a container or a
 * package manager is refused when it is saved or validated, not when it runs.
 */
final class ScriptRules extends ModelValidator {
    private final Validator validator;

    private ScriptRules(Validator validator) {
        this.validator = validator;
    }

    /** Puts this validator in the place of the stock one. Call it before the context starts. */
    static void register(ApplicationContext context) {
        context.registerBeanDefinition(RuntimeBeanDefinition
            .builder(ModelValidator.class, () -> new ScriptRules(context.getBean(Validator.class)))
            .singleton(true)
            .replaces(ModelValidator.class)
            .build());
    }

    @Override
    public <T> void validate(T model) throws ConstraintViolationException {
        Optional<ConstraintViolationException> found = isValid(model);
        if (found.isPresent()) {
            throw found.get();
        }
    }

    @Override
    public <T> Optional<ConstraintViolationException> isValid(T model) {
        Set<ConstraintViolation<T>> violations = new LinkedHashSet<>(validator.validate(model));
        if (model instanceof Flow flow) {
            flow.allTasksWithChilds().forEach(task -> {
                if (task instanceof LocalCommands commands) {
                    commands.unsupported().forEach(message -> violations.add(
                        ManualConstraintViolation.of(message, model, type(model), task.getId(), task)));
                }
            });
        }
        return violations.isEmpty()
            ? Optional.empty()
            : Optional.of(new KestraConstraintViolationException(violations));
    }

    @SuppressWarnings("unchecked")
    private static <T> Class<T> type(T model) {
        return (Class<T>) model.getClass();
    }
}
