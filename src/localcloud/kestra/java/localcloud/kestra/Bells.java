package localcloud.kestra;

import java.time.Duration;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Supplier;

/**
 * Wakes who reads a queue when something is put into it, so that an idle engine sleeps long and a
 * busy one does not wait. Everything that puts and reads is in this JVM.
 *
 * <p>A bell rings when what was put can be seen: one that is rung in a transaction is heard when
 * that is over.
 */
final class Bells {
    /** The longest sleep of who reads a queue. */
    private static final Duration IDLE = Duration.ofSeconds(5);
    /** The least time between two looks for broadcasts, and how long after a ring it is the sleep. */
    private static final Duration REST = Duration.ofMillis(100);
    private static final Duration LIVELY = Duration.ofSeconds(10);

    private final Map<String, Bell> bells = new ConcurrentHashMap<>();
    /** The bells that were rung in the transaction of this thread. */
    private final ThreadLocal<Set<String>> held = new ThreadLocal<>();
    private volatile boolean ended;

    void ring(String queue) {
        Set<String> later = held.get();
        if (later == null) {
            bell(queue).ring();
        } else {
            later.add(queue);
        }
    }

    /** Runs a transaction, or a part of one; what it rings is heard when the whole of it is over. */
    <T> T after(Supplier<T> transaction) {
        if (held.get() != null) {
            return transaction.get();
        }
        Set<String> queues = new LinkedHashSet<>();
        held.set(queues);
        try {
            return transaction.get();
        } finally {
            held.remove();
            queues.forEach(this::ring);
        }
    }

    /** How often this bell has rung: to be asked before looking, so that no ring is slept over. */
    long rings(String queue) {
        return bell(queue).rings();
    }

    /**
     * Sleeps until it rings, as a reader that found nothing in this queue should.
     *
     * @param heard the rings before it looked
     * @return whether it rang since
     */
    boolean sleep(String queue, long heard) {
        return sleep(queue, heard, IDLE);
    }

    /** The same, but no longer than this. */
    boolean sleep(String queue, long heard, Duration most) {
        return bell(queue).sleep(heard, most);
    }

    /**
     * Sleeps as long as a reader that found no broadcast should. Broadcasts are read in the order of
     * their numbers, which are given before they are committed: who looks often, and at the moment
     * of a ring, passes one that is committed late.
     */
    void rest(String queue) {
        bell(queue).rest();
    }

    /** Nobody sleeps any more: who reads a queue looks whether it is to end. */
    void end() {
        ended = true;
        bells.values().forEach(Bell::ring);
    }

    private Bell bell(String queue) {
        return bells.computeIfAbsent(queue, name -> new Bell());
    }

    private final class Bell {
        private long rings;
        private long rung = System.nanoTime();

        synchronized void ring() {
            rings++;
            rung = System.nanoTime();
            notifyAll();
        }

        synchronized long rings() {
            return rings;
        }

        synchronized boolean sleep(long heard, Duration most) {
            if (rings == heard && !ended) {
                doze(most);
            }
            return rings != heard;
        }

        void rest() {
            synchronized (this) {
                if (System.nanoTime() - rung >= LIVELY.toNanos() && !ended) {
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
