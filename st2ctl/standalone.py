"""The process of the standalone mode: ``python -m st2ctl.standalone --config-file <file>``.

``st2ctl standalone`` is what people use.
"""

from gevent import monkey

monkey.patch_all()

import sys  # noqa: E402 - nothing may be imported before the patch

from st2ctl.composition import main  # noqa: E402 - nothing may be imported before the patch

if __name__ == "__main__":
    sys.exit(main())
