"""A signed apt repository of the packages, in two versions, as a company would keep one."""
import contextlib
import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

from machine import CACHE, need_tools, run, skip

ROOT = pathlib.Path(__file__).resolve().parents[3]
FIRST = re.search(r"\((.*?)\)", (ROOT / "deploy/packages/changelog").read_text())[1]
SECOND = FIRST + ".1"
BACKPORTED = ("librdkafka", "libmicrohttpd")


def next_version(package, folder):
    """The same package one release later, with another weir.conf."""
    with tempfile.TemporaryDirectory(dir=folder) as unpacked:
        tree = pathlib.Path(unpacked) / "tree"
        run("dpkg-deb", "--raw-extract", package, tree)
        control = tree / "DEBIAN/control"
        control.write_text(control.read_text().replace(FIRST, SECOND))
        configuration = tree / "etc/weir/weir.conf"
        if configuration.exists():
            configuration.write_text(configuration.read_text() + "# of the second version\n")
            (tree / "DEBIAN/md5sums").unlink()
        run("dpkg-deb", "--root-owner-group", "-Zgzip", "--build", tree, folder)


@contextlib.contextmanager
def signing_key():
    """A key that lives as long as the block: the environment that gpg wants."""
    with tempfile.TemporaryDirectory(prefix="weir-gnupg.") as home:
        environment = {**os.environ, "GNUPGHOME": home}
        run("gpg", "--batch", "--quiet", "--passphrase", "", "--quick-gen-key", "Packages <packages@example.com>", "ed25519", "sign",
            "1d", env=environment)
        yield environment
        subprocess.run(["gpgconf", "--kill", "gpg-agent"], env=environment)


def backports():
    """A folder with the packages of the newest libraries, built once; the test is skipped where their sources can't be had."""
    script = ROOT / "deploy/packages/backports"
    try:
        versions = [run(ROOT / "deploy/packages/debian-source", library).split()[-1] for library in BACKPORTED]
        key = hashlib.sha256((script.read_text() + " ".join(versions)).encode()).hexdigest()[:12]
        folder = CACHE / ("backports-" + key)
        if not folder.exists():
            need_tools(mmdebstrap="mmdebstrap", **{"dpkg-source": "dpkg-dev"})
            unfinished = folder.with_suffix(".unfinished")
            shutil.rmtree(unfinished, ignore_errors=True)
            run(script, "--output", unfinished)
            unfinished.rename(folder)
    except (OSError, RuntimeError) as error:
        skip("the newest libraries are not to be had: %s" % error)
    return folder


def make(folder):
    """Fills `folder`: packages of both versions, backports, indexes, InRelease, key.gpg."""
    run(ROOT / "deploy/packages/build", "--output", folder)
    for package in sorted(folder.glob("*.deb")):
        next_version(package, folder)
    for package in backports().glob("*.deb"):
        shutil.copy(package, folder)
    with signing_key() as environment, open(folder / "Packages", "w") as packages:
        subprocess.run(["apt-ftparchive", "packages", "."], cwd=folder, stdout=packages, check=True)
        release = subprocess.run(["apt-ftparchive", "-o", "APT::FTPArchive::Release::Suite=stable", "release", "."], cwd=folder,
                                 capture_output=True, check=True).stdout
        (folder / "Release").write_bytes(release)
        run("gpg", "--batch", "--clearsign", "--output", folder / "InRelease", folder / "Release", env=environment)
        (folder / "key.gpg").write_bytes(subprocess.run(["gpg", "--export"], capture_output=True, check=True, env=environment).stdout)


def offer(machine, folder):
    """The machine knows this repository and no other."""
    shutil.copytree(folder, machine.tree / "srv/repository")
    keyrings = machine.tree / "etc/apt/keyrings"
    keyrings.mkdir(exist_ok=True)
    shutil.copy(folder / "key.gpg", keyrings / "weir.gpg")
    shutil.rmtree(machine.tree / "etc/apt/sources.list.d", ignore_errors=True)
    (machine.tree / "etc/apt/sources.list").write_text("deb [signed-by=/etc/apt/keyrings/weir.gpg] file:/srv/repository ./\n")
