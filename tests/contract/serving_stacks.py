"""A model's two containers in the web servers that AWS's images serve with, chained as SageMaker chains them.

The first is sagemaker-containers' Flask application under gunicorn, with the scikit-learn image's Python and versions, and
where nginx is installed, behind it, with the image's own configuration. The second is AWS's sagemaker-inference behind its Java server,
multi-model-server, as in the deep learning images that Autopilot's candidates run in, with this environment's AutoGluon.
"""

from __future__ import annotations

import contextlib
import getpass
import http.client
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from local.server import paths

IMAGE_PYTHON = paths.PROJECT / ".local/images/scikit-learn-1.2-1/bin/python"
MODEL_SERVER = paths.PROJECT / ".local/model-server"
_START_SECONDS = 120

# What the image's own module does, which is not on PyPI (github.com/aws/sagemaker-scikit-learn-container, serving.py).
_APPLICATION = """
import importlib
from sagemaker_containers.beta.framework import env, transformer, worker
serving = env.ServingEnv()
module = importlib.import_module(serving.module_name)
functions = {name: getattr(module, name) for name in ("model_fn", "input_fn", "predict_fn", "output_fn")}
model = transformer.Transformer(**functions)
model.initialize()
main = worker.Worker(transform_fn=model.transform, module_name=serving.module_name)
"""
# Its configuration is written to /etc, and it looks for the Java process on the whole machine, where another test's may run.
_MODEL_SERVER = """
import sys
from sagemaker_inference import model_server
model_server.MMS_CONFIG_FILE = sys.argv[1]
processes = model_server.psutil.process_iter
model_server.psutil.process_iter = lambda: [
    one for one in processes(["cmdline"]) if sys.argv[1] in (one.info["cmdline"] or ())
]
model_server.start_model_server()
"""


# Both processes of the first container end together, as its programs do.
_BEHIND_NGINX = """
import os, subprocess, sys
front = subprocess.Popen(sys.argv[1].split(" "))
os.execv(sys.executable, [sys.executable, "-m", "gunicorn", *sys.argv[2:]])
"""
_NGINX = shutil.which("nginx", path=os.pathsep.join([os.environ["PATH"], "/usr/sbin"]))


@dataclass(frozen=True)
class Answer:
    """What a container answered."""

    status: int
    body: bytes
    content_type: str
    container: int


@dataclass(frozen=True)
class Stacks:
    """The ports of the containers, in their order."""

    ports: tuple[int, ...]

    def invoke(self, body: bytes, content_type: str, accept: str | None = None) -> Answer:
        """Each container gets the previous one's answer with that answer's content type, and the last one the client's
        Accept; the first answer that is not 2xx is the client's
        (docs.aws.amazon.com/sagemaker/latest/dg/inference-pipelines.html).
        """
        answer = Answer(200, body, content_type, 0)
        for number, port in enumerate(self.ports, start=1):
            last = number == len(self.ports)
            answer = ask(port, number, answer.body, answer.content_type, accept if last else None)
            if not 200 <= answer.status < 300:
                break
        return answer


def missing() -> str | None:
    """What this machine lacks to run both, None if nothing."""
    if not IMAGE_PYTHON.exists():
        return "Python 3.9, which the scikit-learn image has"
    lacks = subprocess.run(
        [str(IMAGE_PYTHON), "-c", "import sagemaker_containers, gunicorn"], capture_output=True, check=False
    ).returncode
    if lacks:
        return "SageMaker's serving toolkit in .local/images (make setup, with a C compiler)"
    if not (MODEL_SERVER / "bin/multi-model-server").exists():
        return "AWS's model server in .local/model-server (make test installs it)"
    # macOS has a `java` that only says that there is none.
    if not shutil.which("java") or subprocess.run(["java", "-version"], capture_output=True, check=False).returncode:
        return "Java, which AWS's model server runs in"
    return None


