#!/usr/bin/python3
"""Real mail servers from Debian's packages, unpacked into a cache (nothing is installed, no account is made): what they
take, refuse and deliver. Skipped where the packages can't be had; OpenSMTPD needs root to start."""

import base64
import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
import threading

from support import Child, Skipped, cases_of, check, equal, event, main, parse, record, records, run, wait_for

CACHE = os.path.join(os.environ.get("XDG_CACHE_HOME", os.path.expanduser("~/.cache")), "weir", "mail-servers")


def unpacked(package):
    """The folder with the package's files."""
    folder = os.path.join(CACHE, package)
    if os.path.isdir(folder):
        return folder
    os.makedirs(CACHE, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as place:
        os.chmod(place, 0o755)
        got = subprocess.run(["apt-get", "-q", "download", package], cwd=place, capture_output=True, text=True)
        names = [name for name in os.listdir(place) if name.endswith(".deb")]
        if got.returncode != 0 or not names:
            raise Skipped("%s can't be downloaded: %s" % (package, got.stderr.strip()[-200:]))
        tree = os.path.join(place, "tree")
        subprocess.run(["dpkg-deb", "-x", os.path.join(place, names[0]), tree], check=True)
        try:
            os.rename(tree, folder)
        except OSError:
            pass  # another run was first
    return folder


def environment(tree):
    return {**os.environ, "LD_LIBRARY_PATH": os.path.join(tree, "usr", "lib", "postfix")}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def contents(folder):
    found = []
    for name in os.listdir(folder) if os.path.isdir(folder) else ():
        with open(os.path.join(folder, name), "rb") as stream:
            found.append(stream.read())
    return found


class SmtpSink(Child):
    """Postfix's smtp-sink: an SMTP server of Postfix's library that keeps nothing, or a file for each mail."""

    def __init__(self, *arguments):
        tree, self.port = unpacked("postfix"), free_port()
        user = ["-u", "nobody"] if os.geteuid() == 0 else []
        super().__init__(os.path.join(tree, "usr", "sbin", "smtp-sink"), *user, *arguments,
                         "127.0.0.1:%d" % self.port, "64", env=environment(tree), stdout=subprocess.DEVNULL,
                         stderr=subprocess.DEVNULL)
        self.address = "127.0.0.1:%d" % self.port

    def __enter__(self):
        super().__enter__()
        wait_for("smtp-sink", lambda: listens(self.port))
        return self


def case_smtp_sink_takes():
    with SmtpSink() as sink:
        equal(run(sink.address, records(500)).verdicts(), ["done"] * 500, "verdicts")


def case_smtp_sink_refuses():
    """Hard and soft refusals of each command, in Postfix's own words."""
    for option, command, verdict in (("-f", "rcpt", "reject"), ("-f", "data", "reject"), ("-f", ".", "reject"),
                                     ("-f", "mail", "wait"), ("-f", "ehlo", "done"), ("-r", "rcpt", "retry"),
                                     ("-r", "data", "retry"), ("-r", ".", "retry"), ("-r", "mail", "wait"),
                                     ("-q", "rcpt", None), ("-q", ".", None), ("-q", "ehlo", "wait"),
                                     ("-Q", "rcpt", None), ("-Q", "mail", "wait")):
        with SmtpSink(option, command) as sink:
            got = run(sink.address, records(1), smtp_timeout="3s").only()["verdict"]
            check(got == verdict or (verdict is None and got in ("retry", "wait")), "verdict on %s %s: %s", option,
                  command, got)


def case_smtp_sink_without_extensions():
    for options in (["-e"], ["-p"], ["-F"], ["-E"]):
        with SmtpSink(*options) as sink:
            equal(run(sink.address, records(20)).verdicts(), ["done"] * 20, "verdicts with %r" % options)


POSTFIX_MAIN = """compatibility_level = 3.7
queue_directory = {folder}/queue
data_directory = {folder}/data
command_directory = {tree}/usr/sbin
daemon_directory = {tree}/usr/lib/postfix/sbin
shlib_directory = {tree}/usr/lib/postfix
mail_owner = {owner}
setgid_group = {group}
default_privs = nobody
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = postfix.example.org
mydestination =
local_transport = error:no local users
local_recipient_maps =
alias_maps =
virtual_mailbox_domains = example.org
virtual_mailbox_base = {folder}/mail
virtual_mailbox_maps = inline:{{ {{ team@example.org = team/ }}, {{ ada@example.org = team/ }} }}
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
virtual_minimum_uid = 1
mynetworks = 127.0.0.0/8
smtpd_recipient_restrictions = check_recipient_access inline:{{ {{ busy@example.org = 450 4.2.1 busy }} }}, permit_mynetworks, reject
smtpd_client_connection_count_limit = 0
maillog_file = /dev/stdout
maillog_file_prefixes = /dev
import_environment = MAIL_CONFIG LANG=C LD_LIBRARY_PATH
"""

# For who comes with TLS and a password, and for nobody else.
POSTFIX_STRICT = """smtpd_tls_security_level = encrypt
smtpd_tls_cert_file = {certificate}
smtpd_tls_key_file = {key}
smtpd_tls_auth_only = yes
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = {folder}/auth
smtpd_recipient_restrictions = permit_sasl_authenticated, reject
"""

POSTFIX_MASTER = """127.0.0.1:{port} inet n - n - - smtpd
pickup    unix n - n 60 1 pickup
cleanup   unix n - n - 0 cleanup
qmgr      unix n - n 300 1 qmgr
tlsmgr    unix - - n 1000? 1 tlsmgr
rewrite   unix - - n - - trivial-rewrite
bounce    unix - - n - 0 bounce
defer     unix - - n - 0 bounce
trace     unix - - n - 0 bounce
verify    unix - - n - 1 verify
flush     unix n - n 1000? 0 flush
proxymap  unix - - n - - proxymap
error     unix - - n - - error
retry     unix - - n - - error
discard   unix - - n - - discard
virtual   unix - n n - - virtual
anvil     unix - - n - 1 anvil
postlog   unix-dgram n - n - 1 postlogd
"""


class Doorkeeper:
    """Dovecot's authentication protocol (version 1.1), for one user: what Postfix asks about AUTH PLAIN."""

    def __init__(self, path, user, password):
        self.wanted = b"\0" + user.encode() + b"\0" + password.encode()
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        os.chmod(path, 0o666)
        self.listener.listen()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            connection, _ = self.listener.accept()
            threading.Thread(target=self.serve, args=(connection.makefile("rw", newline="\n"),), daemon=True).start()

    def serve(self, stream):
        stream.write("VERSION\t1\t1\nMECH\tPLAIN\tplaintext\nSPID\t1\nCUID\t1\nCOOKIE\t%s\nDONE\n" % ("0" * 32))
        stream.flush()
        for line in stream:
            fields = line.rstrip("\n").split("\t")
            if fields[0] != "AUTH":
                continue
            given = next((field[5:] for field in fields if field.startswith("resp=")), "")
            good = base64.b64decode(given) == self.wanted
            stream.write("%s\t%s\tuser=weir\n" % ("OK" if good else "FAIL", fields[1]))
            stream.flush()


class Postfix(Child):
    """A whole Postfix, delivering team@example.org and ada@example.org into a Maildir: in front of it smtpd with its own
    CHUNKING, PIPELINING and replies. With a certificate (file, key) and credentials it wants TLS and AUTH."""

    def __init__(self, certificate=None, credentials=None):
        if os.geteuid() != 0:
            raise Skipped("Postfix's master has to be started by root")
        tree, self.port = unpacked("postfix"), free_port()
        self.place = tempfile.TemporaryDirectory(prefix="weir-postfix-")
        self.folder = self.place.name
        os.chmod(self.folder, 0o755)
        # Postfix wants an account of its own that nobody else uses; these are in every Debian.
        owner, group = "list", "irc"
        for name in ("queue", "data", "etc", "mail"):
            os.mkdir(os.path.join(self.folder, name), 0o755)
        shutil.chown(os.path.join(self.folder, "data"), owner)
        games = pwd.getpwnam("games")
        os.chown(os.path.join(self.folder, "mail"), games.pw_uid, games.pw_gid)
        self.write("main.cf", POSTFIX_MAIN.format(folder=self.folder, tree=tree, owner=owner, group=group,
                                                  uid=games.pw_uid, gid=games.pw_gid) + self.strict(certificate, credentials))
        self.write("master.cf", POSTFIX_MASTER.format(port=self.port))
        self.make_queue(owner, group)
        super().__init__(os.path.join(tree, "usr", "lib", "postfix", "sbin", "master"), "-d", "-c",
                         os.path.join(self.folder, "etc"), env={**environment(tree), "MAIL_CONFIG": self.folder + "/etc"},
                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.address = "127.0.0.1:%d" % self.port

    def strict(self, certificate, credentials):
        if certificate is None:
            return ""
        self.doorkeeper = Doorkeeper(os.path.join(self.folder, "auth"), *credentials)
        return POSTFIX_STRICT.format(certificate=certificate[0], key=certificate[1], folder=self.folder)

    def write(self, name, text):
        with open(os.path.join(self.folder, "etc", name), "w") as stream:
            stream.write(text)

    def make_queue(self, owner, group):
        for name in ("active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming", "maildrop", "pid",
                     "private", "public", "saved", "trace"):
            path = os.path.join(self.folder, "queue", name)
            os.mkdir(path, 0o730 if name in ("maildrop", "public") else 0o700)
            if name != "pid":
                shutil.chown(path, owner, group if name in ("maildrop", "public") else None)
        os.chmod(os.path.join(self.folder, "queue", "pid"), 0o755)

    def __enter__(self):
        super().__enter__()
        wait_for("Postfix", lambda: listens(self.port))
        return self

    def __exit__(self, *rest):
        super().__exit__(*rest)
        self.place.cleanup()

    def mails(self):
        return contents(os.path.join(self.folder, "mail", "team", "new"))


def case_postfix():
    """Delivered as sent; a refused recipient harms no other mail of the session, and each refusal its own verdict."""
    with Postfix() as server:
        hostile = event("hostile", document={"text": "\r\n.\r\nMAIL FROM:<x@example.org>\r\n", "long": "x" * 3000})
        lines = records(49) + [record(49, hostile)]
        result = run(server.address, lines, to="team@example.org,nobody@example.org")
        equal(result.verdicts(), ["reject"] * 50, "verdicts with an unknown user")
        equal(result.lines[0]["error_type"], "smtp-550", "reason")
        check("User unknown" in result.lines[0]["text"], "text %r", result.lines[0]["text"])
        wait_for("the mails for the other user", lambda: len(server.mails()) >= 50)
        equal(len(server.mails()), 50, "mails")
        mails = [parse(content.replace(b"\n", b"\r\n")) for content in server.mails()]
        equal(len({mail["Message-ID"] for mail in mails}), 50, "Message-IDs")
        equal(run(server.address, records(3), to="busy@example.org").verdicts(), ["retry"] * 3, "verdicts on 450")
        equal(run(server.address, records(3), to="a@elsewhere.example,busy@example.org").verdicts(), ["retry"] * 3,
              "verdicts on relaying and 450")


OPENSMTPD = """table users {{ "team@example.org" = "games", "ada@example.org" = "games" }}
{tls}
listen on 127.0.0.1 port {port} {strict}
action "keep" maildir "{folder}/mail" virtual <users>
match {auth} from any for domain "example.org" action "keep"
"""

# For who comes with TLS and a password, and for nobody else.
OPENSMTPD_TLS = """pki localhost cert "{certificate}"
pki localhost key "{key}"
table secrets {{ {user} = "{hash}" }}
"""
OPENSMTPD_STRICT = "hostname localhost tls-require pki localhost auth <secrets>"

# Its accounts and folders are compiled in: it gets them in a mount namespace of its own, the machine's stay as they are.
OPENSMTPD_START = """set -e
cd {folder}
mount --bind passwd /etc/passwd
mount --bind group /etc/group
mount --bind run /run
mount --bind spool /var/spool
mount --bind lib /var/lib
mount --bind {tree}/usr/libexec /usr/libexec
exec env LD_PRELOAD={keys} {tree}/usr/sbin/smtpd -d -f {folder}/smtpd.conf
"""


class OpenSmtpd(Child):
    """Delivers as Postfix above does, and wants what Postfix wants."""

    def __init__(self, certificate=None, credentials=None):
        if os.geteuid() != 0 or subprocess.run(["unshare", "-m", "true"], capture_output=True).returncode != 0:
            raise Skipped("OpenSMTPD has to be started by root, in a mount namespace")
        tree, self.port = unpacked("opensmtpd"), free_port()
        self.place = tempfile.TemporaryDirectory(prefix="weir-opensmtpd-")
        self.folder = self.place.name
        os.chmod(self.folder, 0o755)
        for name in ("run", "spool", "lib/opensmtpd/empty", "mail"):
            os.makedirs(os.path.join(self.folder, name), 0o755)
        shutil.chown(os.path.join(self.folder, "mail"), "games", "games")
        home = "/var/lib/opensmtpd/empty:/usr/sbin/nologin"
        self.copy("passwd", ["%s:x:%d:%d::%s" % (name, number, number, home) for name, number in self.accounts()])
        self.copy("group", ["%s:x:%d:" % account for account in self.accounts()])
        self.write("smtpd.conf", OPENSMTPD.format(port=self.port, folder=self.folder, **self.strict(certificate, credentials)))
        self.write("start", OPENSMTPD_START.format(folder=self.folder, tree=tree, keys=os.environ["OPENSMTPD_KEYS"]))
        super().__init__("unshare", "-m", "sh", os.path.join(self.folder, "start"), stdout=subprocess.DEVNULL,
                         stderr=subprocess.DEVNULL)
        self.address = "127.0.0.1:%d" % self.port

    @staticmethod
    def strict(certificate, credentials):
        if certificate is None:
            return {"tls": "", "strict": "", "auth": ""}
        done = subprocess.run(["openssl", "passwd", "-6", "-stdin"], input=credentials[1], capture_output=True, text=True, check=True)
        tls = OPENSMTPD_TLS.format(certificate=certificate[0], key=certificate[1], user=credentials[0], hash=done.stdout.strip())
        return {"tls": tls, "strict": OPENSMTPD_STRICT, "auth": "auth"}

    @staticmethod
    def accounts():
        return ("opensmtpd", 64901), ("opensmtpq", 64902)

    def write(self, name, text):
        with open(os.path.join(self.folder, name), "w") as stream:
            stream.write(text)

    def copy(self, name, more):
        with open(os.path.join("/etc", name)) as stream:
            self.write(name, stream.read() + "".join(line + "\n" for line in more))

    def __enter__(self):
        super().__enter__()
        wait_for("OpenSMTPD", lambda: listens(self.port))
        return self

    def __exit__(self, *rest):
        super().__exit__(*rest)
        self.place.cleanup()

    def mails(self):
        return contents(os.path.join(self.folder, "mail", "new"))


def case_opensmtpd():
    with OpenSmtpd() as server:
        result = run(server.address, records(20), to="team@example.org,nobody@example.org")
        equal(result.verdicts(), ["reject"] * 20, "verdicts with an unknown user")
        check(result.lines[0]["error_type"] in ("smtp-550", "smtp-524"), "reason %r", result.lines[0])
        wait_for("the mails for the other user", lambda: len(server.mails()) >= 20)
        mails = [parse(content.replace(b"\n", b"\r\n")) for content in server.mails()]
        equal((len(mails), len({mail["Message-ID"] for mail in mails})), (20, 20), "mails and Message-IDs")


if __name__ == "__main__":
    if os.geteuid() != 0 and subprocess.run(["sudo", "-n", "true"], capture_output=True).returncode == 0:
        os.execvp("sudo", ["sudo", "-n", "-E", sys.executable, "-B", *sys.argv])
    sys.exit(main(cases_of(globals()), sys.argv))
