"""The configuration: one INI file, overridden by environment variables ``ST2_<GROUP>__<OPTION>``.

The file is the one named by ``--config-file``, else by ``ST2_CONFIG_PATH``, else ``/etc/st2/st2.conf`` if it exists.
``docs/configuration.md`` is the concept.
"""

from st2common.config.loading import load
from st2common.config.report import report, unknown

__all__ = ["load", "report", "unknown"]
