"""Cuts a folder back to what powercut/powercut.c has seen synced."""
import os
import shutil
from pathlib import Path

from harness import BUILD

# RocksDB's write-ahead log and its tables, not what it tells its operators.
DOCUMENTS = (".log", ".sst")
LIBRARY = BUILD / "tests" / "libpowercut.so"


class PowerCut:
    """The folder of a program and the shadow of it that survives."""

    def __init__(self, folder):
        self.folder = Path(folder).resolve()
        self.shadow = self.folder.with_name(self.folder.name + ".shadow")
        self.shadow.mkdir()
        # LD_PRELOAD knows no way to write a space, which the path of the build may hold.
        self.library = self.folder.with_name("libpowercut.so")
        self.library.symlink_to(LIBRARY.resolve())

    @property
    def environment(self):
        return {
            "LD_PRELOAD": str(self.library),
            "WEIR_POWERCUT_DIR": str(self.folder),
            "WEIR_POWERCUT_SHADOW": str(self.shadow),
        }

    def _read(self):
        """({inode: bytes on disk}, {folder: {name: inode}})"""
        sizes, folders = {}, {}
        # A process killed in the middle of a line has not returned from its fsync: what it noted counts for nothing.
        for line in (self.shadow / "journal").read_text().split("\n")[:-1]:
            kind, *words = line.split(" ")
            if kind == "F":
                sizes[words[0]] = int(words[1])
            else:
                folders[words[0]] = dict(word.rsplit("/", 1) for word in words[1:])
        return sizes, folders

    def cut(self):
        """The folder as after a power cut; {"files": that are left, "gone": files, "bytes": of documents} lost. A new
        shadow begins."""
        sizes, folders = self._read()
        had = {path: path.stat().st_size for path in self.folder.rglob("*") if path.is_file()}
        for path in had:
            path.unlink()
        for folder, names in folders.items():
            os.makedirs(folder, exist_ok=True)
            for name, inode in names.items():
                self._restore(Path(folder) / name, inode, sizes.get(inode, 0))
        have = {path: path.stat().st_size for path in self.folder.rglob("*") if path.is_file()}
        shutil.rmtree(self.shadow)
        self.shadow.mkdir()
        self._begin_anew(have)
        return {
            "files": len(have),
            "gone": len(had.keys() - have.keys()),
            "bytes": sum(max(0, size - have.get(path, 0)) for path, size in had.items() if path.suffix in DOCUMENTS),
        }

    def _restore(self, path, inode, size):
        shutil.copyfile(self.shadow / inode, path)
        os.truncate(path, min(size, path.stat().st_size))

    def _begin_anew(self, have):
        """What has survived one cut is on the disk."""
        lines, folders = [], {}
        for path, size in have.items():
            inode = path.stat().st_ino
            os.link(path, self.shadow / str(inode))
            lines.append(f"F {inode} {size}\n")
            folders.setdefault(path.parent, []).append(f"{path.name}/{inode}")
        lines += [f"D {folder} {' '.join(names)}\n" for folder, names in folders.items()]
        (self.shadow / "journal").write_text("".join(lines))
