"""The datastore."""

from __future__ import annotations

from oslo_config import cfg

GROUPS: dict[str, list[cfg.Opt]] = {
    "keyvalue": [
        cfg.BoolOpt("enable_encryption", default=True, help="Whether keys can be secret. Off: requests for it fail."),
        cfg.StrOpt(
            "encryption_key_path",
            default="",
            help="File of the key that secrets are encrypted with; st2-generate-symmetric-crypto-key makes one.",
        ),
    ],
}
