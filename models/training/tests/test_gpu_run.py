"""gpu-run.sh from pictures to a student, on a CPU, and when it is told to stop."""

import os
import signal
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from skinclf_training import checkpoint

from . import drawn

SCRIPT = Path(__file__).parent.parent / "gpu-run.sh"
ENDLESS = """
[[stages]]
side = 32
epochs = 1
batch = 8

[[stages]]
side = 32
epochs = 100_000
batch = 8
"""


def of_folder(folder):
    """Command lines of the processes that name a folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes()
        except OSError:
            continue  # it has ended
        if str(folder).encode() in line:
            found.append(line)
    return found


class GpuRun(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.work, self.out = Path(temporary.name, "work"), Path(temporary.name, "out")
        drawn.write(Path(temporary.name, "pictures"))
        subprocess.run([SCRIPT, "bring", Path(temporary.name, "pictures"), self.work], check=True)

    def start(self, teachers, student, seconds):
        environment = os.environ | {
            "TEACHERS": teachers, "STUDENT": student, "DEVICE": "cpu", "SETUP": "15", "PYTHON": sys.executable,
            "OMP_NUM_THREADS": "1",
        }
        return subprocess.Popen(
            [SCRIPT, "run", self.work, self.out, str(seconds)], env=environment, stderr=subprocess.PIPE, text=True
        )

    def logged(self):
        log = self.out / "log"
        return log.read_text(encoding="utf-8") if log.exists() else "no log"

    def test_teachers_and_then_a_student(self):
        with self.start("lite0=smoke-lite.toml plain=smoke.toml", "smoke.toml", 900) as script:
            _, errors = script.communicate()
        self.assertEqual((script.returncode, errors), (0, ""), self.logged())
        for name, kind in [("lite0", "lite0"), ("plain", "mobilenetv2"), ("student", "mobilenetv2")]:
            self.assertEqual(checkpoint.read(self.out / f"{name}.pt")[0].name, kind)
        self.assertEqual(self.logged().count("finished"), 3)

    def test_told_to_stop_it_leaves_what_was_learnt_and_no_process(self):
        endless = self.work / "endless.toml"
        endless.write_text(ENDLESS)
        with self.start(f"endless={endless}", "smoke.toml", 3600) as script:
            while not (self.out / "endless.pt").exists():
                try:
                    script.wait(0.2)
                except subprocess.TimeoutExpired:
                    continue
                self.fail(self.logged())
            script.send_signal(signal.SIGTERM)
            _, errors = script.communicate()
        self.assertEqual((script.returncode, errors), (128 + signal.SIGTERM, ""), self.logged())
        checkpoint.read(self.out / "endless.pt")
        self.assertIn("32 px", self.logged())
        self.assertEqual(of_folder(self.work), [])


if __name__ == "__main__":
    unittest.main()
