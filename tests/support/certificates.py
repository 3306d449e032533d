"""Certificates for TLS servers in tests, issued by the test's own authority."""

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_DAY = timedelta(days=1)


class Authority:
    """A certificate authority. The file `path` has its own certificate."""

    def __init__(self, folder: Path, name: str = "Test authority") -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name(name)
        certificate = _sign(
            self._name, self._name, self._key, self._key, x509.BasicConstraints(True, None)
        )
        self.path = folder / "authority.pem"
        self.path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def server(self, host: str, *, age: timedelta = _DAY) -> ssl.SSLContext:
        """Return a TLS context for a host, with a certificate issued `age` ago for ten days."""
        return self._context(host, self._name, self._key, age)

    def self_signed(self, host: str) -> ssl.SSLContext:
        return self._context(host, _name(host), None, _DAY)

    def _context(
        self,
        host: str,
        issuer: x509.Name,
        issuer_key: ec.EllipticCurvePrivateKey | None,
        age: timedelta,
    ) -> ssl.SSLContext:
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = _sign(
            _name(host),
            issuer,
            key,
            issuer_key or key,
            x509.SubjectAlternativeName([x509.DNSName(host)]),
            age=age,
        )
        path = self._folder / f"{certificate.serial_number}.pem"
        path.write_bytes(
            certificate.public_bytes(serialization.Encoding.PEM)
            + key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(path)
        return context


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _sign(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    issuer_key: ec.EllipticCurvePrivateKey,
    extension: x509.ExtensionType,
    *,
    age: timedelta = _DAY,
) -> x509.Certificate:
    begin = datetime.now(UTC) - age
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + 10 * _DAY)
        .add_extension(extension, critical=False)
        .sign(issuer_key, hashes.SHA256())
    )
