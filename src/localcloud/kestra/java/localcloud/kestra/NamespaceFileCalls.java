package localcloud.kestra;

import io.kestra.core.storages.Namespace;
import io.kestra.core.storages.NamespaceFactory;
import io.kestra.core.storages.NamespaceFile;
import io.kestra.core.storages.NamespaceFileAttributes;
import io.kestra.core.storages.StorageInterface;
import java.io.FileInputStream;
import java.io.InputStream;
import java.nio.file.Path;

/** Files of a namespace: what flows find in their working directory. */
final class NamespaceFileCalls {
    private static final String FILES = "/namespaces/{namespace}/files";
    private static final Path ROOT = Path.of("/");

    private final NamespaceFactory namespaces;
    private final StorageInterface storage;
    private final Path uploads;

    NamespaceFileCalls(Engine engine, Settings settings) {
        namespaces = engine.bean(NamespaceFactory.class);
        storage = engine.bean(StorageInterface.class);
        uploads = settings.uploads();
    }

    void register(Routes routes) {
        routes.tenant("GET", FILES, this::read);
        routes.tenant("POST", FILES, this::write);
        routes.tenant("DELETE", FILES, this::delete);
        routes.tenant("GET", FILES + "/directory", this::list);
        routes.tenant("GET", FILES + "/search", this::search);
        routes.tenant("GET", FILES + "/stats", this::stats);
    }

    private Namespace namespace(Request request) {
        return namespaces.of(Engine.TENANT, request.path("namespace"), storage);
    }

    private static Path path(Request request) {
        Path path = Path.of("/" + request.required("path")).normalize();
        if (request.required("path").contains("..")) {
            throw Problem.invalid("path must not hold `..`: " + request.required("path"));
        }
        return path;
    }

    private Reply read(Request request) throws Exception {
        Path path = path(request);
        InputStream content = namespace(request).getFileContent(path, request.number("revision").orElse(null));
        return Reply.file(content, path.getFileName().toString());
    }

    private Reply write(Request request) throws Exception {
        Path path = path(request);
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
        if (!namespace.exists(path)) {
            throw Problem.notFound("There is no file " + path + " in " + namespace.namespace() + ".");
        }
        namespace.delete(path);
        return Reply.empty(204);
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

    /** The paths of all files whose path holds a text. */
    private Reply search(Request request) throws Exception {
        return Reply.json(namespace(request).all(request.query("q").orElse(null), false).stream()
            .map(NamespaceFile::path)
            .toList());
    }

    private Reply stats(Request request) throws Exception {
        return Reply.json(namespace(request).getFileMetadata(path(request)));
    }
}
