package localcloud.kestra;

import java.time.Duration;
import org.h2.mvstore.MVStore;
import org.h2.mvstore.MVStoreException;

/**
 * Keeps the database's file small. Each commit is written behind the others, with every page that it
 * has changed; of what stands before, some pages are still in use and the rest is lost. H2 writes
 * those anew in the thread that also writes late commits, which {@code WRITE_DELAY=0} ends.
 */
final class Compaction {
    private static final Duration PAUSE = Duration.ofSeconds(1);
    /** What is younger changes soon by itself. */
    private static final Duration SEASONED = Duration.ofSeconds(2);
    /** Percent of the written pages that are in use: above it nothing is done. */
    private static final int ENOUGH = 50;
    /** Bytes that are written anew at a time; commits wait meanwhile. */
    private static final int MOST = 2 << 20;

    private Compaction() {
    }

    /** Looks at the store every second in which something was written, until it is closed. */
    static void start(MVStore store) {
        store.setRetentionTime((int) SEASONED.toMillis());
        Thread.ofPlatform().daemon().name("compaction").start(() -> watch(store));
    }

    private static void watch(MVStore store) {
        long seen = 0;
        try {
            while (!store.isClosed()) {
                if (store.getCurrentVersion() != seen) {
                    store.compact(ENOUGH, MOST);
                    seen = store.getCurrentVersion();
                }
                Thread.sleep(PAUSE);
            }
        } catch (MVStoreException closed) {
            if (!store.isClosed()) {
                throw closed;
            }
        } catch (InterruptedException end) {
            Thread.currentThread().interrupt();
        }
    }
}
