"""What a result was measured on, and with which code."""

import datetime
import os
import platform
import re
import subprocess
from pathlib import Path


def first(pattern, file):
    found = re.search(pattern, Path(file).read_text(), re.MULTILINE)
    return found[1] if found else "unknown"


def commit():
    """What a folder made by `gpu.sh pack` says it was made from, or what git says."""
    root = Path(__file__).parent.parent
    packed = root / "commit"
    if packed.exists():
        return packed.read_text().strip()
    try:
        done = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True,
                              text=True, cwd=root, check=False)
    except OSError:
        return "unknown"
    return done.stdout.strip() or "unknown"


def description():
    family, model = (first(rf"^{key}\s*: (\d+)$", "/proc/cpuinfo") for key in ["cpu family", "model"])
    return {
        "machine": {
            "cpu": first(r"^model name\s*: (.*)$", "/proc/cpuinfo"),
            "family": f"{family}/{model}",
            "cores": os.cpu_count(),
            "memory_GiB": round(int(first(r"^MemTotal:\s*(\d+)", "/proc/meminfo")) / 2**20, 1),
            "system": platform.freedesktop_os_release().get("PRETTY_NAME", platform.system()),
        },
        "commit": commit(),
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
    }
