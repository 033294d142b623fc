"""A gate behind TLS: its authority, its certificate, and who trusts it."""

import ssl

import trustme
from cryptography import x509

from . import http1
from .gate import House


class Certificates:
    """An authority and the files of the gate's certificate."""

    def __init__(self, folder):
        folder.mkdir(parents=True, exist_ok=True)
        self.authority = trustme.CA()
        self.chain, self.key = folder / "gate.pem", folder / "gate.key"
        self.root = folder / "root.pem"
        self.authority.cert_pem.write_to_path(self.root)
        self.renew()

    def renew(self):
        """A new certificate in the same files."""
        made = self.authority.issue_cert("127.0.0.1", "localhost")
        key, chain = made.private_key_pem.bytes(), made.cert_chain_pems[0].bytes()
        # Chain and key belong together: the gate must not meet one of each.
        self.key.write_bytes(key)
        self.chain.write_bytes(chain)

    def context(self, *names, callers=None):
        """A server's context: the gate's certificate, or one for these names.
        `callers`: the file of an authority of which callers need a certificate."""
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        if names:
            self.authority.issue_cert(*names).configure_cert(made)
        else:
            made.load_cert_chain(self.chain, self.key)
        if callers:
            made.load_verify_locations(callers)
            made.verify_mode = ssl.CERT_REQUIRED
        return made

    def trusting(self, *protocols):
        """A caller's context."""
        context = ssl.create_default_context(cafile=str(self.root))
        if protocols:
            context.set_alpn_protocols(list(protocols))
        return context

    def config(self, **more):
        paths = {"certificate": self.chain, "key": self.key, **more}
        lines = "".join(f'{name} = "{path}"\n' for name, path in paths.items())
        return f"\n[gate.tls]\n{lines}"


def house(folder, more="", callers=None, **wanted):
    """A house whose gate speaks TLS, and its certificates. `callers`: the file
    of an authority of which callers need a certificate."""
    made = House(folder, start=False, **wanted)
    try:
        certificates = Certificates(folder / "certificates")
        asked = {"caller_authority": callers} if callers else {}
        made.gate.file.write_text(made.config(**wanted) + certificates.config(**asked) + more)
        made.gate.start()
    except BaseException:
        made.close()
        raise
    return made, certificates


def serial(context, base):
    """The serial number of the certificate that is shown now."""
    with http1.line(base, context) as line:
        shown = line.getpeercert(binary_form=True)
    return x509.load_der_x509_certificate(shown).serial_number
