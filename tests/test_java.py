"""Programs that hang are ended with all that they started; what is missing is told."""

import os
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from captioner.errors import InputError
from captioner.metrics.java import run
from captioner.metrics.meteor.official import count_officially
from captioner.metrics.spice import MODELS, spice_each

HANGS = """#!{python}
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
open({pids!r}, "w").write(str(child.pid))
time.sleep(600)
"""


def write_program(file: Path, source: str) -> str:
    file.write_text(source)
    file.chmod(0o755)
    return str(file)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{pid}/stat")  # one that has ended but was not asked after is dead too
    return not state.exists() or state.read_text().rpartition(")")[2].split()[0] != "Z"


def test_a_program_that_hangs_is_ended_with_its_children(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    source = HANGS.format(python=sys.executable, pids=str(pids))
    hanging = write_program(tmp_path / "java", source)
    began = time.monotonic()
    with pytest.raises(InputError, match="METEOR: no answer within 1 seconds"):
        run([hanging], tmp_path, "", 1, "METEOR")
    assert time.monotonic() - began < 20
    child = int(pids.read_text())
    for _ in range(100):
        if not is_alive(child):
            break
        time.sleep(0.05)
    assert not is_alive(child)


def test_a_program_that_fails_says_why(tmp_path: Path) -> None:
    failing = write_program(tmp_path / "java", "#!/bin/sh\necho out of memory >&2\nexit 3\n")
    with pytest.raises(InputError, match=r"SPICE: failed with exit code 3 \(out of memory\)"):
        run([failing], tmp_path, "", 10, "SPICE")
    with pytest.raises(InputError, match="SPICE: cannot be started"):
        run([str(tmp_path / "none")], tmp_path, "", 10, "SPICE")


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A pycocoevalcap whose programs are not there but for their names."""
    for name in ("meteor/meteor-1.5.jar", *(f"spice/lib/{model}" for model in MODELS)):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def test_the_official_meteor_answers_counts_or_is_refused(package: Path) -> None:
    counts = " ".join(["2 2 0 0 2 2", *["0"] * 14, "1 2 2"])
    java = write_program(package / "java", f"#!/bin/sh\nsed 's/.*/{counts}/'\n")
    found = count_officially([("a dog", "a dog"), ("a cat", "cats")], java, package, 10)
    assert found.shape == (2, 23)
    assert found[0, 20:].tolist() == [1, 2, 2]
    other = write_program(package / "java", "#!/bin/sh\ncat\n")
    with pytest.raises(InputError, match="no counts of captions"):
        count_officially([("a dog", "a dog")], other, package, 10)
    (package / "meteor/meteor-1.5.jar").unlink()
    with pytest.raises(InputError, match=r"meteor-1\.5\.jar: missing"):
        count_officially([("a dog", "a dog")], java, package, 10)


SPICE = """#!{python}
import json, sys
photos = json.load(open(sys.argv[4]))
scores = [{{"image_id": p["image_id"], "scores": {{"All": {{"f": {value}}}}}}} for p in photos]
json.dump(scores, open(sys.argv[sys.argv.index("-out") + 1], "w"))
"""


def test_spice_is_read_by_photo(package: Path) -> None:
    source = SPICE.format(python=sys.executable, value="len(p['refs']) / 4 or float('nan')")
    java = write_program(package / "java", source)
    found = spice_each(["a dog", "a cat"], [["dog"], ["cat", "cats"]], java, package, 30)
    np.testing.assert_array_equal(found, [0.25, 0.5])
    nothing = write_program(package / "java", SPICE.format(python=sys.executable, value="'x'"))
    with pytest.raises(InputError, match="something else than scores"):
        spice_each(["a dog"], [["dog"]], nothing, package, 30)


def test_spice_says_what_is_missing(package: Path) -> None:
    with pytest.raises(InputError, match="SPICE: needs Java"):
        spice_each(["a dog"], [["dog"]], None, package)
    with pytest.raises(InputError, match=r"needs pycocoevalcap: pip install"):
        spice_each(["a dog"], [["dog"]], "java", None)
    (package / "spice" / "lib" / MODELS[1]).unlink()
    with pytest.raises(InputError, match=rf"lacks {MODELS[1]}, models of Stanford CoreNLP"):
        spice_each(["a dog"], [["dog"]], "java", package)


def test_spice_has_a_time_out(package: Path) -> None:
    hanging = write_program(package / "java", "#!/bin/sh\nsleep 600\n")
    with pytest.raises(InputError, match=r"SPICE: no answer within 0\.5 seconds"):
        spice_each(["a dog"], [["dog"]], hanging, package, 0.5)
