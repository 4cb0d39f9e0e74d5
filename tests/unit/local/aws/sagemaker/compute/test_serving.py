"""Model containers answer and are chained as SageMaker's are."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from local.aws.sagemaker.compute.outcome import JobFailedError
from local.aws.sagemaker.compute.serving import ContainerChain, ContainerFailedError

from .conftest import SCIKIT_LEARN, Bucket, Chain, Job

ECHO = """
import json, os
def model_fn(model_dir):
    return os.path.basename(model_dir)
def transform_fn(model, content, content_type, accept):
    seen = {"content": content if isinstance(content, str) else "bytes", "type": content_type, "accept": accept}
    return json.dumps(seen), "application/json"
"""
STEPS = """
from werkzeug.wrappers import Response
def model_fn(model_dir):
    return 10
def input_fn(body, content_type):
    return [int(part) for part in body.split(",")]
def predict_fn(data, model):
    return [value * model for value in data]
def output_fn(prediction, accept):
    return Response(",".join(map(str, prediction)), content_type="text/csv")
"""
PAIR = """
def model_fn(model_dir):
    return None
def transform_fn(model, content, content_type, accept):
    return content, "text/csv"
"""
REFUSES = """
from werkzeug.wrappers import Response
def model_fn(model_dir):
    return None
def transform_fn(model, content, content_type, accept):
    return Response("Row 2 is bad.", status=400, mimetype="text/plain")
"""
RAISES = """
def model_fn(model_dir):
    return None
def transform_fn(model, content, content_type, accept):
    raise ValueError("a secret of the container")
