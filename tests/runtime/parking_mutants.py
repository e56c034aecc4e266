#!/usr/bin/python3
"""Seeds one bug after the other into batch, parking and retry: the model checker has to find each within 10,000
histories. Compiles with $CC and $CFLAGS against the build in $WEIR_BUILD."""
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("WEIR_BUILD", ROOT / "build/dev"))
RUNTIME = ROOT / "consumers/runtime"
SOURCES = ["parking.c", "batch.c", "retry.c"]
HISTORIES = 10000
COMPILER = [os.environ.get("CC", "cc"), *os.environ.get("CFLAGS", "").split()]
INCLUDES = [f"-I{ROOT}", f"-I{ROOT}/common/include", f"-I{ROOT}/consumers/include"]

BUGS = [
    ("an ended origin is forgotten before its older states are read", "parking.c",
     "known->state.offset >= state->offset", "!known->state.done && known->state.offset >= state->offset"),
    ("the committed offset passes what is parked", "parking.c",
     "lowest != NULL && lowest->state.offset < parking->position", "false"),
    ("a chain goes by the order of its states, not of its origins", "parking.c",
     "origin_order(parking, &ahead->state.origin, &parked->state.origin) > 0",
     "ahead->state.offset > parked->state.offset"),
    ("the state that a transaction replaces still counts after an abort", "parking.c",
     "parked->leaving = false;", ";"),
    ("a record overtakes those of its key that are parked", "batch.c",
     "weir_parking_blocks(&partition->parking, slot->record.key)", "false"),
    ("a record overtakes one of its key that is not reached", "batch.c",
     "    if (slot->parked != NULL)\n        make_wait(batch, slot);", "    if (slot->parked != NULL)\n        ;"),
    ("what was done behind a retry of its key counts", "batch.c",
     "slot->state != WEIR_SLOT_WAIT && is_behind(batch, slot)", "slot->state < WEIR_SLOT_DONE && is_behind(batch, slot)"),
    ("records behind a wait are finished", "batch.c",
     "    case WEIR_SLOT_WAIT:\n        slot->partition->cut = true;", "    case WEIR_SLOT_WAIT:"),
    ("executions are not counted in the log", "retry.c",
     "slot->record.executions + (slot->state == WEIR_SLOT_RETRY && !slot->deferred)", "slot->record.executions"),
    ("an execution that deferred the record is counted", "retry.c",
     "slot->state == WEIR_SLOT_RETRY && !slot->deferred)", "slot->state == WEIR_SLOT_RETRY)"),
    ("what is woken counts as executed", "parking.c", "parked->state.not_before_ms = 0;",
     "parked->state.attempt++;"),
    ("what was parked and is done is not ended", "retry.c", "slot->finished && slot->parked != NULL",
     "slot->finished && slot->parked != NULL && slot->state == WEIR_SLOT_DEAD"),
]


def compile_one(source, target):
    subprocess.run([*COMPILER, "-std=gnu17", "-D_GNU_SOURCE", "-O1", "-w", *INCLUDES, "-c", source, "-o", target], check=True)
    return target


def link(objects, target):
    libraries = [BUILD / path for path in ("consumers/runtime/libweir_runtime.a", "common/libweir_common.a", "common/libweir_base.a")]
    subprocess.run([*COMPILER, "-o", target, *objects, *libraries, "-ljansson", "-lcrypto"], check=True)
    return target


def main():
    missed = 0
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        objects = {name: compile_one(RUNTIME / name, folder / f"{name}.o") for name in SOURCES}
        objects["model"] = compile_one(ROOT / "tests/runtime/parking_model.c", folder / "model.o")
        for bug, file, good, bad in BUGS:
            text = (RUNTIME / file).read_text()
            if text.count(good) != 1:
                sys.exit(f"{file} no longer says `{good}` once: the seeded bug has to be rewritten")
            mutant = folder / f"mutant-{file}"
            mutant.write_text(text.replace(good, bad))
            seeded = {**objects, file: compile_one(mutant, folder / "mutant.o")}
            ran = subprocess.run([link(seeded.values(), folder / "mutant"), str(HISTORIES)], stdout=subprocess.PIPE)
            told = ran.stdout.decode().splitlines()
            found = ran.returncode == 1 and told and told[-1].startswith("history ")
            print(f"{'found' if found else 'MISSED'}: {bug}: {told[-1] if told else ran.returncode}", flush=True)
            missed += not found
    sys.exit(f"{missed} seeded bugs were not found" if missed else 0)


main()
