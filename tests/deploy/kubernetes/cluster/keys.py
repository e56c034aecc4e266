"""A certificate authority and what it signs, for the programs of a cluster."""
import subprocess

USERS = {  # file → subject; Kubernetes reads the user from CN, its groups from O
    "apiserver": "/CN=kube-apiserver",
    "admin": "/O=system:masters/CN=admin",
    "controllers": "/CN=system:kube-controller-manager",
    "scheduler": "/CN=system:kube-scheduler",
    "proxy": "/CN=system:kube-proxy",
    "dns": "/O=system:masters/CN=dns",
    "kubelet": "/O=system:nodes/CN=system:node:node",
    "front": "/CN=front",
    "metrics": "/CN=metrics",
    "mail": "/CN=mail",
}
NAMES = "IP:127.0.0.1,IP:%s,IP:10.96.0.1,DNS:localhost,DNS:kubernetes.default.svc,DNS:metrics.kube-system.svc"


def openssl(folder, *arguments):
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)


def make_key(folder, name):
    openssl(folder, "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", name + ".key")


def sign(folder, name, subject, node):
    make_key(folder, name)
    (folder / "extensions").write_text("subjectAltName=%s\nextendedKeyUsage=serverAuth,clientAuth\n" % (NAMES % node))
    openssl(folder, "req", "-new", "-key", name + ".key", "-subj", subject, "-out", name + ".csr")
    openssl(folder, "x509", "-req", "-in", name + ".csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile",
            "extensions", "-out", name + ".crt")


def make(folder, node):
    folder.mkdir(mode=0o700)
    make_key(folder, "ca")
    openssl(folder, "req", "-x509", "-new", "-key", "ca.key", "-subj", "/CN=test", "-days", "2", "-out", "ca.crt")
    for name, subject in USERS.items():
        sign(folder, name, subject, node)
    make_key(folder, "accounts")
    openssl(folder, "ec", "-in", "accounts.key", "-pubout", "-out", "accounts.pub")
