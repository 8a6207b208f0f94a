"""A `skinclf serve` of a test's own, on a free port."""

import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

LISTENING = "listening on "


@contextmanager
def serving(binary: Path, args: Sequence[str], env: Mapping[str, str]) -> Iterator[str]:
    """Its URL, once it listens. What it logs later is not read: pass `--log off` before many requests."""
    command = [binary, "serve", *args, "--port", "0"]
    with subprocess.Popen(command, env=env, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr
        try:
            said = ""
            for line in server.stderr:
                said += line
                if LISTENING in line:
                    yield line.partition(LISTENING)[2].split()[0]
                    break
            else:
                raise SystemExit(f"skinclf {' '.join(command[1:])} ended: {said}")
        finally:
            server.kill()
