"""The program behind the remote runners, as a process, against a real sshd."""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from st2actionrunner.runners.remote_shell import PROGRAM, remote_command
from st2actionrunner.ssh.job import Credentials, Job, ScriptCopy
from tests.conditions import eventually
from tests.sshd import ADDRESSES, Sshd, running_sshd


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with running_sshd(tmp_path_factory.mktemp("sshd")) as server:
        yield server


@pytest.fixture
def job(sshd: Sshd, tmp_path: Path) -> Job:
    """``true`` on one host; tests replace what they are about."""
    return Job(
        hosts=(sshd.host(),),
        command="true",
        sudo=False,
        sudo_password=None,
        pty=False,
        credentials=Credentials(
            username=sshd.username,
            default_username="nobody",
            password=None,
            private_key=None,
            passphrase=None,
            default_key=str(sshd.key_file),
        ),
        port=None,
        bastion_host=None,
        timeout=20.0,
        connect_timeout=10,
        parallel=3,
        known_hosts_file=str(sshd.known_hosts),
        trust_on_first_use=False,
        config_file=None,
        script=None,
        result_path=str(tmp_path / "result"),
    )


@dataclass
class Done:
    code: int
    stdout: bytes
    stderr: bytes
    hosts: dict[str, dict[str, Any]]
    error: str | None


