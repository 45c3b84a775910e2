from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
import zlib
from pathlib import Path

import pytest

from st2actionrunner.keeper.run import SPOOL_LIMIT
from st2actionrunner.keeper_client import KeeperRun
from st2actionrunner.launch import Exit
from st2actionrunner.spool import EXITED, STARTED, STDERR, STDERR_CUT, STDOUT, STDOUT_CUT, SpoolReader
from tests.conditions import eventually
from tests.integration.keepers import Bench, alive, all_gone, pids_in


@pytest.fixture
def bench(tmp_path):
    bench = Bench(tmp_path / "keeper")
    yield bench
    bench.end()


@pytest.fixture
def short_grace(monkeypatch):
    """Seconds between TERM and KILL."""
    monkeypatch.setattr("st2actionrunner.keeper_client.TERM_GRACE", 0.3)


def test_both_streams_standard_input_environment_and_exit_code(bench):
    script = 'echo "$NAME"; echo to stderr >&2; cat; pwd; exit 3'
    started_at = time.time()
    out, err, ended = bench.run("/bin/sh", "-c", script, stdin=b"from stdin\n", env={"NAME": "välue"}, cwd="/usr")
    assert (out, err, ended) == ("välue\nfrom stdin\n/usr\n", "to stderr\n", Exit(exit_code=3))
    frames = bench.frames("run0.1")
    assert (frames[0].kind, frames[-1].kind) == (STARTED, EXITED)
    times = [frame.time_us for frame in frames]
    assert times == sorted(times)
    assert started_at * 1e6 <= times[0] <= times[-1] <= time.time() * 1e6


def test_the_environment_is_exactly_what_was_asked_for(bench):
    assert bench.run("/usr/bin/env", env={"A": "1"})[0] == "A=1\n"


def test_order_and_times_are_those_of_the_writes(bench, tmp_path):
    (tmp_path / "go").mkdir()
    # Each line waits until the one before has arrived, so the only right order is known.
    script = "for i in 1 2 3 4; do echo $i >&$((i % 2 + 1)); until [ -e go/$i ]; do :; done; done"
    bench.start("r.1", "/bin/sh", "-c", script, cwd=str(tmp_path))
    for number in range(1, 5):
        eventually(lambda: sum(frame.kind in (STDOUT, STDERR) for frame in bench.frames("r.1")) == number)  # noqa: B023
        (tmp_path / "go" / str(number)).touch()
    bench.wait_for_exit("r.1")
    lines = [(frame.kind, frame.payload) for frame in bench.frames("r.1")[1:-1]]
    assert lines == [(STDERR, b"1\n"), (STDOUT, b"2\n"), (STDERR, b"3\n"), (STDOUT, b"4\n")]


def test_death_by_signal(bench):
    assert bench.run("/bin/sh", "-c", "kill -9 $$")[2] == Exit(signal=9)


def test_signals_have_their_defaults(bench):
    out, _, _ = bench.run("grep", "-E", "Sig(Ign|Blk)", "/proc/self/status")
    # The bits above are the C library's own signals; whoever started us may have them ignored.
    assert [int(word, 16) & 0x7FFFFFFF for word in out.split()[1::2]] == [0, 0]


def test_no_descriptor_of_the_keeper_leaks(bench):
    assert bench.run("/bin/sh", "-c", "ls /proc/$$/fd; true")[0].split() == ["0", "1", "2"]


def test_secrets_do_not_stay_in_the_run_directory(bench):
    bench.start("r.1", "/bin/cat", stdin=b"s3cret", env={"PASSWORD": "hunter2", "PATH": os.environ["PATH"]})
    bench.wait_for_exit("r.1")
    directory = bench.client.run_directory("r.1")
    assert [path.name for path in directory.iterdir()] == ["spool"]
    assert b"hunter2" not in (directory / "spool").read_bytes()
    assert [path.stat().st_mode & 0o077 for path in (directory, *directory.iterdir())] == [0, 0]


