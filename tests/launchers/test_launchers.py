"""Supervised processes and commands: what runs, how it ends, and that nothing is left."""

import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from mlflow_tune.errors import InputError
from mlflow_tune.launchers import CommandLauncher
from mlflow_tune.launchers.command import substitute
from mlflow_tune.launchers.environment import base_environment
from mlflow_tune.launchers.output import TAIL_BYTES, Tail, last_lines, last_said, too_long
from mlflow_tune.launchers.process import Processes, Supervised
from mlflow_tune.launchers.watcher import GRACE_SECONDS
from mlflow_tune.space import Categorical, Float, Space
from tests.fixtures import ROOT
from tests.fixtures.launcher_project.helpers import HERE, gone, job, tree_of, wait_for

LR = Space({"lr": Float(0, 1)})


def run(*argv, timeout=None, **variables):
    return Processes().run(argv, env={**os.environ, **variables}, cwd=HERE, timeout=timeout)


def shell(script, **options):
    return run("bash", "-c", script, **options)


@pytest.fixture(autouse=True)
def no_child_is_left():
    before = psutil.Process().children(recursive=True)
    yield
    assert [child for child in psutil.Process().children(recursive=True) if child not in before] == []


def test_importing_the_room_is_light():
    heavy = "{'mlflow', 'numpy', 'pydantic', 'skopt', 'psutil', 'cloudpickle'}"
    code = f"import sys, mlflow_tune.launchers; print({heavy} & set(sys.modules))"
    assert subprocess.check_output([sys.executable, "-c", code], cwd=ROOT) == b"set()\n"


# How a process ends


def test_exit_code_zero_is_ok_and_the_run_must_be_read():
    outcome = shell("echo out; echo err >&2")
    assert (outcome.kind, outcome.logged, outcome.output) == ("ok", True, b"out\nerr\n")


def test_an_exit_code_is_told_with_the_last_lines():
    outcome = shell("for i in 1 2 3 4 5 6; do echo line $i; done; exit 3")
    assert outcome.kind == "failed"
    assert outcome.reason == "exit code 3; last output: line 6 (after: line 3 | line 4 | line 5)"


@pytest.mark.parametrize("name", ["SIGSEGV", "SIGKILL", "SIGABRT", "SIGTERM", "SIGPIPE", "SIGUSR1"])
def test_a_signal_is_told_by_name(name):
    assert shell(f"kill -{name[3:]} $$").reason == f"killed by {name}; it printed nothing"


def test_a_signal_that_a_shell_reports_is_told_by_name():
    assert shell("bash -c 'kill -SEGV $$' 2>/dev/null; exit $?").reason.startswith("exit code 139 (SIGSEGV)")


def test_a_crash_leaves_no_core_of_the_watcher(tmp_path):
    process = Supervised(["bash", "-c", "ulimit -c 0; kill -SEGV $$"], env=dict(os.environ), cwd=tmp_path)
    process.wait()
    process.close()
    process.discard()
    assert process.returncode == -signal.SIGSEGV
    assert list(tmp_path.iterdir()) == []


def test_a_program_that_is_missing_fails_with_its_name():
    assert run("no-such-program").reason == (
        "exit code 127; last output: cannot run 'no-such-program': No such file or directory"
    )


def test_a_folder_that_vanished_is_a_failure(tmp_path):
    launcher = CommandLauncher(["true"], folder=tmp_path)
    tmp_path.rmdir()
    assert "No such file or directory" in launcher(job()).reason


def test_the_group_may_be_signalled_by_the_command_itself():
    assert shell("trap 'exit 7' TERM; kill -TERM 0; sleep 9").reason.startswith("exit code 7")


def test_signals_are_as_a_new_process_has_them():
    code = "import signal; print(signal.getsignal(signal.SIGTERM), signal.pthread_sigmask(signal.SIG_BLOCK, ()))"
    outcome = run(sys.executable, "-c", code)
    assert outcome.output == b"0 set()\n"
    assert shell("yes | head -1; echo ${PIPESTATUS[0]}").output == b"y\n141\n"


def test_input_is_empty():
    assert run("cat", timeout=10).kind == "ok"


def test_no_descriptor_is_inherited():
    script = "import os; print(sorted(int(fd) for fd in os.listdir('/proc/self/fd') if int(fd) > 2))"
    with open(os.devnull) as file:  # noqa: PTH123
        os.set_inheritable(file.fileno(), True)
        assert run(sys.executable, "-c", script).output == b"[3]\n"  # the listing itself


# Output


