"""Whom HTTPS is trusted by, in a step and in a command: the same authorities."""

from __future__ import annotations

import http.server
import ipaddress
import ssl
import threading
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from taxi_etl import download
from taxi_etl.errors import SourceSilent
from taxi_etl.site import Site
from taxistack.kestra.trust import Trust


class _Answers(http.server.BaseHTTPRequestHandler):
    def do_HEAD(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "7")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def certificate(tmp_path):
    """A file with a certificate of this machine, signed by itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False
        )
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "site.pem"
    form = serialization.Encoding.PEM
    path.write_bytes(
        made.public_bytes(form)
        + key.private_bytes(form, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return path


@pytest.fixture
def serving():
    """Starts a site."""
    servers = []

    def start():
        servers.append(http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Answers))
        threading.Thread(target=servers[-1].serve_forever, daemon=True).start()
        return servers[-1]

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def site(certificate, serving):
    """The address of one that speaks HTTPS."""
    server = serving()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    return f"https://127.0.0.1:{server.server_address[1]}"


def by_a_step(url: str) -> int | None:
    with Site() as http:
        return download.ask(http, url).length


def by_a_command(url: str) -> int:
    with httpx.Client(verify=Trust(trust_env=True)) as client:
        return int(client.head(url).headers["Content-Length"])


CLIENTS = pytest.mark.parametrize("asked", [by_a_step, by_a_command])


@CLIENTS
def test_a_site_that_nobody_vouches_for_is_not_spoken_to(site, asked):
    with pytest.raises((SourceSilent, httpx.ConnectError), match="CERTIFICATE_VERIFY_FAILED"):
        asked(f"{site}/file")


@CLIENTS
def test_a_company_s_certificates_are_named_by_the_environment(
    site, certificate, monkeypatch, asked
):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere")
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    assert asked(f"{site}/file") == 7


def test_a_site_of_this_machine_is_trusted_by_nothing_of_the_environment(
    site, certificate, monkeypatch
):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with Site(base=site) as http, pytest.raises(SourceSilent, match="CERTIFICATE_VERIFY_FAILED"):
        download.ask(http, f"{site}/file")


@CLIENTS
def test_plain_http_reads_no_certificate(monkeypatch, serving, asked):
    def refuse(*_, **__):
        raise AssertionError("read the certificates")

    monkeypatch.setattr("ssl.SSLContext.load_verify_locations", refuse)
    assert asked(f"http://127.0.0.1:{serving().server_address[1]}/file") == 7
