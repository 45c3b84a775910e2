"""The authentication daemon."""

from gevent import monkey

monkey.patch_all()

from st2api.auth.service import make  # noqa: E402 - nothing may be imported before the patch
from st2common.http import daemon  # noqa: E402 - nothing may be imported before the patch


def main() -> int:
    return daemon.main("st2auth", make)