@pytest.mark.slow
def test_an_endless_output_neither_blocks_nor_fills_memory():
    before = psutil.Process().memory_info().rss
    outcome = shell("head -c 200000000 /dev/zero | tr '\\0' x; echo; echo the end; exit 1", timeout=120)
    assert outcome.reason == "exit code 1; last output: the end (after: …" + "x" * 382 + ")"
    note, tail = outcome.output.split(b"\n", 1)
    assert len(tail) == TAIL_BYTES
    assert note == b"[%d earlier bytes were dropped]" % (200_000_009 - TAIL_BYTES)
    assert psutil.Process().memory_info().rss - before < 30e6


def test_a_timeout_holds_while_output_streams():
    assert shell("yes", timeout=0.5).reason == "took longer than 0.5s"


def test_a_tail_says_what_it_dropped():
    tail = Tail()
    tail.feed(b"a" * 10)
    assert bytes(tail) == b"a" * 10
    for _ in range(5):
        tail.feed(b"b" * TAIL_BYTES)
    assert bytes(tail) == b"[%d earlier bytes were dropped]\n" % (4 * TAIL_BYTES + 10) + b"b" * TAIL_BYTES


def test_last_lines_are_readable():
    assert last_lines(b"\x1b[31mred\x1b[0m\n\n 10%\r 50%\r\xff\n") == "red | 10% | 50% | \ufffd"
    assert last_lines(b"") == ""
    assert last_lines(b"x" * 999, limit=10) == "…xxxxxxxxx"


def test_an_exception_comes_before_where_it_was_raised():
    """A table shows the beginning alone; the lines that only underline code say nothing."""
    code = "def f(x):\n    raise ValueError('x too large') if x else 0\n\nf(1) + f(0)\n"
    reason = run(sys.executable, "-c", code).reason
    assert reason.startswith("exit code 1; last output: ValueError: x too large (after: ")
    traceback = b'  File "flaky.py", line 4, in <module>\n    f(9)\n    ~^^^\n    ^^^^^\n\nValueError: too large\n'
    assert last_said(traceback) == 'ValueError: too large (after: File "flaky.py", line 4, in <module> | f(9))'
    assert last_said(b"a\n" + b"x" * 999, limit=10) == "xxxxxxxxx…"
    assert last_said(b"") == ""


@pytest.mark.parametrize(("seconds", "words"), [(600, "10m"), (5400, "90m"), (7200, "2h"), (90, "90s"), (0.5, "0.5s")])
def test_a_timeout_is_told_as_the_study_file_writes_it(seconds, words):
    assert too_long(seconds) == f"took longer than {words}"


# Nothing is left


@pytest.mark.slow
def test_what_outlives_the_command_is_ended(tmp_path):
    tree = tmp_path / "tree"
    outcome = run(sys.executable, "behave.py", "--do", "leave", "--lr", "1", TREE=str(tree))
    assert outcome.kind == "ok"
    assert len(json.loads(tree.read_text())) == 5
    assert gone(tree_of(tree))


def test_a_polite_program_ends_within_the_grace():
    began = time.monotonic()
    outcome = shell("trap 'echo saved; exit' TERM; sleep 99 & wait", timeout=1)
    assert outcome.kind == "timeout"
    assert outcome.output == b"saved\n"
    assert time.monotonic() - began < 1 + GRACE_SECONDS


@pytest.mark.slow
@pytest.mark.parametrize("fork", ["plain", "fork"])
@pytest.mark.parametrize("kind", ["command", "function"])
def test_a_killed_driver_takes_all_with_it(kind, fork, tmp_path):
    tree = tmp_path / "tree"
    argv = [sys.executable, "-m", "tests.fixtures.launcher_project.driver", kind, fork]
    driver = subprocess.Popen(argv, cwd=ROOT, env={**os.environ, "TREE": str(tree)}, stdout=subprocess.DEVNULL)
    processes = tree_of(tree)
    watcher = processes[0].parent()
    assert len(processes) == 5
    driver.kill()
    driver.wait()
    wait_for(lambda: gone([*processes, watcher]))


@pytest.mark.slow
def test_a_killed_watcher_takes_the_command_with_it():
    process = Supervised(["bash", "-c", "sleep 99 & echo; wait"], env=dict(os.environ), cwd=HERE)
    watcher = psutil.Process(process._popen.pid)
    wait_for(lambda: len(watcher.children(recursive=True)) == 2)
    family = watcher.children(recursive=True)
    watcher.kill()
    assert process.wait(10)
    process.close()
    process.discard()
    wait_for(lambda: gone(family))


DETACHED = "import os, time; os.setsid(); {fork} print(os.getpid(), flush=True); time.sleep(99)"


