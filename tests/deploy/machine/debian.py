"""A program of Debian that is used, not installed: its packages are unpacked in a folder of the cache."""
import os
import pathlib
import shutil
import tempfile

from machine import CACHE, run, skip


def unpack(program, *packages):
    """(path, environment) of a program of these packages of Debian 12."""
    folder = CACHE / ("unpacked-" + "-".join(packages))
    if not folder.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        unfinished = pathlib.Path(tempfile.mkdtemp(dir=CACHE, prefix="unfinished."))
        try:
            run("apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", *packages, cwd=unfinished)
            for package in unfinished.glob("*.deb"):
                run("dpkg-deb", "--extract", package, unfinished)
        except (OSError, RuntimeError) as error:
            shutil.rmtree(unfinished)
            skip("Debian's packages are not to be had: %s" % error)
        unfinished.rename(folder)
    libraries = ":".join(map(str, folder.glob("usr/lib/*-linux-gnu")))
    return folder / program, {**os.environ, "LD_LIBRARY_PATH": libraries}


def haproxy():
    """Its (path, environment)."""
    return unpack("usr/sbin/haproxy", "haproxy", "liblua5.3-0", "libopentracing-c-wrapper0", "libopentracing1")
