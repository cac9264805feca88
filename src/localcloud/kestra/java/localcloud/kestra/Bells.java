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
    /** The least time between two looks for broadcasts, and how long after a ring it is the sleep. */
    private static final Duration REST = Duration.ofMillis(100);
    private static final Duration LIVELY = Duration.ofSeconds(10);

    private final Map<String, Bell> bells = new ConcurrentHashMap<>();

    void ring(String queue) {
        bell(queue).ring();
    }

    /** Sleeps as long as a reader that found nothing in this queue should. */
    void sleep(String queue) {
        bell(queue).sleep();
    }

    /**
     * Sleeps as long as a reader that found no broadcast should. Broadcasts are read in the order of
     * their numbers, which are given before they are committed: who looks often, and at the moment
     * of a ring, passes one that is committed late.
     */
    void rest(String queue) {
        bell(queue).rest();
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
                doze(age < RECENT.toNanos() ? SHORT : IDLE);
            }
        }

        void rest() {
            synchronized (this) {
                if (System.nanoTime() - rung >= LIVELY.toNanos()) {
                    doze(IDLE.minus(REST));
                }
            }
            try {
                Thread.sleep(REST);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }

        /** Waits for a ring; a wake-up without a cause is one more look into the queue, no more. */
        private void doze(Duration most) {
            try {
                wait(most.toMillis());
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }
    }
}
