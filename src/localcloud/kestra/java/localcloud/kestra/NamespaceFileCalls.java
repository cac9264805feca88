package localcloud.kestra;

import io.kestra.core.storages.Namespace;
import io.kestra.core.storages.NamespaceFactory;
import io.kestra.core.storages.NamespaceFileAttributes;
import io.kestra.core.storages.StorageInterface;
import java.io.FileInputStream;
import java.io.InputStream;
import java.nio.file.Path;

/** Files of a namespace: what flows find in their working directory. */
final class NamespaceFileCalls {
    private static final Path ROOT = Path.of("/");
    private static final Path FLOWS = Path.of("/_flows");

    private final NamespaceFactory namespaces;
    private final StorageInterface storage;
    private final Path uploads;

    NamespaceFileCalls(Engine engine, Settings settings) {
        namespaces = engine.bean(NamespaceFactory.class);
        storage = engine.bean(StorageInterface.class);
        uploads = settings.uploads();
    }

    void register(Routes routes) {
        routes.on(Api.FILE_READ, this::read);
        routes.on(Api.FILE_WRITE, this::write);
        routes.on(Api.FILE_DELETE, this::delete);
        routes.on(Api.FILE_LIST, this::list);
    }

    private Namespace namespace(Request request) {
        return namespaces.of(Engine.TENANT, request.path("namespace"), storage);
    }

    private static Path path(Request request) {
        Path path = Path.of("/" + request.required("path")).normalize();
        if (request.required("path").contains("..")) {
            throw Problem.invalid("path must not hold `..`: " + request.required("path"));
        }
        Names.check(request.path("namespace"), path.toString());
        return path;
    }

    private Reply read(Request request) throws Exception {
        Path path = path(request);
        InputStream content = namespace(request).getFileContent(path, request.number("revision").orElse(null));
        return Reply.file(content, path.getFileName().toString());
    }

    private Reply write(Request request) throws Exception {
        Path path = path(request);
        refuseSurprises(path);
        try (Form form = request.form(uploads)) {
            Form.Upload file = form.files().get("fileContent");
            if (file == null) {
                throw Problem.badRequest("The file is missing: a multipart part with the name fileContent.");
            }
            try (InputStream content = new FileInputStream(file.content())) {
                namespace(request).putFile(path, content);
            }
        }
        return Reply.empty(200);
    }

    private Reply delete(Request request) throws Exception {
        Path path = path(request);
        Namespace namespace = namespace(request);
        if (namespace.exists(path)) {
            namespace.delete(path);
        }
        return Reply.empty(200);
    }

    /** Refuses what a full server does not store under the name that it was sent with. */
    private static void refuseSurprises(Path path) {
        String reason = path.toString().contains(" ") ? "a blank in its name, which is stored as a plus sign"
            : path.toString().endsWith(".zip") ? "an archive, which is unpacked"
            : path.startsWith(FLOWS) ? "a path below /_flows, which makes a flow"
            : null;
        if (reason != null) {
            throw Problem.notOffered("POST", "a namespace file with " + reason);
        }
    }

    private Reply list(Request request) throws Exception {
        Path folder = request.query("path").isPresent() ? path(request) : ROOT;
        Namespace namespace = namespace(request);
        if (!folder.equals(ROOT) && !namespace.exists(folder)) {
            throw Problem.notFound("There is no folder " + folder + " in " + namespace.namespace() + ".");
        }
        return Reply.json(namespace.children(folder.toString(), false).stream()
            .map(NamespaceFileAttributes::new)
            .toList());
    }
}
