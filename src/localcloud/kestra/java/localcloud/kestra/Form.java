package localcloud.kestra;

import io.netty.buffer.Unpooled;
import io.netty.handler.codec.DecoderException;
import io.netty.handler.codec.http.DefaultHttpContent;
import io.netty.handler.codec.http.DefaultHttpRequest;
import io.netty.handler.codec.http.DefaultLastHttpContent;
import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpMethod;
import io.netty.handler.codec.http.HttpRequest;
import io.netty.handler.codec.http.HttpVersion;
import io.netty.handler.codec.http.multipart.Attribute;
import io.netty.handler.codec.http.multipart.DefaultHttpDataFactory;
import io.netty.handler.codec.http.multipart.FileUpload;
import io.netty.handler.codec.http.multipart.HttpPostMultipartRequestDecoder;
import io.netty.handler.codec.http.multipart.HttpPostRequestDecoder;
import io.netty.handler.codec.http.multipart.InterfaceHttpData;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * A multipart form. The body streams through Netty's decoder, which puts larger parts on disk, so
 * an upload's size is no matter of memory.
 */
final class Form implements AutoCloseable {
    /** Parts above this size, in bytes, live on disk. */
    private static final long MEMORY_LIMIT = 16 << 10;

    private final HttpPostMultipartRequestDecoder decoder;
    private final Map<String, String> fields = new LinkedHashMap<>();
    private final Map<String, Upload> files = new LinkedHashMap<>();

    /**
     * A file part.
     *
     * @param name the file's name as the client gives it, without a folder
     * @param content the file on disk, gone when the form is closed
     */
    record Upload(String name, File content) {
    }

    private Form(HttpPostMultipartRequestDecoder decoder) {
        this.decoder = decoder;
    }

    static Form read(String contentType, InputStream body, Path folder) throws IOException {
        if (!contentType.startsWith("multipart/form-data")) {
            if (body.read() >= 0) {
                throw Problem.badRequest("The body must be multipart/form-data.");
            }
            return new Form(null);
        }
        DefaultHttpDataFactory factory = new DefaultHttpDataFactory(MEMORY_LIMIT);
        factory.setDeleteOnExit(false); // it would remember every file; the next boot does it instead
        factory.setBaseDir(Files.createDirectories(folder).toString());
        HttpRequest head = new DefaultHttpRequest(HttpVersion.HTTP_1_1, HttpMethod.POST, "/");
        head.headers().set(HttpHeaderNames.CONTENT_TYPE, contentType);
        Form form = null;
        try {
            if (!HttpPostRequestDecoder.isMultipart(head)) {
                throw Problem.badRequest("The multipart Content-Type has no boundary.");
            }
            form = new Form(new HttpPostMultipartRequestDecoder(factory, head));
            form.decode(body, folder);
            return form;
        } catch (DecoderException e) {
            close(form);
            throw Problem.badRequest("The multipart body cannot be read: " + e.getMessage());
        } catch (IOException | RuntimeException e) {
            close(form);
            throw e;
        }
    }

    private void decode(InputStream body, Path folder) throws IOException {
        byte[] buffer = new byte[64 << 10];
        long read = 0;
        for (int got = body.read(buffer); got >= 0; got = body.read(buffer)) {
            decoder.offer(new DefaultHttpContent(Unpooled.copiedBuffer(buffer, 0, got)));
            read += got;
        }
        decoder.offer(new DefaultLastHttpContent());
        // No byte at all is how some clients send a form without parts.
        if (!keepParts(folder) && read > 0) {
            throw Problem.badRequest("The multipart body ends before its closing delimiter.");
        }
    }

    /** Keeps what was decoded; whether the body was whole. */
    private boolean keepParts(Path folder) throws IOException {
        try {
            while (decoder.hasNext()) {
                keep(decoder.next(), folder);
            }
            return false;
        } catch (HttpPostRequestDecoder.EndOfDataDecoderException e) {
            return true; // how the decoder says that it has seen the closing delimiter
        }
    }

    private void keep(InterfaceHttpData part, Path folder) throws IOException {
        String name = part.getName();
        if (fields.containsKey(name) || files.containsKey(name)) {
            throw Problem.badRequest("The form has two parts with the name " + name + ".");
        }
        switch (part) {
            case FileUpload file -> files.put(name, upload(file, folder));
            case Attribute field -> fields.put(name, text(field));
            default -> { }
        }
    }

    /** The text of a field, which is held in memory however it was sent. */
    private static String text(Attribute field) throws IOException {
        if (field.length() > Request.TEXT_LIMIT) {
            throw Problem.tooLarge("field " + field.getName(), Request.TEXT_LIMIT);
        }
        return field.getValue();
    }

    private static Upload upload(FileUpload part, Path folder) throws IOException {
        String name = Path.of(part.getFilename().isEmpty() ? "file" : part.getFilename()).getFileName().toString();
        Names.check(name);
        File content = Files.createTempFile(folder, "part-", ".tmp").toFile();
        part.renameTo(content);
        return new Upload(name, content);
    }

    Map<String, String> fields() {
        return fields;
    }

    Map<String, Upload> files() {
        return files;
    }

    @Override
    public void close() {
        files.values().forEach(file -> file.content().delete());
        if (decoder != null) {
            decoder.destroy();
        }
    }

    private static void close(Form form) {
        if (form != null) {
            form.close();
        }
    }
}