@pytest.mark.parametrize(
    ("argv", "options", "reason"),
    [
        (["/no/such/program"], {}, '"/no/such/program" could not be started: No such file or directory'),
        (["{dir}/plain"], {}, "Permission denied"),
        (["{dir}/orphan"], {}, "the interpreter that its first line names does not exist"),
        (["/bin/true"], {"cwd": "/no/such/place"}, 'The working directory "/no/such/place" could not be entered'),
        (["/bin/echo", "x" * 3_000_000], {}, "Argument list too long"),
        (["/bin/true"], {"env": {"A": "a\0b"}}, "null byte"),
    ],
)
def test_what_cannot_be_started_says_why(bench, tmp_path, argv, options, reason):
    (tmp_path / "plain").write_text("echo\n")
    (tmp_path / "orphan").write_text("#!/no/such/interpreter\n")
    (tmp_path / "orphan").chmod(0o755)
    out, err, ended = bench.run(*(word.format(dir=tmp_path) for word in argv), **options)
    assert (out, err, ended.exit_code) == ("", "", None)
    assert ended.error is not None
    assert reason in ended.error


def test_asking_twice_starts_once(bench, tmp_path):
    for _ in range(2):
        bench.start("r.1", "/bin/sh", "-c", "echo once >> count; cat go 2>/dev/null; sleep 0.2", cwd=str(tmp_path))
    bench.wait_for_exit("r.1")
    assert (tmp_path / "count").read_text() == "once\n"


def test_many_at_once(bench):
    for number in range(60):
        bench.start(f"r{number}.1", "/bin/sh", "-c", f"echo {number}; exit {number}")
    for number in range(60):
        assert bench.end_of(f"r{number}.1") == (f"{number}\n", "", Exit(exit_code=number))


def test_list_and_forget(bench):
    bench.start("a.1", "/bin/sleep", "100")
    bench.run("/bin/true")
    pid = bench.pid("a.1")
    listed = bench.client.runs()
    assert KeeperRun("a.1", pid, False) in listed
    assert [run.exited for run in listed if run.run == "run0.1"] == [True]
    bench.client.forget("run0.1")
    assert [run.run for run in bench.client.runs()] == ["a.1"]
    assert bench.client.run_directories() == {"a.1"}


def test_a_run_that_is_forgotten_while_it_ends_leaves_nothing(bench):
    bench.start("a.1", "/bin/sleep", "100")
    pid = bench.pid("a.1")
    bench.client.kill("a.1")
    bench.client.forget("a.1")
    eventually(lambda: bench.client.runs() == [])
    assert not alive(pid)
    assert bench.client.run_directories() == set()


def test_a_timeout_ends_the_session_and_keeps_the_output(bench):
    # Its own process group, but the same session.
    script = "echo $$; set -m; sleep 101 & echo $!; sleep 102"
    bench.start("r.1", "/bin/bash", "-c", script, timeout=0.3)
    out, _, ended = bench.end_of("r.1")
    assert ended == Exit(signal=15, timed_out=True)
    assert len(pids_in(out)) == 2
    assert all_gone(pids_in(out))


def test_what_ignores_term_is_killed_after_the_grace(bench, short_grace):
    # sleep inherits the ignored signal; both hold the pipes.
    bench.start("r.1", "/bin/sh", "-c", 'trap "" TERM; sleep 100 & echo $$ $!; wait', timeout=0.2)
    out, _, ended = bench.end_of("r.1")
    assert ended == Exit(signal=9, timed_out=True)
    assert all_gone(pids_in(out))


def test_kill_lets_the_action_say_good_bye(bench):
    bench.start("r.1", "/bin/sh", "-c", "trap 'echo bye; exit 4' TERM; echo ready; while :; do :; done")
    bench.wait_for_output("r.1", "ready")
    bench.client.kill("r.1")
    assert bench.end_of("r.1") == ("ready\nbye\n", "", Exit(exit_code=4, killed=True))


def test_kill_reaches_children_whose_parent_is_gone_and_stopped_ones(bench):
    bench.start("r.1", "/bin/sh", "-c", "(sleep 103 & echo $!); sleep 104 & echo $!; kill -STOP $!; wait")
    pids = eventually(lambda: pids_in(bench.stdout("r.1")) if bench.stdout("r.1").count("\n") == 2 else None)
    bench.client.kill("r.1")
    bench.wait_for_exit("r.1")
    assert all_gone(pids)


def test_kill_with_kill_waits_for_no_grace(bench):
    bench.start("r.1", "/bin/sh", "-c", 'trap "" TERM; echo ready; while :; do sleep 0.05; done')
    bench.wait_for_output("r.1", "ready")
    bench.client.kill("r.1", "KILL")
    assert bench.end_of("r.1")[2] == Exit(signal=9, killed=True)


