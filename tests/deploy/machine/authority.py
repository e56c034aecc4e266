"""A company's CA: certificates that last as long as a test wants, to the second."""
import datetime
import pathlib

from machine import run

CONFIG = """\
[ca]
default_ca = here
[here]
database = {folder}/database
new_certs_dir = {folder}
rand_serial = yes
default_md = sha256
unique_subject = no
policy = any
copy_extensions = copy
[any]
commonName = supplied
[extensions]
basicConstraints = CA:FALSE
extendedKeyUsage = serverAuth,clientAuth
"""


class Authority:
    """Signs by the key and certificate that are given; what it makes lies in `folder`."""

    def __init__(self, folder, certificate, key):
        self.folder, self.certificate, self.key = pathlib.Path(folder), certificate, key
        self.folder.mkdir()
        (self.folder / "database").touch()
        (self.folder / "ca.conf").write_text(CONFIG.format(folder=self.folder))

    def issue(self, name, names="", seconds=86400):
        """(certificate, key) for CN=name; names: "DNS:a,IP:1.2.3.4"."""
        base = self.folder / name
        extra = ("-addext", "subjectAltName=" + names) if names else ()
        run("openssl", "req", "-new", "-batch", "-config", "/dev/null", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-subj", "/CN=" + name, *extra, "-keyout", base.with_suffix(".key"), "-out", base.with_suffix(".csr"))
        end = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)
        run("openssl", "ca", "-batch", "-notext", "-config", self.folder / "ca.conf", "-cert", self.certificate, "-keyfile", self.key,
            "-extensions", "extensions", "-enddate", end.strftime("%Y%m%d%H%M%SZ"), "-in", base.with_suffix(".csr"),
            "-out", base.with_suffix(".pem"))
        return base.with_suffix(".pem"), base.with_suffix(".key")
