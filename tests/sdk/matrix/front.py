"""What stands in front of a gateway in the tests: a listener that passes bytes on and keeps what clients sent.

With TLS it is the load balancer of a deployment: boto3 sends a bearer token over TLS only.
"""

import socket
import ssl
import threading
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


class Front:
    """Passes connections on; each client's bytes are kept."""

    def __init__(self, port: int, certificate: Path | None = None):
        """`port` is the gateway's; `certificate` holds the key as well."""
        self.to = port
        self.sent: list[bytearray] = []
        self.tls = None
        if certificate:
            self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.tls.load_cert_chain(certificate)
        self.listener = socket.create_server(("127.0.0.1", 0))
        scheme = "https" if certificate else "http"
        self.url = f"{scheme}://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self) -> None:
        # Closing the listener ends it.
        with suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client: socket.socket) -> None:
        with suppress(OSError), client, socket.create_connection(("127.0.0.1", self.to)) as server:
            if self.tls:
                client = self.tls.wrap_socket(client, server_side=True)
            kept = bytearray()
            self.sent.append(kept)
            back = threading.Thread(target=pump, args=(server, client), daemon=True)
            back.start()
            pump(client, server, kept)
            back.join()

    def close(self) -> None:
        self.listener.close()

    def bodies(self) -> list[bytes]:
        """The bodies of all requests so far: connections in order, none of them with more than one."""
        return [body(bytes(sent)) for sent in self.sent if sent]


def pump(source: socket.socket, target: socket.socket, kept: bytearray | None = None) -> None:
    with suppress(OSError):
        while data := source.recv(65_536):
            if kept is not None:
                kept += data
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)


def body(request: bytes) -> bytes:
    """The body of a request of HTTP/1.1 that says its length or is chunked."""
    head, _, rest = request.partition(b"\r\n\r\n")
    headers = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
    if length := headers.get(b"content-length"):
        assert len(rest) == int(length), f"{len(rest)} bytes of {int(length)}"
        return rest
    assert headers.get(b"transfer-encoding") == b"chunked", head
    whole = b""
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        whole, rest = whole + rest[: int(size, 16)], rest[int(size, 16) + 2 :]
    return whole


def certificate(directory: Path) -> Path:
    """A fresh key with a certificate for 127.0.0.1 that it signed itself, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    alternative = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(alternative, critical=False)
        .sign(key, hashes.SHA256())
    )
    form = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    pem = key.private_bytes(serialization.Encoding.PEM, *form)
    path = directory / "front.pem"
    path.write_bytes(pem + signed.public_bytes(serialization.Encoding.PEM))
    return path