def test_a_background_process_with_the_pipe_belongs_to_the_run_until_the_timeout(bench):
    bench.start("r.1", "/bin/sh", "-c", "sleep 105 & echo $!; exit 0", timeout=0.5)
    out, _, ended = bench.end_of("r.1")
    assert ended == Exit(exit_code=0, timed_out=True)
    assert all_gone(pids_in(out))


def test_a_daemon_that_left_the_session_does_not_hold_up_the_end(bench):
    # It keeps the pipe, has a session of its own, and is nobody's child any more.
    bench.start("r.1", "/bin/sh", "-c", "setsid sh -c 'echo $$; exec sleep 2' & sleep 0.1; exit 0", timeout=0.4)
    out, _, ended = bench.end_of("r.1")
    assert ended.timed_out
    assert not all_gone(pids_in(out))


def test_a_background_process_without_the_pipe_is_left_alone(bench):
    out, _, ended = bench.run("/bin/sh", "-c", "sleep 1 >/dev/null 2>&1 & echo $!")
    assert ended == Exit(exit_code=0)
    assert not all_gone(pids_in(out))


def test_a_terminal(bench):
    script = "tty -s <&1 && echo terminal; stty size <&1; printf 'a\\nb\\n'; echo to stderr >&2; ps -o tty= -p $$"
    out, err, ended = bench.run("/bin/sh", "-c", script, pty=True)
    lines = out.split("\n")
    assert lines[:5] == ["terminal", "24 80", "a", "b", "to stderr"]
    assert lines[5].startswith("pts/")
    assert (err, ended) == ("", Exit(exit_code=0))


def test_large_output_arrives_whole_and_back_pressure_holds_the_child(bench):
    # 100 MB, more than the keeper is allowed to be ahead. Nothing is acknowledged at first.
    script = "import os,sys\nblock = bytes(range(250)) * 400\nfor _ in range(1000): os.write(1, block)"
    bench.start("big.1", sys.executable, "-S", "-c", script)
    spool = bench.client.run_directory("big.1") / "spool"
    eventually(lambda: spool.exists() and spool.stat().st_size > SPOOL_LIMIT, timeout=30)
    bench.start("other.1", "/bin/echo", "not held up")
    assert bench.end_of("other.1")[0] == "not held up\n"
    assert spool.stat().st_size < SPOOL_LIMIT + 2 * 1024 * 1024
    assert not bench.client.runs()[0].exited
    reader = SpoolReader(spool)
    length, checksum, ended = 0, 0, False
    while not ended:
        for frame in eventually(lambda: reader.read(4 * 1024 * 1024)):
            ended = frame.kind == EXITED
            if frame.kind == STDOUT:
                length += len(frame.payload)
                checksum = zlib.crc32(frame.payload, checksum)
        bench.client.ack("big.1", reader.offset, reader.offset)
    reader.close()
    expected = 0
    for _ in range(1000):
        expected = zlib.crc32(bytes(range(250)) * 400, expected)
    assert (length, checksum) == (100_000_000, expected)


def test_output_beyond_the_limit_is_counted_and_not_kept(bench, tmp_path):
    # Each stream waits until what the other has printed is kept, so the only right order is known.
    script = (
        "printf 12345; until [ -e 1 ]; do :; done; printf abcdef >&2; until [ -e 2 ]; do :; done;"
        "head -c 9000000 /dev/zero; exit 4"
    )
    bench.start("r.1", "/bin/sh", "-c", script, cwd=str(tmp_path), max_output=8)
    bench.wait_for_output("r.1", "12345")
    (tmp_path / "1").touch()
    eventually(lambda: bench.text("r.1", STDERR))
    (tmp_path / "2").touch()
    out, err, ended = bench.end_of("r.1")
    assert (out, err) == ("12345", "abc")
    assert ended == Exit(exit_code=4, truncated_bytes=3 + 9_000_000)
    frames = bench.frames("r.1")
    assert [frame.kind for frame in frames] == [STARTED, STDOUT, STDERR, STDERR_CUT, STDOUT_CUT, EXITED]
    mark = b"--- More than 8 bytes of output: what follows is not kept. ---\n"
    assert [frame.payload for frame in frames[3:5]] == [mark, mark]


def test_output_of_just_the_limit_is_whole(bench):
    assert bench.run("/bin/echo", "1234567", max_output=8) == ("1234567\n", "", Exit(exit_code=0))


