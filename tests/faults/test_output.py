"""What tools print and which streams they close is no concern of the run's."""

PRINTS = """
def prints(rest):
    for _ in range(int(rest)):
        print("x" * 1_000_000)
    return "printed"

def writes(rest):
    piece = b"y" * 1_000_000
    for _ in range(int(rest)):
        os.write(1, piece)
        os.write(2, piece)
    return "wrote"

def closes(rest):
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        stream.close()
    for descriptor in (0, 1, 2):
        os.close(descriptor)
    return "closed"

def reads(rest):
    return repr(sys.stdin.read())

def scribbles(rest):
    # Into every pipe that it finds, the run's own too.
    for descriptor in range(3, 64):
        try:
            os.write(descriptor, b"noise " * 4)
        except OSError:
            pass
    time.sleep(0.2)
    return "scribbled"

def shuts(rest):
    os.closerange(3, 256)
    return "shut"
"""


def test_printing_without_end_is_cut_in_the_record_and_costs_no_memory(house):
    run = house.run(house.flow(PRINTS), ["prints 200", "writes 100", "after"], name="r", worker_memory=2 << 30).run
    lines = house.lines("r")
    assert run.completed == 3
    assert [lines[number].output["y"] for number in range(3)] == ["printed", "wrote", "AFTER"]
    printed = lines[0].nodes[0].logs["stdout"]
    assert len(printed) < 110_000
    assert "more characters were dropped" in printed


def test_closed_and_empty_standard_streams_harm_nobody(house):
    run = house.run(house.flow(PRINTS), ["reads", "closes", "prints 1", "reads", "after"], name="r", concurrency=1).run
    assert house.lines("r")[0].output == {"y": "''"}
    assert house.lines("r")[1].output == {"y": "closed"}
    assert run.completed >= 4


def test_tool_that_writes_into_or_closes_the_runs_own_pipes_fails_alone(house):
    xs = ["a", "scribbles", "b", "shuts", "c"]
    run = house.run(house.flow(PRINTS), xs, name="r", concurrency=1).run
    lines = house.lines("r")
    assert (run.completed, run.failed, sorted(lines)) == (3, 2, [0, 1, 2, 3, 4])
    assert {lines[number].failure.kind for number in (1, 3)} == {"ProcessCrashError"}
