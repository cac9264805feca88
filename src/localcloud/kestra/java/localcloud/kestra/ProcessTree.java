package localcloud.kestra;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashSet;
import java.util.Set;

/**
 * The processes of one task, found by a mark in their environment: unlike the parent's id, it stays
 * when a process is adopted by another parent or starts a session of its own.
 *
 * @param id the mark's value, unique to the task run
 */
record ProcessTree(String id) {
    static final String MARK = "LOCALCLOUD_TASK";

    private static final Duration GRACE = Duration.ofSeconds(3);

    /** Asks every process to stop, and ends those that have not after a while. Returns when all are gone. */
    void end() {
        long deadline = System.nanoTime() + GRACE.toNanos();
        boolean asked = false;
        Set<ProcessHandle> alive = new HashSet<>();
        for (find(alive); !alive.isEmpty(); find(alive)) {
            if (System.nanoTime() > deadline) {
                alive.forEach(ProcessHandle::destroyForcibly);
            } else if (!asked) {
                alive.forEach(ProcessHandle::destroy);
                asked = true;
            }
            pause();
        }
    }

    /**
     * Adds the marked processes and their descendants, which may have another environment (`env -i`,
     * `sudo`), and drops those that are gone. Once seen, a process is known without mark and parent.
     */
    private void find(Set<ProcessHandle> known) {
        byte[] entry = (MARK + "=" + id + "\0").getBytes(StandardCharsets.UTF_8);
        ProcessHandle.allProcesses().filter(p -> marked(p, entry)).forEach(known::add);
        known.addAll(known.stream().flatMap(ProcessHandle::descendants).toList());
        known.removeIf(process -> !process.isAlive());
    }

    /** A process that ended, or that is another user's, has no readable environment. */
    private static boolean marked(ProcessHandle process, byte[] entry) {
        try {
            return contains(Files.readAllBytes(Path.of("/proc", Long.toString(process.pid()), "environ")), entry);
        } catch (IOException e) {
            return false;
        }
    }

    private static boolean contains(byte[] environment, byte[] entry) {
        String text = new String(environment, StandardCharsets.ISO_8859_1);
        String wanted = new String(entry, StandardCharsets.ISO_8859_1);
        return text.startsWith(wanted) || text.contains("\0" + wanted);
    }

    private static void pause() {
        try {
            Thread.sleep(20);
        } catch (InterruptedException e) {
            // Ending the processes is what an interrupted task still has to do.
            Thread.yield();
        }
    }
}
