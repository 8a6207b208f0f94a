"""A `skinclf serve` of a test's own, on a free port."""

import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

LISTENING = "listening on "


@contextmanager
def serving(binary: str | Path, args: Sequence[str] = (), env: Mapping[str, str] | None = None) -> Iterator[str]:
    """Its URL, once it listens; it lives as long as the block."""
    command = [binary, "serve", *args, "--port", "0"]
    server = subprocess.Popen(command, env=env, stderr=subprocess.PIPE, text=True, errors="replace")
    assert server.stderr
    try:
        said = []
        for line in server.stderr:
            said.append(line)
            if LISTENING in line:
                break
        else:
            raise SystemExit(f"{binary} serve ended before it listened:\n{''.join(said)}")
        # A full pipe would stop a server that logs.
        threading.Thread(target=server.stderr.read, daemon=True).start()
        yield line.partition(LISTENING)[2].split()[0].rstrip("/")
    finally:
        server.terminate()
        try:
            server.wait(15)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