@pytest.mark.slow
@pytest.mark.parametrize("fork", ["", "os.fork() and os._exit(0); "], ids=["session", "daemon"])
def test_what_a_trial_has_detached_before_it_killed_its_watcher_is_ended(fork):
    """As by `pkill -9 python`; another child of the driver, which has started it for itself, lives on."""
    run = f"subprocess.run([sys.executable, '-c', {DETACHED.format(fork=fork)!r}])"
    code = f"import subprocess, sys, time; {run}; time.sleep(99)"  # the daemon may speak after its starter has ended
    process = Supervised([sys.executable, "-c", code], env=dict(os.environ), cwd=HERE)
    output = b""
    while not output.strip():
        assert not process.wait(0.05)
        output += process.take_output()
    detached = psutil.Process(int(output))
    with subprocess.Popen(["sleep", "99"], start_new_session=True) as other:
        psutil.Process(process._popen.pid).kill()
        assert process.wait(10)
        process.close()
        process.discard()
        lives = other.poll() is None
        other.kill()
    assert lives
    # A container may have nobody who reaps what has lost its parent.
    assert gone([detached]) or detached.status() == psutil.STATUS_ZOMBIE


def test_a_forked_process_ends_nothing_of_its_parent():
    processes = Processes()
    process = processes.start(["sleep", "99"], env=dict(os.environ), cwd=HERE)
    if (pid := os.fork()) == 0:
        processes.stop()
        processes.end(process)
        os._exit(0)
    os.waitpid(pid, 0)
    assert process.alive()
    processes.stop()
    processes.end(process)
    assert not process.alive()


# Commands


def test_substitution_is_literal_and_happens_once():
    values = {"lr": 0.1, "note": "{lr} $(rm) {0}", "flag": True}
    command = ["--lr={lr}", "{note}", "{flag}{flag}", '{"lr": {lr}}', "${lr}", "{}", "{other}", "{lr!r}"]
    assert substitute(command, values) == [
        "--lr=0.1",
        "{lr} $(rm) {0}",
        "TrueTrue",
        '{"lr": 0.1}',
        "${lr}",
        "{}",
        "{other}",
        "{lr!r}",
    ]


GROUPS = ["x", ["--amp", "{amp}"], ["--hidden", "{hidden}"], ["--lr={lr}"], "{hidden}{amp}"]


@pytest.mark.parametrize(
    ("amp", "hidden", "words"),
    [
        (True, [64, 32], ["--amp", "--hidden", "64", "32", "--lr=0.1", "[64, 32]True"]),
        (False, None, ["--lr=0.1", "nullFalse"]),
        (None, [], ["--hidden", "--lr=0.1", "[]null"]),
        (0, "", ["--amp", "0", "--hidden", "", "--lr=0.1", "0"]),
        ("false", ["a b", "{lr}"], ["--amp", "false", "--hidden", "a b", "{lr}", "--lr=0.1", '["a b", "{lr}"]false']),
    ],
)
def test_a_group_goes_by_its_value(amp, hidden, words):
    assert substitute(GROUPS, {"amp": amp, "hidden": hidden, "lr": 0.1}) == ["x", *words]


def test_a_word_of_a_group_may_hold_more_than_the_value():
    group = [["--size={w}x{h}", "--more"]]
    assert substitute(group, {"w": [1, 2], "h": 3}) == ["--size=1x3", "--size=2x3", "--more"]
    assert substitute(group, {"w": 1, "h": False}) == []
    assert substitute([["--amp={amp}"]], {"amp": True}) == ["--amp"]
    assert substitute([["{amp}", "${amp}", "{other}"]], {"amp": True}) == ["${amp}", "{other}"]


def test_groups_are_checked():
    space = Space({"amp": Categorical([True, False])})
    assert CommandLauncher(["echo", ["--amp", "{amp}"]]).check(space) == {}
    with pytest.raises(InputError, match="unknown parameter 'app'"):
        CommandLauncher(["echo", ["--amp", "{app}", "{amp}"]]).check(space)
    with pytest.raises(InputError, match=r"^command: a list within it needs a parameter .* got \['--fast'\]"):
        CommandLauncher(["echo", ["--fast"], "{amp}"]).check(space)


def test_flags_optional_arguments_and_several_words_reach_argparse(tmp_path):
    """As a script has them: store_true, an optional number, nargs='+'."""
    script = (
        "import argparse; p = argparse.ArgumentParser(); p.add_argument('--amp', action='store_true'); "
        "p.add_argument('--drop', type=float); p.add_argument('--hidden', nargs='+', type=int, default=[8]); "
        "print(vars(p.parse_args()))"
    )
    groups = [["--amp", "{amp}"], ["--drop", "{drop}"], ["--hidden", "{hidden}"]]
    launcher = CommandLauncher([sys.executable, "-c", script, *groups])
    seen = [
        launcher(job(amp=amp, drop=drop, hidden=hidden)).output.decode().strip()
        for amp, drop, hidden in ((True, 0.5, [64, 32]), (False, None, None), (True, 0, [1]))
    ]
    assert seen == [
        "{'amp': True, 'drop': 0.5, 'hidden': [64, 32]}",
        "{'amp': False, 'drop': None, 'hidden': [8]}",
        "{'amp': True, 'drop': 0.0, 'hidden': [1]}",
    ]


