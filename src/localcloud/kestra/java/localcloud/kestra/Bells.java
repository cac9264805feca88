package localcloud.kestra;

import java.time.Duration;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Wakes who reads a queue when something is put into it, so that an idle engine sleeps long and a
 * busy one does not wait. Everything that puts and reads is in this JVM.
 *
 * <p>A bell rings before the transaction of who rang it is done: for a while after it the queue is
 * read often.
 */
final class Bells {
    /** Sleep of a queue in which nothing was put lately. */
    private static final Duration IDLE = Duration.ofSeconds(1);
    /** How long after a ring there is no sleep here, and how long a short one. */
    private static final Duration FRESH = Duration.ofMillis(100);
    private static final Duration RECENT = Duration.ofSeconds(2);
    private static final Duration SHORT = Duration.ofMillis(25);

    private final Map<String, Bell> bells = new ConcurrentHashMap<>();

    void ring(String queue) {
        bell(queue).ring();
    }

    /** Sleeps as long as a reader that found nothing in this queue should. */
    void sleep(String queue) {
        bell(queue).sleep();
    }

    private Bell bell(String queue) {
        return bells.computeIfAbsent(queue, name -> new Bell());
    }

    private static final class Bell {
        private long rung = System.nanoTime();

        synchronized void ring() {
            rung = System.nanoTime();
            notifyAll();
        }

        synchronized void sleep() {
            long age = System.nanoTime() - rung;
            if (age >= FRESH.toNanos()) {
                try {
                    // A wake-up without a cause is one more look into the queue, no more.
                    wait((age < RECENT.toNanos() ? SHORT : IDLE).toMillis());
                } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                }
            }
        }
    }
}
