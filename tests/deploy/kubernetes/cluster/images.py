"""Images for containerd, as archives: what holds a pod, and Weir's own in versions."""
import hashlib
import io
import json
import pathlib
import tarfile

from machine import run

HERE = pathlib.Path(__file__).resolve().parent


def add(archive, name, content, mode=0o644):
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(content), mode
    archive.addfile(member, io.BytesIO(content))


def tar_of(files):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content, mode in files:
            add(archive, name, content, mode)
    return buffer.getvalue()


def make_pause(folder):
    """localhost/pause:1 as an archive of docker's kind; its path."""
    program = folder / "pause"
    run("cc", "-static", "-Os", "-o", program, HERE / "pause.c")
    layer = tar_of([("pause", program.read_bytes(), 0o755)])
    config = json.dumps({"architecture": "amd64", "os": "linux", "config": {"Entrypoint": ["/pause"], "User": "65535:65535"},
                         "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(layer).hexdigest()]}}).encode()
    manifest = json.dumps([{"Config": "config.json", "RepoTags": ["localhost/pause:1"], "Layers": ["layer.tar"]}]).encode()
    path = folder / "pause.tar"
    path.write_bytes(tar_of([("manifest.json", manifest, 0o644), ("config.json", config, 0o644), ("layer.tar", layer, 0o644)]))
    return path
