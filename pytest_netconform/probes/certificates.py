"""Certificates for servers in tests: of an authority that is made once, by the openssl program."""

from __future__ import annotations

import ipaddress
import os
import ssl
import subprocess
from collections.abc import Iterable
from contextlib import ExitStack
from functools import cache

from pytest_netconform.errors import BuildError
from pytest_netconform.kernel.processes.commands import environment

DAYS = "3650"
KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-sha256"]
AUTHORITY = """[req]
prompt = no
distinguished_name = dn
x509_extensions = ext
[dn]
CN = pytest-netconform test authority
[ext]
basicConstraints = critical, CA:true
keyUsage = critical, keyCertSign
subjectKeyIdentifier = hash
"""
LEAF = """[req]
prompt = no
distinguished_name = dn
[dn]
CN = pytest-netconform test server
[ext]
basicConstraints = critical, CA:false
keyUsage = critical, digitalSignature
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
extendedKeyUsage = serverAuth
subjectAltName = {names}
"""


@cache
def authority() -> tuple[bytes, bytes]:
    """Make an authority; gives its certificate and its key as PEM, which are only ever in memory.

    Raises: BuildError where there is no openssl.
    """
    made = _openssl(
        "req", "-x509", *KEY, "-days", DAYS, "-config", "{0}", "-keyout", "-", inputs=[AUTHORITY.encode()]
    )
    key, _, certificate = made.partition(b"-----BEGIN CERTIFICATE")
    return b"-----BEGIN CERTIFICATE" + certificate, key


def certificate(names: Iterable[str]) -> bytes:
    """Make a certificate for names and addresses; gives its key and itself as PEM.

    Raises: BuildError.
    """
    ca, ca_key = authority()
    alternatives = ", ".join(map(_alternative, names))
    config = LEAF.format(names=alternatives).encode()
    made = _openssl("req", "-new", *KEY, "-config", "{0}", "-keyout", "-", inputs=[config])
    key, _, signing = made.partition(b"-----BEGIN CERTIFICATE REQUEST")
    signing = b"-----BEGIN CERTIFICATE REQUEST" + signing
    serial = str(int.from_bytes(os.urandom(8), "big"))
    signed = ["x509", "-req", "-in", "{0}", "-CA", "{1}", "-CAkey", "{2}", "-set_serial", serial, "-sha256"]
    signed += ["-days", DAYS, "-extfile", "{3}", "-extensions", "ext"]
    return key + _openssl(*signed, inputs=[signing, ca, ca_key, config])


def server_context(pem: bytes) -> ssl.SSLContext:
    """Serve with a key and a certificate, both in one PEM.

    Raises: BuildError where one of them is missing, or they do not fit.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with ExitStack() as stack:
        path = _in_memory(stack, pem)
        try:
            context.load_cert_chain(path)
        except OSError as error:
            raise BuildError(f"a certificate and its key were expected: {error}") from error
    return context


def _alternative(name: str) -> str:
    try:
        return f"IP:{ipaddress.ip_address(name)}"
    except ValueError:
        if not name or not all(letter.isalnum() or letter in "-._*" for letter in name) or not name.isascii():
            raise BuildError(f"{name!r} is no name for a certificate") from None
        return f"DNS:{name}"


def _openssl(*arguments: str, inputs: Iterable[bytes]) -> bytes:
    """Run openssl; `{0}` stands for the path of the first input, which is a file in memory."""
    with ExitStack() as stack:
        paths = [_in_memory(stack, text) for text in inputs]
        fds = [int(path.rpartition("/")[2]) for path in paths]
        command = ["openssl", *(argument.format(*paths) for argument in arguments)]
        try:
            done = subprocess.run(
                command, capture_output=True, pass_fds=fds, stdin=subprocess.DEVNULL, env=environment(None)
            )
        except FileNotFoundError as error:
            raise BuildError(
                "a certificate takes the program openssl; install it, or give certificate="
            ) from error
    if done.returncode:
        raise BuildError(f"{' '.join(command)}: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout


def _in_memory(stack: ExitStack, text: bytes) -> str:
    """Keep a text in memory under a path, where neither an interrupt nor a kill can leave it behind."""
    fd = os.memfd_create("netconform")
    stack.callback(os.close, fd)
    os.pwrite(fd, text, 0)
    return f"/proc/self/fd/{fd}"
