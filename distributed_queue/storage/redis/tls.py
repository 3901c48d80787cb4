"""What a URL says of TLS. Python's ``ssl`` is loaded only where it is used: it takes 10 ms and 3 MB."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from distributed_queue.storage.redis.options import read_switch

if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import Mapping

_VERIFY_MODES = {"none": "CERT_NONE", "optional": "CERT_OPTIONAL", "required": "CERT_REQUIRED"}
TLS_OPTIONS = frozenset(
    {
        "ssl_ca_certs",
        "ssl_ca_data",
        "ssl_ca_path",
        "ssl_cert_reqs",
        "ssl_certfile",
        "ssl_check_hostname",
        "ssl_ciphers",
        "ssl_exclude_verify_flags",
        "ssl_include_verify_flags",
        "ssl_keyfile",
        "ssl_min_version",
        "ssl_password",
    }
)


class Tls(NamedTuple):
    """How a server has to prove who it is, and how this client does. ``None`` leaves it to Python's defaults."""

    ca_file: str | None
    ca_path: str | None
    ca_data: str | None
    certificate_file: str | None
    key_file: str | None
    key_password: str | None
    verify_mode: ssl.VerifyMode
    check_hostname: bool
    minimum_version: ssl.TLSVersion | None
    ciphers: str | None
    more_flags: ssl.VerifyFlags
    fewer_flags: ssl.VerifyFlags

    def wrap(self, sock: socket.socket, host: str) -> ssl.SSLSocket:
        """Do the handshake. The files are read each time, since certificates are renewed. Raises ``OSError``."""
        import ssl  # noqa: PLC0415 - see above

        context = ssl.create_default_context()
        context.check_hostname = self.check_hostname
        context.verify_mode = self.verify_mode
        context.verify_flags = (context.verify_flags | self.more_flags) & ~self.fewer_flags
        if self.certificate_file or self.key_file:
            context.load_cert_chain(self.certificate_file or "", self.key_file, self.key_password)
        if self.ca_file or self.ca_path or self.ca_data:
            context.load_verify_locations(self.ca_file, self.ca_path, self.ca_data)
        if self.minimum_version is not None:
            context.minimum_version = self.minimum_version
        if self.ciphers:
            context.set_ciphers(self.ciphers)
        return context.wrap_socket(sock, server_hostname=host)


def read_tls(options: Mapping[str, str]) -> Tls:
    """Understand the options of a URL. Raises ``ValueError``."""
    import ssl  # noqa: PLC0415 - see above

    mode = options.get("ssl_cert_reqs", "required")
    if mode not in _VERIFY_MODES:
        raise ValueError(f"ssl_cert_reqs={mode!r}: it is one of {', '.join(_VERIFY_MODES)}")
    version = options.get("ssl_min_version")
    return Tls(
        ca_file=options.get("ssl_ca_certs"),
        ca_path=options.get("ssl_ca_path"),
        ca_data=options.get("ssl_ca_data"),
        certificate_file=options.get("ssl_certfile"),
        key_file=options.get("ssl_keyfile"),
        key_password=options.get("ssl_password"),
        verify_mode=ssl.VerifyMode[_VERIFY_MODES[mode]],
        check_hostname=mode != "none" and read_switch(options, "ssl_check_hostname", default=True),
        minimum_version=None if version is None else ssl.TLSVersion(int(version)),
        ciphers=options.get("ssl_ciphers"),
        more_flags=_flags(options.get("ssl_include_verify_flags", "")),
        fewer_flags=_flags(options.get("ssl_exclude_verify_flags", "")),
    )


def _flags(names: str) -> ssl.VerifyFlags:
    """Names as in ``[VERIFY_X509_STRICT, VERIFY_X509_PARTIAL_CHAIN]``."""
    import ssl  # noqa: PLC0415 - see above

    flags = ssl.VerifyFlags(0)
    for name in filter(None, (name.strip() for name in names.strip("[]").split(","))):
        if name not in ssl.VerifyFlags.__members__:
            raise ValueError(f"there is no verify flag {name!r}")
        flags |= ssl.VerifyFlags[name]
    return flags