@contextlib.contextmanager
def started(job: Job) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(
        [sys.executable, "-u", "-m", PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as program:
        assert program.stdin is not None
        program.stdin.write(job.to_json())
        program.stdin.close()
        program.stdin = None
        try:
            yield program
        finally:
            program.kill()


def done(program: subprocess.Popen[bytes], job: Job) -> Done:
    stdout, stderr = program.communicate(timeout=60)
    written = json.loads(Path(job.result_path).read_bytes())
    return Done(program.returncode, stdout, stderr, written.get("hosts", {}), written.get("error"))


def run(job: Job) -> Done:
    with started(job) as program:
        return done(program, job)


def only(end: Done) -> dict[str, Any]:
    (result,) = end.hosts.values()
    return result


def test_output_exit_code_and_result(job: Job) -> None:
    end = run(replace(job, command="echo out; echo err >&2; exit 3"))
    assert (end.stdout, end.stderr, end.code) == (b"out\n", b"err\n", 0)
    expected = {"failed": True, "succeeded": False, "return_code": 3, "stdout": "out\n", "stderr": "err\n"}
    assert end.hosts == {job.hosts[0]: expected}
    assert stat.S_IMODE(Path(job.result_path).stat().st_mode) == 0o600


def test_any_bytes_of_one_host_arrive_as_they_are(job: Job) -> None:
    end = run(replace(job, command=r"printf 'a\377\000b\r\nno line break'"))
    assert end.stdout == b"a\xff\x00b\r\nno line break"
    assert only(end)["stdout"] == "a�\x00b\r\nno line break"


def test_the_command_is_in_no_argument_of_a_process(job: Job) -> None:
    # The brackets keep the text from finding itself; "ps" would show the login shell's arguments to everybody.
    end = run(replace(job, command="ps -eww -o args | grep -c '[s]ecret-of-the-test'; : secret-of-the-test"))
    assert end.stdout == b"0\n"


def test_output_shows_while_the_command_runs(job: Job, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    with started(replace(job, command=f"echo first; read line <{gate}; echo second")) as program:
        assert program.stdout is not None
        assert program.stdout.readline() == b"first\n"
        assert program.poll() is None
        gate.write_text("go\n")
        assert done(program, job).stdout == b"second\n"


def test_hosts_run_at_the_same_time_and_their_lines_never_mix(job: Job, sshd: Sshd, tmp_path: Path) -> None:
    hosts = tuple(sshd.host(number) for number in range(3))
    # Each waits for the two others: one after the other would never end.
    meet = f"touch {tmp_path}/$$; until [ $(ls {tmp_path} | grep -c '^[0-9]*$') -eq 3 ]; do sleep 0.05; done"
    end = run(replace(job, hosts=hosts, command=f"{meet}; seq 2000; printf 'no line break'"))
    lines = end.stdout.decode().splitlines()
    expected = [*map(str, range(1, 2001)), "no line break"]
    for host in hosts:
        assert [line.removeprefix(f"[{host}] ") for line in lines if line.startswith(f"[{host}] ")] == expected
        assert end.hosts[host]["stdout"] == "\n".join(expected)
    assert len(lines) == 3 * len(expected)


def test_no_more_hosts_at_a_time_than_allowed(job: Job, sshd: Sshd, tmp_path: Path) -> None:
    alone = f"mkdir {tmp_path}/lock && sleep 0.2 && rmdir {tmp_path}/lock"
    end = run(replace(job, hosts=tuple(map(sshd.host, range(3))), parallel=1, command=alone))
    assert [host["succeeded"] for host in end.hosts.values()] == [True, True, True]


def test_a_large_output_is_complete_and_its_copy_bounded(job: Job) -> None:
    end = run(replace(job, command="head -c 3000000 /dev/zero | tr '\\0' x"))
    assert end.stdout == b"x" * 3_000_000
    kept = 1024 * 1024
    assert only(end)["stdout"] == "x" * kept + f"\n[{3_000_000 - kept} more bytes are in the output of the execution]"


def test_environment_directory_and_a_missing_directory(job: Job, tmp_path: Path) -> None:
    command = remote_command(
        'echo "$PWD $A"', str(tmp_path), {"A": 'it\'s "$HOME"\nand more'}, sudo=False, password=False
    )
    assert only(run(replace(job, command=command)))["stdout"] == f'{tmp_path} it\'s "$HOME"\nand more\n'
    nowhere = remote_command("echo not run", "/no/such/directory", {}, sudo=False, password=False)
    result = only(run(replace(job, command=nowhere)))
    assert (result["succeeded"], result["stdout"]) == (False, "")
    assert "/no/such/directory" in result["stderr"]


def test_a_terminal_joins_both_streams(job: Job) -> None:
    long = "x" * 5000
    end = run(replace(job, pty=True, command=f"test -t 1 && test -t 2 && echo out && echo err >&2; : {long}; cat"))
    assert end.stdout == b"out\r\nerr\r\n"


def test_refused_connection_is_quick_and_clear(job: Job) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{taken.getsockname()[1]}"
        started_at = time.monotonic()
        end = run(replace(job, hosts=(host, *job.hosts), command="echo here"))
    assert time.monotonic() - started_at < 8
    refused = {"failed": True, "succeeded": False, "return_code": 255, "stdout": "", "stderr": ""}
    assert end.hosts[host] == refused | {"error": f"Cannot connect to {host}: Connection refused"}
    assert f"[{host}] Cannot connect to {host}: Connection refused\n".encode() in end.stderr
    assert end.hosts[job.hosts[0]]["succeeded"]


def test_a_host_that_says_nothing_is_given_up(job: Job) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        end = run(replace(job, hosts=(f"127.0.0.1:{silent.getsockname()[1]}",), connect_timeout=1))
    assert only(end)["return_code"] == 255
    assert only(end)["error"].startswith("Cannot connect to 127.0.0.1:")


def test_unknown_host_key_is_refused_and_nothing_runs(job: Job, tmp_path: Path) -> None:
    known_hosts, ran = tmp_path / "known_hosts", tmp_path / "ran"
    end = run(replace(job, known_hosts_file=str(known_hosts), command=f"touch {ran}"))
    assert only(end)["return_code"] == 255
    assert "is not known (ssh-ed25519 SHA256:" in only(end)["error"]
    assert str(known_hosts) in only(end)["error"]
    assert not ran.exists()
    assert not known_hosts.exists()


def test_a_damaged_entry_of_the_host(job: Job, sshd: Sshd, tmp_path: Path) -> None:
    known_hosts = tmp_path / "known_hosts"
    known_hosts.write_text(f"# ours\n[{ADDRESSES[0]}]:{sshd.port} ssh-ed25519 A\n")
    end = run(replace(job, known_hosts_file=str(known_hosts), trust_on_first_use=True))
    assert only(end)["error"].startswith(f"{known_hosts}, line 2: this is no host key")


@pytest.mark.parametrize("trust_on_first_use", [False, True])
def test_another_host_key_is_refused_even_with_trust(
    job: Job, sshd: Sshd, tmp_path: Path, trust_on_first_use: bool
) -> None:
    other = " ".join(Path(f"{sshd.key_file}.pub").read_text().split()[:2])
    known_hosts, ran = tmp_path / "known_hosts", tmp_path / "ran"
    known_hosts.write_text(f"[{ADDRESSES[0]}]:{sshd.port} {other}\n")
    before = known_hosts.read_text()
    end = run(
        replace(job, known_hosts_file=str(known_hosts), trust_on_first_use=trust_on_first_use, command=f"touch {ran}")
    )
    assert "has changed, or somebody else answers" in only(end)["error"]
    assert not ran.exists()
    assert known_hosts.read_text() == before


def test_trust_on_first_use_stores_each_key_once(job: Job, sshd: Sshd, tmp_path: Path) -> None:
    known_hosts = tmp_path / "ssh" / "known_hosts"
    hosts = tuple(map(sshd.host, range(3)))
    trusting = replace(job, hosts=hosts, known_hosts_file=str(known_hosts), trust_on_first_use=True)
    assert all(host["succeeded"] for host in run(trusting).hosts.values())
    expected = sorted(sshd.known_hosts.read_text().splitlines())
    assert sorted(known_hosts.read_text().splitlines()) == expected
    assert stat.S_IMODE(known_hosts.stat().st_mode) == 0o600
    assert all(host["succeeded"] for host in run(replace(trusting, trust_on_first_use=False)).hosts.values())
    assert sorted(known_hosts.read_text().splitlines()) == expected


def test_refused_login(job: Job, tmp_path: Path) -> None:
    key = tmp_path / "stranger"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    end = run(replace(job, credentials=replace(job.credentials, default_key=str(key))))
    assert only(end)["return_code"] == 255
    assert only(end)["error"].startswith(f'Login as "{job.credentials.username}" on')


def test_a_key_with_a_passphrase_given_as_text(job: Job, sshd: Sshd, tmp_path: Path) -> None:
    key = tmp_path / "protected"
    key.write_bytes(sshd.key_file.read_bytes())
    key.chmod(0o600)
    subprocess.run(["ssh-keygen", "-q", "-p", "-P", "", "-N", "open sesame", "-f", str(key)], check=True)
    given = replace(job.credentials, private_key=key.read_text().strip(), default_key="/nowhere")
    assert only(run(replace(job, credentials=replace(given, passphrase="open sesame"))))["succeeded"]
    assert run(replace(job, credentials=given)).error == "The private key is protected: it needs a passphrase."
    wrong = run(replace(job, credentials=replace(given, passphrase="open barley")))
    assert "the passphrase is wrong" in (wrong.error or "")


def test_a_missing_default_key_is_named(job: Job, tmp_path: Path) -> None:
    missing = tmp_path / "stanley_rsa"
    end = run(replace(job, credentials=replace(job.credentials, default_key=str(missing))))
    assert end.error == f'The private key file "{missing}" cannot be read: No such file or directory.'
    assert end.stderr.decode() == f"{end.error}\n"


def test_through_a_bastion_host(job: Job, sshd: Sshd) -> None:
    def connections(number: int) -> int:
        return sshd.log.read_text().count(f" on {ADDRESSES[number]} port ")

    before = connections(0), connections(2)
    assert only(run(replace(job, bastion_host=sshd.host(2), command="true")))["succeeded"]
    eventually(lambda: (connections(0), connections(2)) == (before[0] + 1, before[1] + 1))
    end = run(replace(job, bastion_host="127.0.0.1:1"))
    assert only(end)["error"] == "Cannot connect to 127.0.0.1:1: Connection refused"


def test_openssh_configuration(job: Job, sshd: Sshd, tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text(
        f"Host web\n  HostName {ADDRESSES[0]}\n  Port {sshd.port}\n"
        f"  User {sshd.username}\n  IdentityFile {sshd.key_file}\n"
    )
    nothing_given = replace(job.credentials, username=None, default_key="/nowhere")
    end = run(replace(job, hosts=("web",), credentials=nothing_given, config_file=str(config), command="echo ok"))
    assert end.hosts["web"]["stdout"] == "ok\n"


def alive(process_id: int) -> bool:
    try:
        return Path(f"/proc/{process_id}/stat").read_text().rsplit(") ", 1)[1][0] != "Z"
    except FileNotFoundError:
        return False


def test_timeout_ends_all_that_the_command_started(job: Job, tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    command = f"echo begun; sleep 300 & echo $! >{pids}; echo $$ >>{pids}; wait"
    end = run(replace(job, timeout=1.0, command=command))
    assert end.stdout == b"begun\n"
    result = only(end)
    assert (result["return_code"], result["timeout"], result["stdout"]) == (-9, True, "begun\n")
    assert result["error"] == "Action failed to complete in 1 seconds"
    eventually(lambda: not any(alive(int(pid)) for pid in pids.read_text().split()))


def test_term_of_the_program_ends_the_remote_commands(job: Job, sshd: Sshd, tmp_path: Path) -> None:
    hosts = (sshd.host(0), sshd.host(1))
    command = f"sleep 300 & echo $! >>{tmp_path}/pids; echo begun; wait"
    with started(replace(job, hosts=hosts, command=command)) as program:
        assert program.stdout is not None
        for _ in hosts:
            assert b"begun" in program.stdout.readline()
        program.send_signal(signal.SIGTERM)
        end = done(program, job)
    assert end.code == 128 + signal.SIGTERM
    assert {host["return_code"] for host in end.hosts.values()} == {-15}
    pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
    assert len(pids) == 2
    eventually(lambda: not any(map(alive, pids)))


def test_a_command_that_ignores_term_is_killed(job: Job) -> None:
    command = "trap '' TERM; echo $$; while :; do sleep 300; done"
    end = run(replace(job, timeout=1.0, command=command))
    assert only(end)["timeout"]
    eventually(lambda: not alive(int(end.stdout)))


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("sudo"), reason="needs a sudo that asks for no password")
def test_a_timeout_under_sudo(job: Job) -> None:
    command = remote_command("echo $$; sleep 300", "/", {}, sudo=True, password=False)
    end = run(replace(job, timeout=1.0, sudo=True, command=command))
    assert only(end)["timeout"]
    eventually(lambda: not alive(int(end.stdout)))


def test_a_background_process_does_not_hold_the_action(job: Job) -> None:
    started_at = time.monotonic()
    end = run(replace(job, command="sleep 60 & echo $!"))
    assert only(end)["succeeded"]
    assert time.monotonic() - started_at < 15
    os.kill(int(end.stdout), signal.SIGKILL)


def test_a_signal_ends_the_command(job: Job) -> None:
    result = only(run(replace(job, command="kill -KILL $$")))
    assert result["return_code"] == -1
    assert "a signal has ended it" in result["error"]


def test_a_script_is_copied_run_and_removed(job: Job, tmp_path: Path) -> None:
    pack, remote = tmp_path / "actions", tmp_path / "remote"
    (pack / "lib" / "deep").mkdir(parents=True)
    (pack / "lib" / "deep" / "words.txt").write_text("of the library\n")
    script = pack / "say it.sh"
    script.write_text('#!/bin/sh\necho "$@"\ncat "$(dirname "$0")/lib/deep/words.txt"\ntouch "$(dirname "$0")/more"\n')
    copy = ScriptCopy(source=str(script), lib=str(pack / "lib"), directory=str(remote))
    result = only(run(replace(job, script=copy, command=f"'{remote}/say it.sh' 'a  b'")))
    assert result["stdout"] == "a  b\nof the library\n"
    assert not remote.exists()
    result = only(run(replace(job, script=copy, timeout=1.0, command="sleep 300")))
    assert result["timeout"]
    assert not remote.exists()


def test_a_script_that_cannot_be_copied(job: Job, tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("true\n")
    copy = ScriptCopy(source=str(script), lib=None, directory="/no/such/directory/id")
    result = only(run(replace(job, script=copy, command="true")))
    assert (result["return_code"], result["succeeded"]) == (255, False)
    assert "No such file" in result["error"]


def test_output_that_nobody_reads_ends_the_command(job: Job, tmp_path: Path) -> None:
    with started(replace(job, command=f"echo $$ >{tmp_path}/pid; while :; do echo x; sleep 0.05; done")) as program:
        assert program.stdout is not None
        assert select.select([program.stdout], [], [], 20)[0]
        program.stdout.close()
        assert program.wait(timeout=20) == 0
    eventually(lambda: not alive(int((tmp_path / "pid").read_text())))