def test_a_full_disk_makes_the_child_wait_and_loses_nothing(bench):
    # A limit on the size of files stands for the disk: the write that meets it is cut short, the next one fails.
    resource.prlimit(bench.keeper_pid(), resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
    bench.start("r.1", "/usr/bin/seq", "1000000")
    eventually(lambda: "the spool cannot be written" in bench.log())
    assert b"".join(frame.payload for frame in bench.frames("r.1")[1:]).startswith(b"1\n2\n")
    assert not bench.client.runs()[0].exited
    resource.prlimit(bench.keeper_pid(), resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    out, _, ended = bench.end_of("r.1")
    assert out.split() == [str(number) for number in range(1, 1_000_001)]
    assert ended == Exit(exit_code=0)


def test_a_full_file_system_makes_children_wait_and_harms_nobody(tmp_path):
    """A real one, which the keeper's own log shares: not a byte more finds room."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "none", disk], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"no file system of a given size can be mounted here: {mounted.stderr.strip()}")
    try:
        bench = Bench(disk / "keeper")
        bench.client._send({"request": "dance"})
        eventually(bench.log)  # has a page of its own from now on
        bench.start("r.1", "/usr/bin/seq", "1000000")
        eventually(lambda: "the spool cannot be written" in bench.log())
        while os.statvfs(disk).f_bavail:
            with (disk / "filler").open("ab", buffering=0) as filler:
                filler.write(bytes(os.sysconf("SC_PAGESIZE")))
        for _ in range(300):  # more complaints than the last page of the log has room for
            bench.client._send({"request": "dance"})
        assert [run.exited for run in bench.client.runs()] == [False]
        assert not bench.lost.is_set()
        subprocess.run(["mount", "-o", "remount,size=64m", disk], check=True)
        out, _, ended = bench.end_of("r.1")
        assert out.split() == [str(number) for number in range(1, 1_000_001)]
        assert ended == Exit(exit_code=0)
        bench.end()
    finally:
        subprocess.run(["umount", "--lazy", disk], check=True)


def test_growth_is_told_once_until_it_is_acknowledged(bench):
    bench.start("r.1", "/bin/sh", "-c", "for i in 1 2 3 4 5 6 7 8 9; do echo $i; done; sleep 100")
    bench.wait_for_output("r.1", "9\n")
    assert bench.client.runs()
    assert bench.growth_events("r.1") == 1
    size = (bench.client.run_directory("r.1") / "spool").stat().st_size
    bench.client.ack("r.1", 1, 0)
    eventually(lambda: bench.growth_events("r.1") == 2)
    bench.client.ack("r.1", size, size)
    assert bench.client.runs()
    assert bench.growth_events("r.1") == 2


def test_requests_without_sense_are_refused_and_harm_nothing(bench):
    for request in ({"request": "dance"}, {"request": "spawn", "run": "../x", "argv": ["true"]}, {"no": "request"}):
        bench.client._send(request)
    assert bench.run("/bin/true")[2] == Exit(exit_code=0)
    assert bench.log().count("refused") == 3


def test_a_directory_longer_than_a_socket_address(tmp_path):
    bench = Bench(tmp_path / ("long" * 40))
    assert bench.run("/bin/echo", "far")[0] == "far\n"
    bench.end()


def test_it_is_small(bench):
    bench.run("/bin/true")
    text = Path(f"/proc/{bench.keeper_pid()}/smaps_rollup").read_text()
    resident_kb = next(int(line.split()[1]) for line in text.splitlines() if line.startswith("Rss:"))
    assert resident_kb < 15 * 1024


def test_without_descriptors_a_run_fails_and_the_others_go_on(bench):
    bench.start("a.1", "/bin/sh", "-c", "echo up; sleep 100")
    bench.wait_for_output("a.1", "up")
    used = len(list(Path(f"/proc/{bench.keeper_pid()}/fd").iterdir()))
    limit = resource.prlimit(bench.keeper_pid(), resource.RLIMIT_NOFILE)
    resource.prlimit(bench.keeper_pid(), resource.RLIMIT_NOFILE, (used + 4, limit[1]))
    failed = [bench.run("/bin/true")[2] for _ in range(3)]
    assert all(ended.error and "Too many open files" in ended.error for ended in failed)
    resource.prlimit(bench.keeper_pid(), resource.RLIMIT_NOFILE, limit)
    assert bench.run("/bin/true")[2] == Exit(exit_code=0)