def test_no_shell_reads_the_values():
    launcher = CommandLauncher(["printf", "%s", "{lr}"])
    assert launcher(job(lr="a b; $(id) `id` > x 'y' \"z\"")).output == b"a b; $(id) `id` > x 'y' \"z\""


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (["echo", "{lrr}", "{lr}"], r"^command: unknown parameter 'lrr'; did you mean 'lr'\? \(write \{ lrr \} with"),
        (["echo", "lr"], r"^command: the searched parameter 'lr' is not used: \{lr\} must stand in it$"),
        (["no-such-program", "{lr}"], "^command: the program 'no-such-program' is not found on PATH$"),
        (["./none.sh", "{lr}"], "^command: there is no program '.*none.sh'$"),
        (["./behave.py", "{lr}"], "^command: .*behave.py' is not executable"),
    ],
)
def test_a_command_is_checked(command, words):
    with pytest.raises(InputError, match=words):
        CommandLauncher(command, folder=HERE).check(LR)


def test_a_fixed_parameter_must_be_used_too():
    with pytest.raises(InputError, match="the fixed parameter 'units' is not used"):
        CommandLauncher(["echo", "{lr}"], {"units": 3}).check(LR)


def test_other_braces_are_no_placeholders():
    space = Space({"lr": Float(0, 1), "program": Categorical(["echo", "printf"])})
    command = ["{program}", '{"a": {lr}}', "${HOME}", "{ print }", "{}", "{1,2}"]
    assert CommandLauncher(command).check(space) == {}


@pytest.mark.parametrize("command", [[], [""]])
def test_an_empty_command_is_refused(command):
    with pytest.raises(InputError, match=r"^command: "):
        CommandLauncher(command)


def test_a_missing_folder_is_refused():
    with pytest.raises(InputError, match=r"^folder: "):
        CommandLauncher(["echo"], folder="/no/such/folder")


# Environment


def test_python_is_the_one_of_this_environment_unless_another_is_active(monkeypatch):
    monkeypatch.delenv("VIRTUAL_ENV", raising=False)
    monkeypatch.delenv("CONDA_PREFIX", raising=False)
    monkeypatch.setenv("PATH", "/usr/bin")
    assert base_environment()["PATH"] == f"{Path(sys.executable).parent}:/usr/bin"
    monkeypatch.setenv("CONDA_PREFIX", "/opt/conda")
    assert base_environment()["PATH"] == "/usr/bin"


def test_the_environment_is_the_one_at_construction(monkeypatch):
    monkeypatch.setenv("SEEN", "before")
    launcher = CommandLauncher(["bash", "-c", "echo $SEEN $PYTHONUNBUFFERED {lr}"])
    monkeypatch.setenv("SEEN", "after")
    assert launcher(job(lr=1)).output == b"before 1 1\n"


POLITE = "trap 'echo bye; exit 0' TERM; touch {ready}; while :; do sleep 0.05; done"
DEAF = "trap '' TERM; touch {ready}; while :; do sleep 0.05; done"


@pytest.mark.slow
@pytest.mark.parametrize(("script", "said"), [(POLITE, b"bye\n"), (DEAF, b"")])
def test_a_pruned_command_has_its_grace_and_no_more(script, said, tmp_path):
    processes, ready = Processes(), tmp_path / "ready"
    with ThreadPoolExecutor() as pool:
        argv = ["bash", "-c", script.format(ready=ready)]
        running = pool.submit(processes.run, argv, env=dict(os.environ), cwd=HERE, timeout=None, trial="run1")
        wait_for(ready.exists)
        processes.prune("run1", 60.0 if said else 2.0)
        outcome = running.result(30)
    assert (outcome.kind, outcome.logged) == ("pruned", True)
    assert outcome.output.endswith(said)


@pytest.mark.slow
def test_a_grace_ends_when_the_study_is_stopped(tmp_path):
    processes, ready = Processes(), tmp_path / "ready"
    with ThreadPoolExecutor() as pool:
        argv = ["bash", "-c", DEAF.format(ready=ready)]
        running = pool.submit(processes.run, argv, env=dict(os.environ), cwd=HERE, timeout=None, trial="run1")
        wait_for(ready.exists)
        processes.prune("run1", 1000.0)
        assert not running.done()
        processes.stop()
        assert running.result(30).kind == "interrupted"