"""


def test_input_predict_and_output_functions_run_in_turn(chain: Chain) -> None:
    served = chain(STEPS)
    served.start()
    answer = served.invoke(b"1,2", "text/csv")
    assert (answer.status, answer.body, answer.content_type) == (200, b"10,20", "text/csv")


def test_a_pair_of_content_and_type_gets_a_character_set_as_flask_gives_it(chain: Chain) -> None:
    served = chain(PAIR)
    served.start()
    assert served.invoke(b"1,2", "text/csv").content_type == "text/csv; charset=utf-8"


def test_transform_fn_gets_text_for_csv_and_bytes_for_other_types(chain: Chain) -> None:
    served = chain(ECHO)
    served.start()
    seen = [json.loads(served.invoke(b"1,2", kind).body)["content"] for kind in ("text/csv", "application/jsonlines")]
    assert seen == ["1,2", "bytes"]


def test_accept_reaches_the_last_container_only(chain: Chain) -> None:
    served = chain(ECHO, ECHO, environment={"SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT": "text/x-default"})
    served.start()
    last = json.loads(served.invoke(b"1", "text/csv", "text/plain").body)
    first = json.loads(last["content"])
    assert (first["accept"], last["accept"]) == ("text/x-default", "text/plain")


def test_each_container_gets_the_previous_answer_with_its_type(chain: Chain) -> None:
    served = chain(STEPS, STEPS, ECHO)
    served.start()
    seen = json.loads(served.invoke(b"1,2", "text/csv", "*/*").body)
    assert (seen["content"], seen["type"], seen["accept"]) == ("100,200", "text/csv", "application/json")


def test_an_answer_that_is_not_2xx_ends_the_chain(chain: Chain, job: Job) -> None:
    served = chain(REFUSES, RAISES)
    served.start()
    answer = served.invoke(b"1", "text/csv")
    assert (answer.status, answer.body, answer.container) == (400, b"Row 2 is bad.", 1)
    assert not any("Traceback" in line for line in job.lines)


def test_an_exception_is_a_500_that_hides_the_cause_and_logs_it(chain: Chain, job: Job) -> None:
    served = chain(STEPS, RAISES)
    served.start()
    answer = served.invoke(b"1", "text/csv")
    assert (answer.status, answer.content_type, answer.container) == (500, "text/html", 2)
    assert b"secret" not in answer.body
    served.close()
    assert "[container-2] ValueError: a secret of the container" in job.lines


def test_transform_fn_together_with_steps_is_refused(chain: Chain) -> None:
    with pytest.raises(ContainerFailedError, match="Cannot use transform_fn implementation with"):
        chain(STEPS + ECHO).start()


def test_a_program_that_cannot_load_fails_the_ping_health_check(chain: Chain) -> None:
    served = chain(STEPS, "import nothing_like_this")
    with pytest.raises(ContainerFailedError) as failure:
        served.start()
    assert "The container-2 container did not pass the ping health check." in str(failure.value)
    assert "No module named 'nothing_like_this'" in str(failure.value)
    assert not served.alive


def test_a_program_that_loads_too_slowly_fails_and_is_ended(chain: Chain) -> None:
    served = chain("import time\ntime.sleep(60)")
    began = time.monotonic()
    with pytest.raises(ContainerFailedError, match="primary container did not pass the ping health check"):
        served.start(timeout=1)
    assert time.monotonic() - began < 10
    assert not served.alive


def test_first_container_that_fails_is_reported_without_waiting_for_the_others(chain: Chain) -> None:
    began = time.monotonic()
    with pytest.raises(ContainerFailedError, match="container-2 container did not pass"):
        chain("import time\ntime.sleep(60)", "import nothing_like_this").start()
    assert time.monotonic() - began < 10


def test_missing_and_broken_archives_are_named(bucket: Bucket, job: Job) -> None:
    bucket.put("broken.tar.gz", "no archive")
    for name, sentence in {"nowhere": "Failed to download model data", "broken": "Failed to extract"}.items():
        definition = {"Image": SCIKIT_LEARN, "ModelDataUrl": bucket.uri(f"{name}.tar.gz"), "Environment": {}}
        with pytest.raises(JobFailedError, match=sentence):
            ContainerChain([definition], s3=job.s3, workdir=job.workdir, log=job.lines.append).start()


def test_program_sees_its_own_folder_and_not_the_servers(chain: Chain) -> None:
    program = ECHO + textwrap.dedent("""
        import sys
        import importlib.util
        assert importlib.util.find_spec("autopilot_fit") is None
        assert importlib.util.find_spec("inference").origin == __file__
    """)
    chain(program).start()


def test_threads_get_their_own_answers(chain: Chain) -> None:
    served = chain(STEPS, STEPS)
    served.start()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: served.invoke(str(n).encode(), "text/csv").body, range(200)))
    assert answers == [str(100 * n).encode() for n in range(200)]


def test_a_container_that_ends_is_reported(chain: Chain) -> None:
    served = chain("import os\n" + STEPS.replace("return [value", "os._exit(1)\n    return [value"))
    served.start()
    with pytest.raises(ContainerFailedError, match=r"Received server error \(0\) from primary"):
        served.invoke(b"1", "text/csv")
    assert not served.alive


def test_an_answer_that_takes_too_long_is_reported(chain: Chain) -> None:
    served = chain("import time\n" + STEPS.replace("return [value", "time.sleep(5)\n    return [value"))
    served.start()
    with pytest.raises(ContainerFailedError, match="timed out while waiting for a response from container primary"):
        served.invoke(b"1", "text/csv", timeout=0.3)


def test_close_leaves_no_process(chain: Chain) -> None:
    program = ECHO.replace("os.path.basename(model_dir)", 'print("pid", os.getpid(), flush=True)')
    served = chain(program, program)
    served.start()
    assert served.alive
    served.close()
    assert not served.alive


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_containers_end_with_a_parent_that_is_killed(bucket: Bucket, tmp_path: Path) -> None:
    """Not even SIGKILL of the local cloud leaves a container behind."""
    script = textwrap.dedent("""
        import sys, time
        from pathlib import Path
        from local.aws.sagemaker.compute.process import start
        folder = Path(sys.argv[1])
        command = [sys.executable, "-c", "import time; time.sleep(60)"]
        child = start("entrypoint.py", command, python=Path(sys.executable), environment={}, folder=folder, log=print)
        print(child.pid, flush=True)
        time.sleep(60)
    """)
    parent = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    group = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    parent.stdout.close()
    deadline = time.monotonic() + 10
    while group_exists(group):
        assert time.monotonic() < deadline, "the container outlived its parent"
        time.sleep(0.02)


def group_exists(group: int) -> bool:
    """Whether any process of the group still runs (zombies aside)."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[2]) == group and fields[0] != "Z":
            return True
    return False