def ask(port: int, number: int, body: bytes, content_type: str, accept: str | None) -> Answer:
    """One request to one container."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    headers = {"Content-Type": content_type, **({"Accept": accept} if accept else {})}
    with contextlib.closing(connection):
        connection.request("POST", "/invocations", body, headers)
        response = connection.getresponse()
        return Answer(response.status, response.read(), response.getheader("Content-Type") or "", number)


@contextlib.contextmanager
def serving(models: list[Path], environments: list[dict[str, str]]) -> Iterator[Stacks]:
    """Both containers, each with its extracted archive and its environment. Raises RuntimeError with the log of one that
    does not start.
    """
    # Sockets of the servers lie there: their paths may have about 100 characters.
    with tempfile.TemporaryDirectory(prefix="stacks-") as name, contextlib.ExitStack() as ends:
        ports = []
        for number, (model, environment) in enumerate(zip(models, environments, strict=True), start=1):
            folder = Path(name) / str(number)
            (folder / "tmp").mkdir(parents=True)
            (folder / "model").symlink_to(model, target_is_directory=True)
            command = _scikit_learn if number == 1 else _deep_learning
            ports.append(ends.enter_context(_started(command, folder, environment)))
        yield Stacks(tuple(ports))


def _scikit_learn(folder: Path, port: int) -> tuple[list[str], dict[str, str]]:
    (folder / "application.py").write_text(_APPLICATION, encoding="utf-8")
    search = os.pathsep.join([str(folder), str(folder / "model/code")])
    options = ["--timeout", "60", "-w", "1", "application:main", "-b"]
    if _NGINX is None:
        return [str(IMAGE_PYTHON), "-m", "gunicorn", *options, f"127.0.0.1:{port}"], {"PYTHONPATH": search}
    front = f"{_NGINX} -p {folder} -c {_nginx_configuration(folder, port)}"
    behind = [*options, f"unix:{folder}/gunicorn.sock"]
    return [str(IMAGE_PYTHON), "-c", _BEHIND_NGINX, front, *behind], {"PYTHONPATH": search}


def _nginx_configuration(folder: Path, port: int) -> Path:
    """The image's, with places in `folder`: it writes to /tmp, and nginx keeps large bodies where only root may write."""
    template = next(IMAGE_PYTHON.parents[1].glob("lib/*/site-packages/sagemaker_containers/etc/nginx.conf.template"))
    kept = "".join(
        f"{kind}_temp_path {folder}/tmp/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    own = {
        "%NGINX_HTTP_PORT%": str(port),
        "%NGINX_PROXY_READ_TIMEOUT%": "60",
        "/tmp/": f"{folder}/",
        "http {": f"http {{ {kept}",
    }
    text = f"user {getpass.getuser()};\n{template.read_text(encoding='utf-8')}"  # as root it would be another one
    for written, value in own.items():
        text = text.replace(written, value, 1) if written == "http {" else text.replace(written, value)
    configuration = folder / "nginx.conf"
    configuration.write_text(text, encoding="utf-8")
    return configuration


def _deep_learning(folder: Path, port: int) -> tuple[list[str], dict[str, str]]:
    search = [str(MODEL_SERVER / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]]
    return [sys.executable, "-c", _MODEL_SERVER, str(folder / "mms.properties")], {
        "PATH": os.pathsep.join(search),
        "PYTHONPATH": str(MODEL_SERVER),
        "SAGEMAKER_BIND_TO_PORT": str(port),
        "SAGEMAKER_MODEL_SERVER_WORKERS": "1",
        "TEMP": str(folder / "tmp"),  # Java's
        **({"JAVA_HOME": os.environ["JAVA_HOME"]} if "JAVA_HOME" in os.environ else {}),
    }


@contextlib.contextmanager
def _started(command_of: object, folder: Path, environment: dict[str, str]) -> Iterator[int]:
    port = _free_port()
    command, own = command_of(folder, port)  # type: ignore[operator]
    reported = {key: value.replace("/opt/ml", str(folder), 1) for key, value in environment.items()}
    variables = {
        "PATH": os.environ["PATH"], "HOME": str(folder), "TMPDIR": str(folder / "tmp"),
        "PYTHONWARNINGS": "ignore", "SAGEMAKER_BASE_DIR": str(folder), **reported, **own,
    }  # fmt: skip
    log = folder / "log.txt"
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, cwd=folder, env=variables, stdout=out, stderr=out, stdin=subprocess.DEVNULL, start_new_session=True
        )
    try:
        _until_healthy(process, port, log)
        yield port
    finally:
        # Java's parent has gone, and it is in the same group still.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _free_port() -> int:
    """One below those that connections get: multi-model-server takes none above 32,767."""
    while True:
        port = random.randrange(20_000, 32_000)
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


def _until_healthy(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_START_SECONDS)
        with contextlib.closing(connection), contextlib.suppress(OSError, http.client.HTTPException):
            connection.request("GET", "/ping")
            if connection.getresponse().status == 200:
                return
        time.sleep(0.1)
    raise RuntimeError(
        f"The container does not answer /ping:\n{log.read_text(encoding='utf-8', errors='replace')[-4000:]}"
    )
