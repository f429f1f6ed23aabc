"""Under gevent: hashing leaves the hub free, and the blocking ports work between greenlets."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("gevent") is None, reason="gevent is not installed: pip install gevent runs these tests."
)
PATCHED = """
from gevent import monkey
monkey.patch_all()
import json, sys, time
import gevent
from authcore.backends.argon2 import HashParameters
from authcore.backends.build import Backends, Plan
from authcore.drive import Drive, run_blocking
from authcore.ports import Count

backends = Backends(Plan(sys.argv[1], hashing=HashParameters(memory_kib=65536), hash_workers=1))
backends.create_tables()
ports = backends.ports(Drive.BLOCKING)
turns, done = [], []

def tick():
    while not done:
        turns.append(1)
        gevent.sleep(0.001)

def hash_and_count(number):
    run_blocking(ports.hasher.hash(str(number)))
    return run_blocking(ports.kv.increment([Count("greenlets", 1, 60)]))[0]

ticking = gevent.spawn(tick)
jobs = [gevent.spawn(hash_and_count, number) for number in range(6)]
gevent.joinall(jobs, raise_error=True)
done.append(1)
ticking.join()
print(json.dumps({"turns": len(turns), "sums": sorted(job.value for job in jobs)}))
backends.dispose()
"""


def test_greenlets_go_on_while_passwords_are_hashed(tmp_path: Path) -> None:
    """A patched thread pool would stop every greenlet for each hash; native threads do not."""
    command = [sys.executable, "-c", PATCHED, f"sqlite:///{tmp_path / 'app.db'}"]

    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    assert (ended.returncode, ended.stderr) == (0, "")
    report = json.loads(ended.stdout)
    assert report["sums"] == [1, 2, 3, 4, 5, 6]
    assert report["turns"] > 30
