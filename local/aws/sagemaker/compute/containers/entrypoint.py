"""What `docker run` does around a command: runs it in this process group and ends with its exit code."""

from __future__ import annotations

import signal
import subprocess
import sys

import lifeline


def main() -> int:
    """Runs the command in the arguments; 127 if it does not exist, 128 + n if signal n ended it (as a shell does)."""
    lifeline.hold()
    # A stop signals the whole group: the command decides what to do with it, this process waits to report the end.
    signal.signal(signal.SIGTERM, lambda *_: None)
    try:
        code = subprocess.Popen(sys.argv[1:]).wait()
    except OSError as error:
        print(f"exec: {error}", file=sys.stderr)
        return 127
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main())
