"""A full disk ends a run with one sentence; what is written is whole, and the run can be resumed."""

import resource
from pathlib import Path

import pytest

from penstock.records import Status

IMAGES = """
def draws(rest):
    from promptflow.contracts.multimedia import Image
    return Image(bytes.fromhex("89504e470d0a1a0a") + os.urandom(int(rest)), mime_type="image/png")
"""


def bounded(size):
    """For the command: no file may grow beyond ``size``, as on a disk that fills up while the run goes on."""

    def before():
        import signal

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    return before


@pytest.mark.parametrize("size", [300_000, 420_000])
def test_run_whose_disk_is_full_says_so_and_is_resumed(house, size):
    xs = [f"{number} {'w' * 2000}" for number in range(200)]
    flow, data = house.flow(), house.data(xs)
    create = ("run", "create", "--flow", flow, "--data", data, "--name", "r", "--workers", 1, "--quiet")
    # The index is made beforehand, so that it is the journal that meets the limit.
    house.command("run", "list")
    _, err = house.command(*create, code=1, preexec_fn=bounded(size))
    said = [line for line in err.splitlines() if line.startswith("penstock:")]
    assert any("make room and resume the run" in line for line in said)
    assert "Traceback" not in err
    run = house.stored("r")
    assert run.status in (Status.FAILED, Status.CANCELED)
    kept = {index for index, line in house.lines("r").items() if line.status is Status.COMPLETED}
    assert 0 < len(kept) < 200
    before = len(house.began())
    house.command("run", "create", "--resume-from", "r", "--name", "r", "--quiet")
    run = house.stored("r")
    assert (run.status, run.completed, run.failure) == (Status.COMPLETED, 200, None)
    assert len(house.began()) - before == 200 - len(kept)


def test_image_that_cannot_be_stored_fails_its_line_alone(house):
    flow = house.flow(IMAGES)
    dag = flow / "flow.dag.yaml"
    dag.write_text(dag.read_text().replace("y: {type: string", "y: {type: image"))
    (flow / "act.py").write_text((flow / "act.py").read_text().replace("-> str", ""))
    data = house.data(["draws 100", "draws 5000000", "draws 200"])
    create = ("run", "create", "--flow", flow, "--data", data, "--name", "r", "--workers", 1, "--quiet")
    house.command("run", "list")
    house.command(*create, code=1, preexec_fn=bounded(2_000_000))
    lines = house.lines("r")
    assert [lines[number].status for number in range(3)] == [Status.COMPLETED, Status.FAILED, Status.COMPLETED]
    assert "cannot be stored" in lines[1].failure.message
    images = Path(house.settings.home, "runs/r/flow_outputs/images")
    assert len(list(images.iterdir())) == 2
