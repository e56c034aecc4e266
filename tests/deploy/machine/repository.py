"""A signed apt repository of the packages, in two versions, as a company would keep one."""
import contextlib
import fcntl
import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

from machine import CACHE, need_tools, run, skip

ROOT = pathlib.Path(__file__).resolve().parents[3]
CHANGELOG = ROOT / "deploy/packages/changelog"
# What packages are made of.
SOURCES = ("CMakeLists.txt", "CMakePresets.json", "common", "consumers", "deploy", "gateway", "schemas")
# What an operator answers: yes, and to keep the configuration that was edited.
UNATTENDED = 'APT::Get::Assume-Yes "true";\nDpkg::Options { "--force-confold"; };\n'
BACKPORTED = ("librdkafka", "libmicrohttpd")


def _following(version):
    """The version of the release behind this one: 1.2.3-1, 1.2.4-1."""
    upstream, revision = version.rsplit("-", 1)
    *others, last = upstream.split(".")
    return "%s-%s" % (".".join([*others, str(int(last) + 1)]), revision)


FIRST = re.search(r"\((.*?)\)", CHANGELOG.read_text())[1]
SECOND = _following(FIRST)


def _write_next_changelog(path):
    """That of the next release: an entry of its own before the tree's."""
    text = CHANGELOG.read_text()
    heading, signature = text.split("\n", 1)[0].replace(FIRST, SECOND), re.search(r"^ -- .*$", text, re.M)[0]
    path.write_text("%s\n\n  * Another release.\n\n%s\n\n%s" % (heading, signature, text))


def _change_configuration(package):
    """The next release brings another weir.conf: what an operator has edited must be kept all the same."""
    with tempfile.TemporaryDirectory(dir=package.parent) as unpacked:
        tree = pathlib.Path(unpacked) / "tree"
        run("dpkg-deb", "--raw-extract", package, tree)
        configuration = tree / "etc/weir/weir.conf"
        configuration.write_text(configuration.read_text() + "# of the next release\n")
        (tree / "DEBIAN/md5sums").unlink()
        package.unlink()
        run("dpkg-deb", "--root-owner-group", "-Zgzip", "--build", tree, package)


def _key_of_sources():
    digest = hashlib.sha256(pathlib.Path(__file__).read_bytes())
    files = (path for name in SOURCES for path in (ROOT / name, *(ROOT / name).rglob("*")) if path.is_file() and path.suffix != ".pyc")
    for path in sorted(files):
        digest.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]


def _once(name, fill):
    """A folder of the cache, outside of the sources, filled by fill(folder) when it is not there yet."""
    folder = CACHE / name
    unfinished = folder.with_suffix(".unfinished")
    CACHE.mkdir(parents=True, exist_ok=True)
    with open(folder.with_suffix(".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            shutil.rmtree(unfinished, ignore_errors=True)
            fill(unfinished)
            unfinished.rename(folder)
    return folder


def _build_both(folder):
    build = ROOT / "deploy/packages/build"
    run(build, "--output", folder)
    with tempfile.TemporaryDirectory(dir=folder) as name:
        following = pathlib.Path(name)
        _write_next_changelog(following / "changelog")
        run(build, "--output", following / "packages", "--changelog", following / "changelog")
        _change_configuration(next((following / "packages").glob("weir-common_*.deb")))
        for package in (following / "packages").glob("*.deb"):
            package.rename(folder / package.name)


def packages():
    """A folder with the packages of this tree, and of the same sources those of the next release; built once."""
    return _once("packages-" + _key_of_sources(), _build_both)


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
        need_tools(mmdebstrap="mmdebstrap", **{"dpkg-source": "dpkg-dev"})
        return _once("backports-" + key, lambda folder: run(script, "--output", folder))
    except (OSError, RuntimeError) as error:
        skip("the newest libraries are not to be had: %s" % error)


def make(folder, *others):
    """Fills `folder`: packages of both versions and of the folders `others`, indexes, InRelease, key.gpg."""
    folder.mkdir()
    for source in (packages(), *others):
        for package in source.glob("*.deb"):
            shutil.copy(package, folder)
    with signing_key() as environment, open(folder / "Packages", "w") as index:
        subprocess.run(["apt-ftparchive", "packages", "."], cwd=folder, stdout=index, check=True)
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
    (machine.tree / "etc/apt/apt.conf.d/90unattended").write_text(UNATTENDED)
